//! The pictures in the docs are those of a fresh run. `BLESS=1 cargo test --test pictures` makes them
//! anew; the screenshot of the player is taken by `scripts/player-picture`.
//!
//! On the virtual clock every run is the same, and so is its picture, to the letter. What blocks the
//! thread, or is woken by a thread of the program's own, takes real time: such a picture is drawn from
//! a run on the real clock, and held equal in everything but what was measured. See [`shape`].

mod example;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use example::example;

const ON_THE_VIRTUAL_CLOCK: [&str; 6] = [
    "asynchronous",
    "deadlock",
    "lost_waker",
    "one_sleep",
    "side_by_side",
    "timeout_and_cancel",
];

/// With how many of its executors are shown, and in what a run may be another.
const ON_THE_REAL_CLOCK: [(&str, usize, Shape); 5] = [
    ("blocking_in_async", 2, shape),
    // Which of two threads is done first is open.
    ("not_parallel", 2, shape_in_any_order),
    ("producers_and_consumers", 1, shape),
    ("who_blocked_the_loop", 2, shape),
    ("why_was_i_polled", 1, shape),
];

/// The page of the player that can be opened without a build, and its screenshot.
const PAGE: &str = "asynchronous.html";
const SCREENSHOT: &str = "player.png";

type Shape = fn(&str) -> Vec<String>;

/// On a busy machine a run can differ in more: a thread comes a moment later, or a poll takes so long
/// that it is told of. One run like the one that was drawn is enough.
const RUNS: usize = 10;

fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images")
}

/// `NAME.svg`, and for the second executor of a program `NAME-2.svg`.
fn file(name: &str, executor: usize) -> String {
    match executor {
        1 => format!("{name}.svg"),
        _ => format!("{name}-{executor}.svg"),
    }
}

/// A folder for what a fresh run draws.
fn fresh() -> PathBuf {
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&fresh).unwrap();
    fresh
}

/// What an earlier run has drawn is not to be taken for this one's.
fn remove(file: &Path) {
    let _ = fs::remove_file(file);
}

/// Runs the example, which draws as it is wished.
fn run(name: &str, wish: &str) {
    let output = example(name).env("WATCHGLASS", wish).output().unwrap();
    assert!(output.status.success(), "{name} failed");
}

/// Runs the example, and gives the pictures of its first executors.
fn draw(name: &str, clock: &str, executors: usize) -> Vec<String> {
    let drawn = fresh().join(file(name, 1));
    (1..=executors).for_each(|executor| remove(&fresh().join(file(name, executor))));
    run(name, &format!("{clock}svg:{}", drawn.display()));
    let read = |executor| fs::read_to_string(fresh().join(file(name, executor))).unwrap();
    (1..=executors).map(read).collect()
}

fn kept(name: &str, executor: usize) -> String {
    fs::read_to_string(images().join(file(name, executor))).unwrap_or_default()
}

fn blessing() -> bool {
    env::var_os("BLESS").is_some_and(|value| value == "1")
}

/// From now on the picture is the drawn one, or it should have been.
fn differs(file: &str, drawn: &str) {
    if blessing() {
        fs::create_dir_all(images()).unwrap();
        return fs::write(images().join(file), drawn).unwrap();
    }
    panic!(
        "docs/images/{file} is not what the example draws now; look at the difference after \
         `BLESS=1 cargo test --test pictures`"
    );
}

#[test]
fn the_pictures_are_those_of_a_fresh_run() {
    for name in ON_THE_VIRTUAL_CLOCK {
        let drawn = draw(name, "virtual,long:1000s,", 1).remove(0);
        if drawn != kept(name, 1) {
            differs(&file(name, 1), &drawn);
        }
    }
}

#[test]
fn the_pictures_of_real_time_differ_from_a_fresh_run_only_in_what_was_measured() {
    for (name, executors, shape) in ON_THE_REAL_CLOCK {
        let is_kept =
            |(executor, drawn): (usize, &String)| shape(drawn) == shape(&kept(name, executor));
        let mut drawn = draw(name, "", executors);
        for _ in 1..RUNS {
            if (1..).zip(&drawn).all(is_kept) {
                break;
            }
            drawn = draw(name, "", executors);
        }
        for (executor, drawn) in (1..).zip(&drawn) {
            if !is_kept((executor, drawn)) {
                differs(&file(name, executor), drawn);
            }
        }
    }
}

#[test]
fn the_page_is_that_of_a_fresh_run() {
    let drawn = fresh().join(PAGE);
    run(
        "asynchronous",
        &format!("virtual,long:1000s,html:{}", drawn.display()),
    );
    let drawn = fs::read_to_string(drawn).unwrap();
    if fs::read_to_string(images().join(PAGE)).ok().as_ref() != Some(&drawn) {
        differs(PAGE, &drawn);
    }
}

/// What the browser shows cannot be compared to the letter. But the script notes in the picture of which page it is.
#[test]
fn the_screenshot_is_of_the_page() {
    let page = fs::read(images().join(PAGE)).unwrap();
    let screenshot = fs::read(images().join(SCREENSHOT)).unwrap();
    let note = format!("of the page {:016x}", fnv_1a(&page));
    assert!(
        screenshot
            .windows(note.len())
            .any(|bytes| bytes == note.as_bytes()),
        "docs/images/{SCREENSHOT} is of another page than {PAGE}: take it anew with `scripts/player-picture`"
    );
}

/// Fowler, Noll and Vo's hash, in its variant 1a.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// What a picture shows, without what is measured: the description and each mark with its label, in
/// order, without the times in them. Left out is which poll took longest, and the shade where the
/// thread is parked: the system may end a park whenever it likes.
fn shape(picture: &str) -> Vec<String> {
    let elements = picture.split("<title").chain(picture.split("<desc"));
    let texts = elements.filter_map(|element| element.split_once('>')?.1.split_once("</"));
    let texts = texts.map(|(text, _)| text.split("; the busiest poll").next().unwrap());
    texts
        .filter(|text| !text.contains("nothing is ready"))
        .map(without_times)
        .collect()
}

/// The same whoever of several was first.
fn shape_in_any_order(picture: &str) -> Vec<String> {
    let without_ids = |text: String| {
        let words = text.split(' ').filter(|word| !word.starts_with('#'));
        words.collect::<Vec<&str>>().join(" ")
    };
    let mut shape: Vec<String> = shape(picture).into_iter().map(without_ids).collect();
    shape.sort_unstable();
    shape
}

/// The text with each number that has a unit replaced by `_`: `0.050 s late` and `58 us late` are
/// the same.
fn without_times(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let unit = word.trim_end_matches([',', ';', '.', ':', ')']);
        let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        match (unit, words.last()) {
            ("s" | "ms" | "us" | "ns", Some(last)) if is_number(last) => {
                words.pop();
                words.push("_");
            }
            _ => words.push(word),
        }
    }
    words.join(" ")
}

#[test]
fn there_is_no_picture_that_no_run_draws() {
    let real = ON_THE_REAL_CLOCK.into_iter();
    let real = real.flat_map(|(name, executors, _)| (1..=executors).map(move |e| file(name, e)));
    let all = ON_THE_VIRTUAL_CLOCK.iter().map(|name| file(name, 1));
    let page = [PAGE, SCREENSHOT].map(str::to_owned);
    let all: Vec<String> = all.chain(real).chain(page).collect();
    for entry in fs::read_dir(images()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(all.contains(&name), "nobody draws docs/images/{name}");
    }
}

#[test]
fn every_picture_and_every_example_is_shown() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str| {
        let entries = fs::read_dir(top.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    };
    let is_page = |path: &PathBuf| path.extension().is_some_and(|it| it == "md");
    let pages: String = files("docs")
        .filter(is_page)
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for picture in files("docs/images") {
        let link = format!("](images/{})", picture.file_name().unwrap().display());
        assert!(pages.contains(&link), "no page shows {}", picture.display());
    }
    let gallery = fs::read_to_string(top.join("docs/examples.md")).unwrap();
    for example in files("examples").filter(|path| path.is_file()) {
        let link = format!("](../examples/{})", example.file_name().unwrap().display());
        assert!(
            gallery.contains(&link),
            "docs/examples.md has no {}",
            example.display()
        );
    }
}

#[test]
fn another_time_is_the_same_shape_and_another_wake_is_not() {
    let picture = |text: &str| shape(&format!("<svg><title>{text}</title></svg>"));
    let drawn = picture("at 0.251 s polled (poll 2): its timer fired, 51.2 ms late");
    assert_eq!(
        drawn,
        picture("at 0.250 s polled (poll 2): its timer fired, 58 us late")
    );
    assert_ne!(
        drawn,
        picture("at 0.251 s polled (poll 3): its timer fired, 51.2 ms late")
    );
    assert_ne!(drawn, picture("at 0.251 s polled (poll 2): #1 woke it"));
}
