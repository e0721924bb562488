//! The environment variable `WATCHGLASS`: any program is shown without a change to it.

mod common;
mod example;

use std::cell::{Cell, OnceCell};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, unbounded};
use common::calm;
use example::example;
use watchglass::trace::{Event, Observer, Record, Recording};
use watchglass::{Builder, Executor, JoinSet, spawn};

/// A directory that is this test's alone, also if the tests run twice at once. It goes with the test.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Deref for Directory {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

fn directory(test: &str) -> Directory {
    let name = format!("{test}-{}", process::id());
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    Directory(directory)
}

fn run(name: &str, watchglass: &str, input: &str) -> Output {
    let mut command = example(name);
    command.env("WATCHGLASS", watchglass);
    fed(command, input)
}

/// Runs a command with this as its input.
fn fed(mut command: Command, input: &str) -> Output {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that is refused at once does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a program that is an ignored test of this file.
fn run_here(name: &str, watchglass: &str) -> Output {
    here(name, watchglass).output().unwrap()
}

fn here(name: &str, watchglass: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // With one thread, the test's name would stand in front of its first line.
    command.args([
        "--ignored",
        "--nocapture",
        "--test-threads=2",
        "--exact",
        name,
    ]);
    command.env("WATCHGLASS", watchglass);
    command
}

fn printed(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn complained(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

const STORY: &str = "\
Task A starting
Task B starting
Task B done
Task A done
0.000 s  Join is given to block_on at examples/asynchronous.rs:20:5
0.000 s  Join goes to the back of the ready queue: it is new
0.000 s  Join polled (poll 1): it is new
0.000 s  Join prints \"Task A starting\"
0.000 s  timer 0 is armed to wake Join at 2.000 s: it is in level 5, slot 1 of the wheel
0.000 s  Join waits for its timer for 2.000 s, at examples/asynchronous.rs:14:39
0.000 s  Join prints \"Task B starting\"
0.000 s  timer 1 is armed to wake Join at 1.000 s: it is in level 4, slot 59 of the wheel
0.000 s  Join waits for its timer for 1.000 s, at examples/asynchronous.rs:14:39
0.000 s  Join returns Pending: the thread is free
1.000 s  nothing is ready: virtual time jumps from 0.000 s to 1.000 s
1.000 s  timer 1 is due now
1.000 s  timer 1 for 1.000 s fires
1.000 s  Join goes to the back of the ready queue: its timer for 1.000 s fired
1.000 s  Join polled (poll 2): its timer for 1.000 s fired
1.000 s  Join waits for its timer for 2.000 s, at examples/asynchronous.rs:14:39
1.000 s  Join prints \"Task B done\"
1.000 s  Join returns Pending: the thread is free
2.000 s  nothing is ready: virtual time jumps from 1.000 s to 2.000 s
2.000 s  timer 0 is due now
2.000 s  timer 0 for 2.000 s fires
2.000 s  Join goes to the back of the ready queue: its timer for 2.000 s fired
2.000 s  Join polled (poll 3): its timer for 2.000 s fired
2.000 s  Join prints \"Task A done\"
2.000 s  Join returns Ready
2.000 s  Join is done

1 task, 3 polls, 2 wakes (0 did nothing), 2 timers
3.000 s of sleep in 2.000 s: 1.000 s overlapped
";

#[test]
fn the_story_of_real_time_tells_of_lateness_and_of_the_busiest_poll() {
    let output = run("who_blocked_the_loop", "story", "");
    let story = printed(&output);
    assert!(
        story.contains("polite 200 polled (poll 2): its timer for "),
        "{story}"
    );
    assert!(
        story.contains(" ms late\n") || story.contains(" s late\n"),
        "{story}"
    );
    assert!(story.contains("the busiest poll: "), "{story}");
}

#[test]
fn the_story_follows_what_the_program_prints() {
    // On a machine that stands still for half a second a poll is told of.
    let output = run("asynchronous", "virtual,story,long:1000s", "");
    let printed = printed(&output);
    let story = printed.rsplit_once("Total").unwrap().0;
    assert_eq!(story, STORY);
    assert_eq!(complained(&output), "");
}

#[test]
#[cfg(target_os = "linux")]
fn what_an_observer_prints_is_not_told_as_the_tasks() {
    let output = run("one_sleep", "virtual,story", "");
    let story = printed(&output);
    let line = "sleeper polled (poll 2): its timer for 1.000 s fired\n\
                1.000 s  printed by the program's observer: \"\\n7. The second poll is Ready";
    assert!(story.contains(line), "{story}");
    assert!(!story.contains("sleeper prints"), "{story}");
}

#[test]
#[cfg(target_os = "linux")]
fn an_executor_after_the_first_is_walked_through_by_its_number() {
    let output = run("two_tasks_four_ways", "virtual,step", "q\nq\nq\nq\n");
    let walks = printed(&output);
    assert!(!walks.contains("executor 1"), "{walks}");
    for walk in [
        "executor 2 of this program\n",
        "executor 4 of this program\n",
    ] {
        assert!(walks.contains(walk), "{walks}");
    }
}

#[test]
fn what_the_program_prints_is_unchanged() {
    let directory = directory("unchanged");
    let json = directory.join("run.json");
    // On a machine that stands still for half a second a poll is told of.
    let calm = "virtual,long:1000s";
    let unwatched = run("one_sleep", calm, "");
    let watched = run("one_sleep", &format!("{calm},json:{}", json.display()), "");
    assert_eq!(printed(&watched), printed(&unwatched));
    assert!(json.exists());
}

#[test]
fn a_wrong_value_is_refused_before_anything_runs() {
    let output = run("asynchronous", "story,svgg:x", "");
    assert!(!output.status.success());
    assert_eq!(printed(&output), "");
    assert!(complained(&output).contains("WATCHGLASS=svgg:x is not known"));
    assert!(complained(&output).contains("html:FILE"));
}

#[test]
fn a_folder_or_one_file_for_two_views_is_refused_before_anything_runs() {
    for (asked, says) in [
        (
            "html:.",
            "WATCHGLASS=html:. names a folder: write a file, as in html:./run",
        ),
        (
            "svg:src",
            "WATCHGLASS=svg:src names a folder: write a file, as in svg:src/run",
        ),
        ("json:/", "WATCHGLASS=json:/ names a folder"),
        (
            "chrome:run.json,virtual,json:run.json",
            "names run.json twice: each view needs a file of its own",
        ),
        (
            "story:run.txt,timeline:./run.txt",
            "names ./run.txt twice: each view needs a file of its own",
        ),
    ] {
        let output = run("asynchronous", asked, "");
        assert!(!output.status.success());
        assert_eq!(printed(&output), "");
        assert!(
            complained(&output).contains(says),
            "{}",
            complained(&output)
        );
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_goes_to_another_folder() {
    Executor::new().block_on(async { std::env::set_current_dir("/").unwrap() });
}

#[test]
fn a_file_is_written_where_the_program_was_when_its_executor_was_made() {
    let directory = directory("chdir");
    let mut program = here("a_program_that_goes_to_another_folder", "json:run.json");
    let output = program.current_dir(&*directory).output().unwrap();
    let complaint = complained(&output);
    assert!(
        complaint.contains("watchglass: run.json is written\n"),
        "{complaint}"
    );
    assert!(directory.join("run.json").exists());
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_a_thread_that_prints_meanwhile() {
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                println!("from beside");
                if ends.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let executor = Executor::builder().virtual_time().build();
        executor.block_on(async {
            for _ in 0..500 {
                watchglass::yield_now().await;
            }
        });
        drop(executor);
        ends.store(true, Ordering::Relaxed);
    });
}

/// As in a terminal, standard output and standard error go to one place.
#[test]
fn each_live_event_is_written_in_one_piece() {
    let directory = directory("live");
    let file = fs::File::create(directory.join("both")).unwrap();
    let mut program = here("a_program_with_a_thread_that_prints_meanwhile", "live");
    program.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(program.status().unwrap().success());
    let text = fs::read_to_string(directory.join("both")).unwrap();
    let of_thread = text.lines().filter(|&line| line == "from beside").count();
    let events = text.lines().filter(|line| line.starts_with("0.000 s  "));
    assert_eq!(text.matches("from beside").count(), of_thread);
    assert_eq!(text.matches("0.000 s  ").count(), events.count());
    assert!(of_thread > 0 && text.matches("0.000 s  ").count() > 1500);
}

#[test]
fn a_file_that_cannot_be_written_loses_neither_the_run_nor_the_view() {
    let directory = directory("unwritable");
    let mut command = example("asynchronous");
    command.env("TMPDIR", &*directory);
    command.env("WATCHGLASS", "virtual,svg:/no/such/place/run.svg,story");
    let output = command.output().unwrap();
    assert!(output.status.success());
    assert!(printed(&output).contains("Task A done\n0.000 s  Join is given to block_on"));
    let complaint = complained(&output);
    assert!(
        complaint.contains("cannot write /no/such/place/run.svg: No such file"),
        "{complaint}"
    );
    let saved = fs::read_dir(&*directory)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(complaint.contains(saved.to_str().unwrap()), "{complaint}");
    assert!(fs::read_to_string(saved).unwrap().starts_with("<svg "));
}

#[test]
fn two_files_of_one_name_that_cannot_be_written_are_both_saved() {
    let directory = directory("both");
    let mut program = example("one_sleep");
    program.env("WATCHGLASS", "virtual,story:a/run.txt,timeline:b/run.txt");
    program.env("TMPDIR", &*directory).current_dir(&*directory);
    let output = program.output().unwrap();
    let saved = fs::read_dir(&*directory).unwrap().count();
    assert_eq!(saved, 2, "{}", complained(&output));
}

#[test]
fn every_view_is_written_and_each_run_has_files_of_its_own() {
    let directory = directory("views");
    let file = |name: &str| directory.join(name).display().to_string();
    let views = [
        format!("story:{}", file("story.txt")),
        format!("timeline:{}", file("timeline.txt")),
        format!("svg:{}", file("run.svg")),
        format!("html:{}", file("run.html")),
        format!("chrome:{}", file("trace.json")),
        format!("json:{}", file("run.json")),
    ];
    // It makes two executors, one after the other.
    let output = run("who_blocked_the_loop", &views.join(","), "");
    assert!(output.status.success(), "{}", complained(&output));
    for written in ["run.svg", "run-2.svg", "run.html"] {
        let told = format!("watchglass: {} is written\n", file(written));
        assert!(
            complained(&output).contains(&told),
            "{}",
            complained(&output)
        );
    }
    for (name, begins) in [
        ("story", " s  run is given to block_on"),
        ("timeline", " s"),
        ("run.svg", "<svg "),
        ("run.html", "<!doctype html>"),
        ("trace", "{\"displayTimeUnit\""),
        ("run.json", "{\"watchglass\":1"),
    ] {
        for second in ["", "-2"] {
            let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
            let of_run = |entry: &PathBuf| {
                let file = entry.file_name().unwrap().to_str().unwrap();
                file.starts_with(&format!("{stem}{second}.")) && file.ends_with(extension)
            };
            let mut paths = fs::read_dir(&*directory)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            let path = paths
                .find(of_run)
                .unwrap_or_else(|| panic!("no {stem}{second}"));
            let text = fs::read_to_string(path).unwrap();
            let heading = "executor 2 of this program\n";
            let headed = second == "-2" && ["story", "timeline"].contains(&stem);
            assert_eq!(text.starts_with(heading), headed, "{stem}{second}");
            let text = text.trim_start_matches(heading);
            // On a busy machine it may begin later than at 0.000 s.
            let is_time = |c: char| c.is_ascii_digit() || "|.".contains(c);
            let text = text.trim_start().trim_start_matches(is_time);
            assert!(text.starts_with(begins), "{stem}{second}: {}", &text[..80]);
        }
    }
    for (page, title) in [
        (
            "run.html",
            "<title>who_blocked_the_loop – watchglass</title>",
        ),
        (
            "run-2.html",
            "<title>who_blocked_the_loop, executor 2 – watchglass</title>",
        ),
    ] {
        let text = fs::read_to_string(directory.join(page)).unwrap();
        assert!(text.contains(title), "{page}: {}", &text[..200]);
    }
}

#[test]
fn a_walk_goes_forward_and_back_and_jumps() {
    let output = run(
        "one_sleep",
        "virtual,step",
        "p\n\nb\n\np sleeper\nw\nx\np nobody\n99\np\nh\nn\nn\nn\nq\n",
    );
    let printed = printed(&output);
    let walk = printed
        .split_once("Type a command, and then Enter.")
        .unwrap()
        .1;
    let steps: Vec<&str> = walk
        .lines()
        .filter(|line| line.starts_with("step "))
        .collect();
    let numbers: Vec<&str> = steps
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    let to_poll: usize = numbers[4].parse().unwrap();
    let to_wake: usize = numbers[5].parse().unwrap();
    assert_eq!(numbers[..4], ["0", "1", "0", "1"]);
    assert!(
        to_wake < to_poll,
        "the wake comes before the poll: {numbers:?}"
    );
    assert!(walk.contains("sleeper polled (poll 1): it is new"));
    assert!(walk.contains("sleeper goes to the back of the ready queue: it is new"));
    assert!(walk.contains("`x` is no command\nType a command"));
    assert!(walk.contains("no task is called `nobody`; there are: program and sleeper"));
    assert!(walk.contains("the last step is "));
    assert!(
        walk.contains("nothing has been polled yet"),
        "p, before any poll"
    );
    let mut last = walk.rsplit("\nstep ");
    let [by_n_again, by_n, by_p] = std::array::from_fn(|_| last.next().unwrap());
    assert!(
        by_p.contains("sleeper polled (poll 1)") && by_p.contains("h: this help"),
        "p, at the wake of the sleeper, and h: {by_p}"
    );
    assert!(by_n.contains("sleeper polled (poll 2)"), "n: {by_n}");
    assert!(
        by_n_again.contains("nobody is polled after this step"),
        "{by_n_again}"
    );
}

#[test]
fn a_walk_shows_where_each_task_waits_and_what_comes_next() {
    let output = run("one_sleep", "virtual,step", "p sleeper\np sleeper\nb\nq\n");
    let walk = printed(&output);
    for block in [
        "  program: waiting for sleeper to end, at examples/one_sleep.rs:",
        "`sleep(Duration::from_secs(1)).await;`",
        "  ready queue  sleeper (its timer for 1.000 s fired)",
        "> sleeper: running, poll 2",
    ] {
        assert!(walk.contains(block), "{block:?} is not in\n{walk}");
    }
}

#[test]
fn the_source_is_found_from_the_program_the_package_s_folder_or_the_current_one_or_below_them() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let elsewhere = package.ancestors().last().unwrap();
    let program = PathBuf::from(example("one_sleep").get_program());
    let program_elsewhere = std::env::temp_dir().join(format!("one_sleep-{}", process::id()));
    // By another process: while this one has a file open to write to it, nobody can run it.
    let copied = Command::new("cp")
        .args([&program, &program_elsewhere])
        .status();
    assert!(copied.unwrap().success());
    for (program, manifest, current, is_found) in [
        (&program_elsewhere, Some(package), elsewhere, true),
        (
            &program_elsewhere,
            Some(&package.join("src/view")),
            elsewhere,
            true,
        ),
        (&program_elsewhere, None, package, true),
        (&program_elsewhere, None, &package.join("tests"), true),
        (&program_elsewhere, None, elsewhere, false),
        // Its target directory may be anywhere.
        (&program, None, elsewhere, program.starts_with(package)),
    ] {
        let mut walk = Command::new(program);
        walk.env("WATCHGLASS", "virtual,step").current_dir(current);
        match manifest {
            Some(folder) => walk.env("CARGO_MANIFEST_DIR", folder),
            None => walk.env_remove("CARGO_MANIFEST_DIR"),
        };
        let output = fed(walk, "p sleeper\np sleeper\nb\nq\n");
        let walk = printed(&output);
        let shows = walk.contains("`sleep(Duration::from_secs(1)).await;`");
        assert_eq!(
            shows, is_found,
            "{program:?}, {manifest:?}, {current:?}: {walk}"
        );
    }
    fs::remove_file(program_elsewhere).unwrap();
}

#[test]
fn of_a_source_that_was_changed_after_the_build_it_is_said() {
    let package = directory("changed");
    let (source, page) = (
        package.join("examples/one_sleep.rs"),
        package.join("run.html"),
    );
    fs::create_dir(package.join("examples")).unwrap();
    fs::write(package.join("Cargo.lock"), "").unwrap();
    fs::copy("examples/one_sleep.rs", &source).unwrap();
    let program = package.join("one_sleep");
    let built = example("one_sleep").get_program().to_owned();
    let copied = Command::new("cp").arg(built).arg(&program).status();
    assert!(copied.unwrap().success());
    let said = "examples/one_sleep.rs: changed after the program was built";
    let built = fs::metadata(&program).unwrap().modified().unwrap();
    let second = Duration::from_secs(1);
    let times = [
        (built - second, false),
        (built, false),
        (built + second, true),
    ];
    for (changed, is_said) in times {
        let file = fs::File::options().append(true).open(&source).unwrap();
        file.set_modified(changed).unwrap();
        let mut walk = Command::new(&program);
        walk.env("WATCHGLASS", "virtual,step,html:run.html");
        walk.current_dir(&*package);
        let output = fed(walk, "p sleeper\np sleeper\nb\nq\n");
        let walk = printed(&output);
        assert!(
            walk.contains("`sleep(Duration::from_secs(1)).await;`"),
            "{walk}"
        );
        assert_eq!(walk.contains(said), is_said, "{walk}");
        assert_eq!(fs::read_to_string(&page).unwrap().contains(said), is_said);
    }
}

#[test]
fn what_a_task_waits_for_is_known_at_every_step() {
    let output = run("one_sleep", "virtual,step", &"\n".repeat(60));
    let walk = printed(&output);
    assert!(walk.contains("sleeper: waiting for its timer for 1.000 s, at examples/one_sleep.rs:"));
    assert!(walk.contains("sleeper: woken, in the ready queue, at examples/one_sleep.rs:"));
    assert!(walk.contains("sleeper: ready: it has its output\n"));
    assert!(walk.contains("this is the last step"));
    assert!(!walk.contains("not watchglass's"), "{walk}");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_forgets_its_executor() {
    let executor = Executor::new();
    executor.block_on(async {});
    std::mem::forget(executor);
    println!("printed after the executor's last event");
    std::thread::sleep(std::time::Duration::from_millis(500));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_in_which_another_thread_prints() {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let lines = (0..).take_while(|_| !done.load(Ordering::Relaxed));
            let lines = lines.inspect(|line| println!("line {line}")).count();
            println!("{lines} lines");
        });
        for _ in 0..100 {
            watchglass::block_on(watchglass::yield_now());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn no_line_is_lost_while_executors_come_and_go() {
    let directory = directory("lines");
    let watchglass = format!("json:{}", directory.join("run.json").display());
    let output = run_here("a_program_in_which_another_thread_prints", &watchglass);
    let printed = printed(&output);
    let numbers = printed
        .lines()
        .filter_map(|line| line.strip_prefix("line "));
    let arrived: Vec<usize> = numbers.map(|number| number.parse().unwrap()).collect();
    assert!(arrived.iter().copied().eq(0..arrived.len()), "in order");
    let all = format!("\n{} lines\n", arrived.len());
    assert!(printed.contains(&all), "{} have arrived", arrived.len());
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_exits() {
    watchglass::block_on(async {
        thread::sleep(Duration::from_millis(150));
        println!("the last line");
        process::exit(7);
    });
}

#[test]
fn before_an_exit_what_is_printed_arrives_and_then_the_views() {
    let output = run_here("a_program_that_exits", "story");
    assert_eq!(output.status.code(), Some(7));
    let (_, after) = printed(&output).split_once("the last line\n").unwrap();
    assert!(
        after.contains(" a_program_that_exits polled (poll 1): it is new\n"),
        "{after}"
    );
    // It ends in its poll, which was long, and what it prints at its end is printed then.
    assert!(!after.contains(" is done"), "{after}");
    let prints = after
        .lines()
        .find(|line| line.ends_with(" prints \"the last line\""));
    let time = prints.expect(after).split_once(' ').unwrap().0;
    assert!(time.parse::<f64>().unwrap() >= 0.150, "{after}");
    let (sums, found) = after.split_once("\nfound:\n").expect(after);
    let (_, busiest) = sums
        .split_once("the busiest poll: a_program_that_exits, ")
        .expect(after);
    assert!(!busiest.contains(" us, at "), "{busiest}");
    assert!(
        found.contains(" a_program_that_exits has held the thread "),
        "{after}"
    );
    let said =
        "watchglass: the thread ends before its executor: the views show how far it has come\n";
    assert_eq!(complained(&output), said);
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_in_which_an_executor_ends_in_a_task_of_another() {
    watchglass::block_on(async {
        println!("outer before");
        drop(Executor::new().spawn(async {}));
        println!("outer after");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_views_of_an_inner_executor_are_not_printed_by_a_task_of_the_outer_one() {
    let name = "a_program_in_which_an_executor_ends_in_a_task_of_another";
    let output = run_here(name, "story");
    let (outer, inner) = (printed(&output), " (1 dropped unfinished)");
    assert!(outer.contains(inner), "{outer}");
    let lines = outer.lines().filter(|line| line.contains(" prints \""));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 1, "{outer}");
    assert!(
        lines[0].ends_with(" prints \"outer before\\nouter after\""),
        "{outer}"
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
#[cfg(target_os = "linux")]
fn a_program_that_opens_standard_output() {
    watchglass::block_on(async {
        println!("the first line");
        watchglass::yield_now().await;
        let mut opened = fs::File::create("/dev/stdout").unwrap();
        opened.write_all(b"by its path\n").unwrap();
        watchglass::yield_now().await;
        println!("the last line");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_written_to_standard_output_by_its_path_arrives() {
    let output = run_here("a_program_that_opens_standard_output", "story:/dev/null");
    let all = "the first line\nby its path\nthe last line\n";
    assert!(printed(&output).contains(all), "{}", printed(&output));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_prints_half_a_letter() {
    watchglass::block_on(async {
        for half in "ä".as_bytes().chunks(1) {
            std::io::stdout().write_all(half).unwrap();
            std::io::stdout().flush().unwrap();
            watchglass::yield_now().await;
        }
        println!();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_letter_that_comes_in_two_parts_is_told_as_one() {
    let output = run_here("a_program_that_prints_half_a_letter", "story");
    let story = printed(&output);
    assert!(
        story.contains("prints \"ä\"") && !story.contains('\u{fffd}'),
        "{story}"
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
#[cfg(target_os = "linux")]
fn a_program_that_prints_eight_megabytes() {
    use std::os::unix::fs::MetadataExt;
    watchglass::block_on(async {
        for _ in 0..8 << 10 {
            println!("{}", "x".repeat(1 << 10));
            watchglass::yield_now().await;
        }
        let kept = fs::metadata("/dev/stdout").unwrap().blocks() * 512;
        println!("kept: {}", kept / 1_000_000);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_was_passed_on_takes_no_memory() {
    let output = run_here("a_program_that_prints_eight_megabytes", "story:/dev/null");
    let (all, kept) = printed(&output).split_once("kept: ").unwrap();
    assert!(all.len() > 8 << 20);
    let kept: u64 = kept.lines().next().unwrap().parse().unwrap();
    assert!(kept <= 2, "{kept} MB");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_a_child_that_lives_longer() {
    let script = "echo early; sleep 0.2; echo late";
    let child = watchglass::block_on(async { Command::new("sh").args(["-c", script]).spawn() });
    assert!(child.unwrap().wait().unwrap().success());
    watchglass::block_on(async { println!("another executor") });
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_child_process_prints_arrives() {
    let directory = directory("child");
    let json = directory.join("run.json");
    let watchglass = format!("json:{}", json.display());
    let output = run_here("a_program_with_a_child_that_lives_longer", &watchglass);
    let printed = printed(&output);
    let lines = "early\nlate\nanother executor\n";
    assert!(printed.contains(lines), "{printed}");
    // What it printed between the two executors is not told as printed while the second ran.
    let second = fs::read_to_string(json.with_file_name("run-2.json")).unwrap();
    assert!(
        second.contains("another executor") && !second.contains("\"text\":\"late"),
        "{second}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn where_no_thread_can_be_started_the_program_prints_all_the_same() {
    let run_without_threads = |name| {
        let mut command = example(name);
        command.env("WATCHGLASS", "virtual,story");
        command.env("RUST_MIN_STACK", "1000000000000000000");
        command.output().unwrap()
    };
    let complaint = "what the program prints cannot be watched";
    let output = run_without_threads("asynchronous");
    assert!(complained(&output).contains(complaint));
    assert!(printed(&output).starts_with("Task A starting\nTask B starting\n"));
    assert!(printed(&output).contains("Total: "));
    // Each of its four executors tries.
    let output = run_without_threads("two_tasks_four_ways");
    let complaints = complained(&output).matches(complaint).count();
    assert_eq!(complaints, 4, "{}", complained(&output));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_never_comes_to_its_end() {
    watchglass::block_on(async {
        watchglass::yield_now().await;
        // As if it hung and were killed.
        process::abort();
    });
}

#[test]
fn of_a_program_that_never_comes_to_its_end_one_sees_how_far_it_came() {
    let output = run_here("a_program_that_never_comes_to_its_end", "live,story");
    let live = complained(&output);
    assert!(live.contains("#0 returned Pending after"), "{live}");
    let last = live.lines().last().unwrap();
    assert!(last.ends_with("s  #0 is polled: it woke itself"), "{live}");
    assert!(!printed(&output).contains("is polled"));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_observers_of_its_own() {
    /// Wants records of its own.
    struct Keeps;
    impl Observer for Keeps {
        fn observe(&self, _: &Record) {
            unreachable!("the executor gives records away");
        }
        fn observe_owned(&self, record: Record) {
            if matches!(record.event, Event::Completed { .. }) {
                println!("it was told of the end");
            }
        }
        fn end(&self) {
            println!("and of the executor's end");
        }
    }
    let executor = Executor::builder().observer(Keeps).build();
    executor.block_on(async {});
    drop(executor);
    let panics =
        |record: &Record| assert!(!matches!(record.event, Event::Waits { .. }), "on purpose");
    let executor = Executor::builder().observer(panics).build();
    let run = std::panic::AssertUnwindSafe(|| executor.block_on(watchglass::yield_now()));
    std::panic::catch_unwind(run).unwrap_err();
}

#[test]
fn a_program_s_own_observer_is_told_as_ever_and_may_panic() {
    let directory = directory("observers");
    let json = directory.join("run.json");
    let watchglass = format!("live,json:{}", json.display());
    let output = run_here("a_program_with_observers_of_its_own", &watchglass);
    assert!(output.status.success(), "{}", complained(&output));
    assert!(printed(&output).contains("it was told of the end\nand of the executor's end\n"));
    let said =
        "watchglass: executor 2  an observer has panicked: what happened after that is not shown\n";
    assert!(
        complained(&output).contains(said),
        "{}",
        complained(&output)
    );
    assert!(complained(&output).contains("#0 is done\n"));
    let second = fs::read_to_string(json.with_file_name("run-2.json")).unwrap();
    assert!(second.contains("\"event\":\"Waits\""), "{second}");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_a_thread_wakes() {
    let (sender, receiver) = async_channel::bounded(1);
    thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(50));
        sender.send_blocking("an answer").unwrap();
    });
    println!("{}", watchglass::block_on(receiver.recv()).unwrap());
}

#[test]
fn the_virtual_clock_that_the_variable_asks_for_has_an_open_world() {
    let output = run_here("a_program_that_a_thread_wakes", "virtual");
    assert!(
        printed(&output).contains("an answer\n"),
        "{}",
        complained(&output)
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_makes_its_own_choices() {
    /// In an open world the executor parks, and then its observer sends what the task waits for.
    fn world(builder: Builder) -> &'static str {
        let (answer, receiver) = unbounded();
        let answers = move |record: &Record| {
            if let Event::Parked { .. } = record.event {
                answer.try_send(()).unwrap();
            }
        };
        let executor = builder.observer(answers).build();
        match executor.try_block_on(receiver.recv()) {
            Ok(_) => "open",
            Err(_) => "closed",
        }
    }
    let open = world(Executor::builder().closed_world(false));
    let closed = world(Executor::builder().virtual_time());
    let recording = Recording::new();
    let builder = Executor::builder().long_poll(Duration::ZERO);
    builder
        .observer(recording.clone())
        .build()
        .block_on(async {});
    let is_long = |event: &Event| matches!(event, Event::LongPoll(_));
    let long_polls = recording
        .events()
        .iter()
        .filter(|event| is_long(event))
        .count();
    println!("{open}, {closed}, {long_polls} long poll");
}

#[test]
fn what_a_program_has_chosen_itself_is_not_overridden() {
    for watchglass in ["", "closed", "virtual", "closed,virtual"] {
        let output = run_here("a_program_that_makes_its_own_choices", watchglass);
        let printed = printed(&output);
        assert!(
            printed.contains("open, closed, 1 long poll\n"),
            "{watchglass}: {printed}"
        );
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_whose_first_executor_is_dropped_last() {
    let first = Executor::new();
    first.block_on(async {});
    watchglass::block_on(async {});
}

#[test]
fn where_there_are_several_executors_each_story_says_whose_it_is() {
    let output = run_here("a_program_whose_first_executor_is_dropped_last", "story");
    let story = printed(&output);
    let heads = story
        .lines()
        .filter(|line| line.ends_with("of this program"));
    let heads: Vec<&str> = heads.collect();
    assert_eq!(
        heads,
        ["executor 2 of this program", "executor 1 of this program"],
        "{story}"
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn executors_that_end_at_once_on_many_threads() {
    const THREADS: usize = 16;
    let (all_are_here, all_are_done) = (Barrier::new(THREADS), Barrier::new(THREADS));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let executor = Executor::new();
                all_are_here.wait();
                executor.block_on(async {});
                all_are_done.wait();
            });
        }
    });
}

#[test]
fn each_story_stands_below_the_words_that_say_whose_it_is_also_if_threads_print_at_once() {
    for _ in 0..10 {
        let output = run_here("executors_that_end_at_once_on_many_threads", "story");
        let story = printed(&output);
        let mut heads = 0;
        for (line, next) in story.lines().zip(story.lines().skip(1)) {
            if line.ends_with("of this program") {
                heads += 1;
                assert!(next.contains("is given to block_on"), "{story}");
            }
        }
        assert_eq!(heads, 16, "{story}");
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_holds_the_thread_for_a_little() {
    watchglass::block_on(async { thread::sleep(Duration::from_millis(20)) });
}

#[test]
fn how_long_a_long_poll_is_may_be_said_without_a_change_to_the_program() {
    let output = run_here(
        "a_program_that_holds_the_thread_for_a_little",
        "story,long:20ms",
    );
    let story = printed(&output);
    assert!(story.contains(" held the thread "), "{story}");
    let alone = run_here("a_program_that_holds_the_thread_for_a_little", "long:20ms");
    let refused = "WATCHGLASS=long:20ms is no view, and tells nobody: add one, as in WATCHGLASS=long:20ms,timeline";
    assert!(
        complained(&alone).contains(refused),
        "{}",
        complained(&alone)
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_prints_the_order_of_its_tasks() {
    for (whose, builder) in [
        ("nobody's", Executor::builder()),
        ("its own", Executor::builder().seed(1)),
    ] {
        let executor = builder.build();
        let mut tasks = JoinSet::new();
        executor.block_on(async {
            (0..20).for_each(|n| _ = tasks.spawn(async move { n }));
            let mut order = Vec::new();
            while let Some(n) = tasks.join_next().await {
                order.push(n.unwrap());
            }
            println!("{whose}: {order:?}");
        });
    }
}

#[test]
fn the_order_may_be_shuffled_without_a_change_to_the_program() {
    let orders = |watchglass| {
        let output = run_here("a_program_that_prints_the_order_of_its_tasks", watchglass);
        let of = |whose: &str| {
            let line = printed(&output)
                .lines()
                .find_map(|line| line.strip_prefix(whose));
            line.unwrap_or_else(|| panic!("{}", complained(&output)))
                .to_owned()
        };
        (of("nobody's: "), of("its own: "))
    };
    let (in_order, own) = orders("");
    assert_eq!(in_order, format!("{:?}", Vec::from_iter(0..20)));
    let (shuffled, own_kept) = orders("seed:7");
    assert_eq!(orders("seed:7").0, shuffled);
    assert_ne!(orders("seed:8").0, shuffled);
    assert_ne!(shuffled, in_order);
    assert_eq!(own_kept, own);
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_runs_in_the_drop_of_a_thread_local() {
    struct AtEnd;
    impl Drop for AtEnd {
        fn drop(&mut self) {
            watchglass::block_on(async { println!("at the end") });
        }
    }
    thread_local! {
        static AT_END: AtEnd = const { AtEnd };
    }
    let ends = thread::spawn(|| {
        AT_END.with(|_| ());
        // What the view leaves in thread-locals is dropped before the other.
        watchglass::block_on(async {});
    });
    ends.join().unwrap();
}

#[test]
fn an_executor_in_the_drop_of_a_thread_local_is_watched_as_any_other() {
    let output = run_here("a_program_that_runs_in_the_drop_of_a_thread_local", "story");
    assert!(output.status.success(), "{}", complained(&output));
    let printed = printed(&output);
    let (first, second) = printed.split_once("executor 2 of this program\n").unwrap();
    assert!(
        first.contains("is done") && !first.contains("executor 1"),
        "{printed}"
    );
    assert!(second.contains("is done"), "{printed}");
}

#[test]
fn a_view_says_in_the_order_of_which_seed_it_was() {
    let one = run("asynchronous", "virtual,seed:7,story", "");
    let first = "in the order of seed 7\n0.000 s ";
    assert!(printed(&one).contains(first), "{}", printed(&one));
    let directory = directory("seed");
    let file = directory.join("story.txt");
    let in_a_file = format!("virtual,seed:7,story:{}", file.display());
    run("asynchronous", &in_a_file, "");
    assert!(fs::read_to_string(file).unwrap().starts_with(first));
    let several = run("two_tasks_four_ways", "virtual,seed:7,story", "");
    let second = "executor 2 of this program, in the order of seed 7\n0.000 s ";
    assert!(printed(&several).contains(second), "{}", printed(&several));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_prints_between_two_calls() {
    let executor = Executor::builder().virtual_time().build();
    drop(executor.spawn(async { panic!("on purpose") }));
    executor.run_until_idle();
    println!("after a panic");
    executor.spawn(async {}).abort();
    executor.run_until_idle();
    println!("after an abort");
    let sleeps = executor.spawn(watchglass::sleep(Duration::from_secs(1)));
    executor.step();
    println!("before time jumps");
    executor.run_until_idle();
    println!("after the last event");
    drop(sleeps);
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_printed_between_two_calls_has_its_time_and_no_task() {
    let output = run_here("a_program_that_prints_between_two_calls", "story");
    let story = printed(&output);
    let told = story.lines().filter(|line| line.contains(" print"));
    let told: Vec<&str> = told.collect();
    let expected = [
        "0.000 s  printed while none of its tasks ran: \"after a panic\"",
        "0.000 s  printed while none of its tasks ran: \"after an abort\"",
        "0.000 s  printed while none of its tasks ran: \"before time jumps\"",
        "1.000 s  printed while none of its tasks ran: \"after the last event\"",
    ];
    assert_eq!(told, expected, "{story}");
}

#[test]
fn a_walk_shows_timers_wakers_that_are_held_and_what_was_printed_in_order() {
    let output = run("one_sleep", "virtual,step", "p sleeper\n\n\nq\n");
    let walk = printed(&output);
    let timer = "  timer 0  wakes sleeper at 1.000 s, in level 4, slot 59 of the wheel\n";
    assert!(walk.contains(timer), "{walk}");
    let output = run(
        "deadlock",
        "step",
        "100\np main\np Ben to Anna\np Ben to Anna\nn\n25\n30\n35\nq\n",
    );
    let walk = printed(&output);
    let held = "Anna to Ben: waiting for a future that is not watchglass's, last seen at examples/deadlock.rs:21:38  \
                `sleep(Duration::from_millis(10)).await;`; 1 clone of its waker is held\n";
    assert!(walk.contains(held), "{walk}");
    let lines = "  printed  Ben to Anna: has locked the account that it takes from\n  \
                 printed  Anna to Ben: waits for the account that it gives to\n";
    assert!(walk.contains(lines), "{walk}");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_clears_the_screen() {
    watchglass::block_on(async { println!("\x1b[2Jhi") });
}

#[test]
#[cfg(target_os = "linux")]
fn a_walk_does_not_pass_on_what_would_clear_the_screen() {
    let walk = here("a_program_that_clears_the_screen", "step");
    let output = fed(walk, "n\n\n\n");
    assert!(
        printed(&output).contains("printed  \\u{1b}[2Jhi"),
        "{}",
        printed(&output)
    );
    // Once, by the program itself.
    assert_eq!(printed(&output).matches('\x1b').count(), 1);
}

#[test]
fn who_reads_no_further_is_not_complained_to() {
    let mut command = example("asynchronous");
    command.env("WATCHGLASS", "virtual,story");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).output().unwrap();
    assert!(
        !complained(&output).contains("cannot be shown"),
        "{}",
        complained(&output)
    );
}

const MARKUP: &str = "</script><script>document.title = 'owned'</script><!--";

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_prints_markup() {
    watchglass::block_on(async { println!("{MARKUP}") });
}

#[test]
fn what_is_printed_cannot_become_markup() {
    let directory = directory("markup");
    let html = directory.join("run.html");
    let watchglass = format!("html:{}", html.display());
    let output = run_here("a_program_that_prints_markup", &watchglass);
    assert!(output.status.success());
    let page = fs::read_to_string(html).unwrap();
    let printed = page
        .lines()
        .filter(|line| line.contains("\"event\":\"Printed\""));
    assert_eq!(printed.count(), 1, "it is in the page");
    for markup in ["<script>document.title", "<!--", "</script><script>d"] {
        assert!(!page.contains(markup), "{markup} is in the page as it is");
    }
}

#[test]
fn what_is_printed_is_passed_on_also_when_nothing_happens_any_more() {
    let directory = directory("forgotten");
    let json = directory.join("run.json");
    let watchglass = format!("json:{}", json.display());
    let output = run_here("a_program_that_forgets_its_executor", &watchglass);
    let printed = printed(&output);
    let last = "printed after the executor's last event";
    assert!(printed.contains(&format!("{last}\n")), "{printed}");
    let json = fs::read_to_string(json).unwrap();
    assert!(json.contains(last), "it is in the view: {json}");
}

/// What such a program prints, which goes on when another thread wakes it: on a busy machine that may be before it parks.
fn said_at_the_park(program: &str) -> Output {
    calm(
        || run_here(program, "story"),
        |output| !complained(output).is_empty(),
    )
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_aborts_the_first_that_is_lost() {
    watchglass::block_on(async {
        let (sender, receiver) = async_channel::bounded::<()>(1);
        let first = watchglass::spawn_named("first", std::future::pending::<()>());
        let place = std::rc::Rc::new(std::cell::RefCell::new(None));
        let its = place.clone();
        let waits = std::future::poll_fn(move |cx| {
            its.replace(Some(cx.waker().clone()));
            std::task::Poll::<()>::Pending
        });
        let _second = watchglass::spawn_named("second", waits);
        watchglass::yield_now().await;
        place.take();
        watchglass::sleep(Duration::from_millis(1)).await;
        first.abort();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            sender.send_blocking(())
        });
        receiver.recv().await.unwrap();
    });
}

#[test]
fn of_several_that_are_lost_the_first_is_told_that_is_not_aborted_and_as_in_the_story() {
    let output = said_at_the_park("a_program_that_aborts_the_first_that_is_lost");
    let said = complained(&output);
    let says = "waits, and whoever had its waker has dropped it: it can never be polled again";
    assert!(
        said.starts_with("watchglass: second, ") && said.contains(says),
        "{said}"
    );
    assert!(printed(&output).contains(says));
    assert_eq!(said.lines().count(), 1);
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_whose_tasks_await_each_other() {
    let (sender, receiver) = async_channel::bounded::<()>(1);
    watchglass::block_on(async {
        let (handle, right) = async_channel::bounded::<watchglass::JoinHandle<()>>(1);
        let left = watchglass::spawn_named("left", async move {
            watchglass::sleep(Duration::from_millis(1)).await;
            right.recv().await.unwrap().await.unwrap();
        });
        let right = watchglass::spawn_named("right", async { left.await.unwrap() });
        handle.send(right).await.unwrap();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            sender.send_blocking(())
        });
        receiver.recv().await.unwrap();
        println!("it goes on");
    });
}

#[test]
fn tasks_that_await_each_other_are_told_when_the_thread_parks_with_where_they_do() {
    let output = said_at_the_park("a_program_whose_tasks_await_each_other");
    let said = complained(&output);
    let says = "watchglass: left → right → left: each awaits the next, and nothing else would wake them: they can \
                never be polled again, unless one is aborted; left, spawned at tests/watchglass_variable.rs:";
    assert!(said.starts_with(says), "{said}");
    for waits in [
        "waits for right to end at tests/",
        "waits for left to end at tests/",
    ] {
        assert!(said.contains(waits), "{said}");
    }
    assert_eq!(said.lines().count(), 1);
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_exits_with_its_input_and_standard_error_locked() {
    let (sender, locked) = mpsc::channel();
    thread::spawn(move || {
        let _locked = std::io::stderr().lock();
        sender.send(()).unwrap();
        thread::park();
    });
    locked.recv().unwrap();
    watchglass::block_on(async {
        let _locked = std::io::stdin().lock();
        process::exit(7);
    });
}

#[test]
fn an_exit_waits_for_no_lock_of_the_program_s() {
    let program = "a_program_that_exits_with_its_input_and_standard_error_locked";
    let mut child = here(program, "story,step");
    child
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let said = complained(&output);
    assert!(
        said.ends_with("step cannot be shown: the program reads standard input itself\n"),
        "{said}"
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_exits_with_a_handle_of_an_executor_that_is_gone() {
    let executor = Executor::new();
    let _handle = executor.spawn(async { 7 });
    executor.run_until_idle();
    drop(executor);
    process::exit(0);
}

#[test]
fn of_an_executor_that_has_ended_an_exit_shows_nothing_again() {
    let program = "a_program_that_exits_with_a_handle_of_an_executor_that_is_gone";
    let output = run_here(program, "story");
    assert_eq!(printed(&output).matches(" is done\n").count(), 1);
    assert_eq!(complained(&output), "");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_an_executor_that_is_dropped_after_all_else() {
    thread_local! {
        static EXECUTOR: OnceCell<Executor> = const { OnceCell::new() };
    }
    let ends = thread::spawn(|| {
        EXECUTOR.with(|executor| {
            let executor = executor.get_or_init(Executor::new);
            drop(executor.spawn_named("left", std::future::pending::<()>()));
            executor.step();
        });
    });
    ends.join().unwrap();
}

#[test]
fn an_executor_that_ends_after_its_views_were_shown_is_not_shown_again() {
    let program = "a_program_with_an_executor_that_is_dropped_after_all_else";
    let output = run_here(program, "story");
    let said = complained(&output);
    let why = "the thread ends before its executor: the views show how far it has come";
    assert_eq!(said, format!("watchglass: {why}\n"));
    let story = printed(&output);
    let returned = "  left returns Pending after ";
    assert_eq!(story.matches(returned).count(), 1, "{story}");
    assert!(!story.contains("left is cancelled"), "{story}");
}

/// Not a test: the program that the tests below run. Each task waits for the other's letter.
#[test]
#[ignore = "run by another test"]
fn a_program_whose_tasks_wait_for_each_other_s_letters() {
    async fn answers(from: Receiver<()>, to: Sender<()>) {
        from.recv().await.unwrap();
        to.send(()).await.unwrap();
    }
    let ((to_b, of_a), (to_a, of_b)) = (unbounded(), unbounded());
    watchglass::block_on(async {
        let [a, b] = [answers(of_b, to_b), answers(of_a, to_a)].map(spawn);
        a.await.unwrap();
        b.await.unwrap();
    });
}

#[test]
fn in_a_closed_world_a_deadlock_ends_in_a_verdict() {
    let program = "a_program_whose_tasks_wait_for_each_other_s_letters";
    for watchglass in ["closed", "closed,virtual,story"] {
        let output = run_here(program, watchglass);
        let complained = complained(&output);
        assert!(
            complained.contains("stalled: no task is ready"),
            "{complained}"
        );
        assert!(
            complained.contains("#2 `answers`, spawned at"),
            "{complained}"
        );
    }
}

/// Not a test: the program that the test below runs. Virtual time stands still while it spins.
#[test]
#[ignore = "run by another test"]
fn a_program_that_spins_for_ever_in_virtual_time() {
    watchglass::block_on(async {
        let sleeps = spawn(watchglass::sleep(Duration::from_millis(1)));
        while !sleeps.is_finished() {
            watchglass::yield_now().await;
        }
    });
}

#[test]
fn who_spins_is_told_at_once_for_the_end_may_never_come() {
    let mut spins = here(
        "a_program_that_spins_for_ever_in_virtual_time",
        "virtual,story",
    );
    let mut child = spins
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = child.stderr.take().unwrap();
    let (send, told) = mpsc::channel();
    thread::spawn(move || {
        let told = BufReader::new(stderr).lines().map(Result::unwrap);
        told.take_while(|line| send.send(line.clone()).is_ok())
            .last()
    });
    let told = loop {
        match told.recv_timeout(Duration::from_secs(60)) {
            Ok(line) if line.contains("woke itself") => break Some(line),
            Ok(_) => {}
            Err(_) => break None,
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let told = told.unwrap();
    assert!(
        told.starts_with("watchglass: ")
            && told.contains(", given to block_on at tests/watchglass_variable.rs:"),
        "{told}"
    );
}

/// Not a test: the program that the test below runs. Two tasks can never be polled again, of which one is aborted.
#[test]
#[ignore = "run by another test"]
fn a_program_that_waits_for_what_never_comes() {
    let (sender, receiver) = unbounded::<()>();
    watchglass::block_on(async {
        let forgets = || std::future::poll_fn(|_| std::task::Poll::<()>::Pending);
        let aborted = watchglass::spawn_named("aborted", forgets());
        watchglass::yield_now().await;
        aborted.abort();
        watchglass::yield_now().await;
        let _waits = watchglass::spawn_named("waits", forgets());
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            sender.send_blocking(())
        });
        receiver.recv().await.unwrap();
        println!("it goes on");
    });
}

#[test]
fn who_can_never_be_polled_again_is_told_when_the_thread_parks_for_the_end_may_never_come() {
    let output = said_at_the_park("a_program_that_waits_for_what_never_comes");
    let said = complained(&output);
    let (begins, ends) = (
        "watchglass: waits, spawned at tests/watchglass_variable.rs:",
        ", returned Pending but nobody holds its waker: it can never be polled again\n",
    );
    assert!(said.starts_with(begins) && said.ends_with(ends), "{said}");
    assert_eq!(said.lines().count(), 1, "the other one was aborted");
}

/// Not a test: the program that the test below runs. Its task forgets its waker where nothing of it is told.
#[test]
#[ignore = "run by another test"]
fn a_program_that_was_seen_in_an_earlier_poll() {
    let wakes_itself_twice_and_forgets = || {
        let mut polls = 0;
        std::future::poll_fn(move |cx| {
            polls += 1;
            if polls < 3 {
                cx.waker().wake_by_ref();
            }
            std::task::Poll::<()>::Pending
        })
    };
    waits_beside(async move {
        watchglass::yield_now().await; // seen here
        wakes_itself_twice_and_forgets().await;
    });
}

/// Not a test: the program that the test below runs. Its task spawns another in its last poll.
#[test]
#[ignore = "run by another test"]
fn a_program_that_was_seen_where_it_spawned() {
    waits_beside(async move {
        watchglass::yield_now().await;
        drop(watchglass::spawn_named("other", async {})); // seen here
        std::future::poll_fn(|_| std::task::Poll::<()>::Pending).await;
    });
}

/// A thread ends the program later.
fn waits_beside(task: impl Future<Output = ()> + 'static) {
    let (sender, receiver) = unbounded::<()>();
    watchglass::block_on(async {
        drop(watchglass::spawn_named("lost", task));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            sender.send_blocking(())
        });
        receiver.recv().await.unwrap();
    });
}

#[test]
fn what_is_said_at_once_of_a_lost_task_is_what_the_story_says() {
    let source = include_str!("watchglass_variable.rs");
    let mut lines = (1..).zip(source.lines());
    let mut seen = || {
        lines
            .find(|(_, line)| line.ends_with("; // seen here"))
            .unwrap()
            .0
    };
    for program in [
        "a_program_that_was_seen_in_an_earlier_poll",
        "a_program_that_was_seen_where_it_spawned",
    ] {
        let output = said_at_the_park(program);
        let said = complained(&output);
        let said = said.trim_end().strip_prefix("watchglass: ").unwrap();
        let seen = format!(" and last seen at tests/watchglass_variable.rs:{}:", seen());
        assert!(said.contains(&seen), "{seen}\n{said}");
        let printed = printed(&output);
        let (_, found) = printed.split_once("\nfound:\n").unwrap();
        assert!(
            found.lines().next().unwrap().ends_with(said),
            "{found}\n{said}"
        );
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_blocks_its_thread() {
    watchglass::block_on(async { thread::sleep(Duration::from_millis(600)) });
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_blocks_its_thread_on_the_virtual_clock() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async { thread::sleep(Duration::from_millis(600)) });
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_an_observer_that_blocks_its_thread() {
    let prints = |record: &Record| println!("{record}");
    let executor = Executor::builder().observer(prints).build();
    executor.block_on(async { thread::sleep(Duration::from_millis(600)) });
}

#[test]
fn a_call_that_blocks_is_told_to_the_program_s_own_observer_too() {
    let program = "a_program_with_an_observer_that_blocks_its_thread";
    let output = run_here(program, "virtual");
    let printed = printed(&output);
    assert!(
        printed.contains("0.000 s  #0 held the thread for "),
        "{printed}"
    );
}

#[test]
fn a_call_that_blocks_is_found_on_the_virtual_clock_too() {
    for (program, watchglass) in [
        ("a_program_that_blocks_its_thread", "virtual,timeline"),
        (
            "a_program_that_blocks_its_thread_on_the_virtual_clock",
            "timeline",
        ),
    ] {
        let output = run_here(program, watchglass);
        let found = format!("\nfound:\n0.000 s  {program} held the thread");
        assert!(printed(&output).contains(&found), "{}", printed(&output));
    }
}

#[test]
fn the_events_of_a_second_executor_say_whose_they_are() {
    // What stands before the time, which is that of a busy machine, where `#0` is given to `block_on`.
    let whose = |output: &Output| -> Vec<String> {
        let lines = complained(output).lines();
        let told = lines.filter_map(|line| line.split_once(" s  #0 `"));
        let whose = told
            .map(|(before, _)| before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'));
        whose.map(str::to_owned).collect()
    };
    let output = run("side_by_side", "live", "");
    assert_eq!(whose(&output), [""], "{}", complained(&output));
    let output = run_here("a_program_of_two_executors", "live");
    assert_eq!(
        whose(&output),
        ["", "executor 2  "],
        "{}",
        complained(&output)
    );
}

/// Not a test: the program that the test above runs.
#[test]
#[ignore = "run by another test"]
fn a_program_of_two_executors() {
    watchglass::block_on(async {});
    watchglass::block_on(async {});
}

#[test]
#[cfg(unix)]
fn what_is_not_utf_8_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let mut command = example("asynchronous");
    command.env("WATCHGLASS", OsStr::from_bytes(b"json:\xff.json"));
    let output = command.output().unwrap();
    assert!(
        complained(&output).contains("is not UTF-8"),
        "{}",
        complained(&output)
    );
}

/// Not a test: the program that the tests below run.
#[test]
#[ignore = "run by another test"]
fn a_program_that_yields_often() {
    watchglass::block_on(async {
        for _ in 0..2500 {
            watchglass::yield_now().await;
        }
    });
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_yields_often_on_its_second_executor() {
    watchglass::block_on(async {});
    watchglass::block_on(async {
        for _ in 0..2500 {
            watchglass::yield_now().await;
        }
    });
}

#[test]
fn that_a_task_spins_is_complained_of_once_and_by_its_executor() {
    for (program, begin) in [
        ("a_program_that_yields_often", "watchglass: a_program"),
        (
            "a_program_that_yields_often_on_its_second_executor",
            "watchglass: executor 2  a_program",
        ),
    ] {
        let output = run_here(program, "virtual,story");
        let complained = complained(&output);
        let is_told = |line: &&str| line.contains(" times in a row only because it woke");
        let told: Vec<&str> = complained.lines().filter(is_told).collect();
        assert!(
            told.len() == 1 && told[0].starts_with(begin),
            "{complained}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn where_nothing_can_be_complained_of_the_program_runs_all_the_same() {
    let directory = directory("full");
    let story = directory.join("run.txt");
    let watchglass = format!("story:{}", story.display());
    let mut command = here("a_program_that_yields_often", &watchglass);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = command.stderr(full).output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    assert!(fs::read_to_string(story).unwrap().contains("2501 polls"));
}

/// Runs a program in a terminal of so many columns.
#[cfg(target_os = "linux")]
const IN_A_TERMINAL: &str = "
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
try:
    while printed := os.read(terminal, 4096):
        os.write(1, printed)
except OSError:
    pass
";

#[test]
#[cfg(target_os = "linux")]
fn a_timeline_fits_the_terminal() {
    for (name, columns, widest) in [
        ("timeout_and_cancel", 200, 84),
        ("timeout_and_cancel", 83, 83),
        ("timeout_and_cancel", 60, 60),
        // Its last time is at the edge, and there it sticks out only where there is room.
        ("asynchronous", 200, 90),
        ("asynchronous", 80, 80),
        ("asynchronous", 72, 72),
    ] {
        let mut python = Command::new("python3");
        python.args(["-c", IN_A_TERMINAL, &columns.to_string()]);
        python.arg(example(name).get_program());
        let Ok(output) = python.env("WATCHGLASS", "virtual,timeline").output() else {
            println!("skipped: there is no python3");
            return;
        };
        let printed = printed(&output);
        let begin = printed.find("  |0.000 s").expect(printed);
        let begin = printed[..begin].rfind('\n').unwrap() + 1;
        let rows = printed[begin..].lines();
        let rows = rows.take_while(|line| !line.trim().is_empty());
        let found = rows.map(|row| row.trim_end().len()).max();
        assert_eq!(found, Some(widest), "{columns} columns:\n{printed}");
        let is_before_its_mark = name == "asynchronous" && columns <= 80;
        assert_eq!(
            printed.contains(" 2.000 s|"),
            is_before_its_mark,
            "{printed}"
        );
    }
}

/// Where the terminal of a program is asked for, a file may be in its place: while another executor is watched.
#[test]
#[cfg(target_os = "linux")]
fn a_timeline_fits_the_terminal_also_while_another_executor_is_watched() {
    let program = here("a_view_while_another_executor_is_watched", "timeline");
    let mut python = Command::new("python3");
    python.args(["-c", IN_A_TERMINAL, "60"]);
    python.arg(program.get_program()).args(program.get_args());
    let Ok(output) = python.env("WATCHGLASS", "virtual,timeline").output() else {
        println!("skipped: there is no python3");
        return;
    };
    let printed = printed(&output);
    let idle = printed.lines().filter(|line| line.starts_with("idle"));
    let idle: Vec<usize> = idle.map(str::len).collect();
    assert!(
        idle.len() == 2 && idle.iter().all(|&columns| columns <= 60),
        "{printed}"
    );
}

/// Not a test: the program that the test above runs.
#[test]
#[ignore = "run by another test"]
fn a_view_while_another_executor_is_watched() {
    let watched = Executor::new();
    let other = Executor::new();
    for executor in [&watched, &other] {
        executor.block_on(watchglass::sleep(Duration::from_millis(1)));
    }
    drop(other);
}

/// The program itself has written to memory, and heard of nothing.
#[test]
#[cfg(target_os = "linux")]
fn that_what_is_printed_is_lost_is_told_once() {
    let directory = directory("lost");
    let story = directory.join("run.txt");
    let mut command = example("asynchronous");
    command.env("WATCHGLASS", format!("story:{}", story.display()));
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    let output = command.stdout(full.unwrap()).output().unwrap();
    let complained = complained(&output);
    let told = "watchglass: what the program prints is lost: No space left on device";
    assert_eq!(complained.matches(told).count(), 1, "{complained}");
    // What it prints when nobody watches any more is its own business again.
    assert!(
        complained.contains("failed printing to stdout"),
        "{complained}"
    );
    let story = fs::read_to_string(story).unwrap();
    assert!(story.contains("Task A done"), "{story}");
}

/// Not a test: the program that the test below runs.
#[test]
#[cfg(target_os = "linux")]
#[ignore = "run by another test"]
fn a_program_that_holds_standard_error_and_loses_what_it_prints() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    rustix::stdio::dup2_stdout(full.unwrap()).unwrap();
    let held = std::io::stderr().lock();
    watchglass::block_on(async {
        println!("lost");
        // Meanwhile another thread passes it on.
        thread::sleep(Duration::from_millis(100));
        watchglass::sleep(Duration::from_millis(1)).await;
    });
    drop(held);
    process::exit(0);
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_holds_standard_error_is_not_waited_for() {
    let directory = directory("held");
    let watchglass = format!("story:{}", directory.join("run.txt").display());
    let mut program = here(
        "a_program_that_holds_standard_error_and_loses_what_it_prints",
        &watchglass,
    );
    let mut program = program.stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    while program.try_wait().unwrap().is_none() {
        if since.elapsed() > Duration::from_secs(60) {
            program.kill().unwrap();
            panic!("it waits for ever");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = program.wait_with_output().unwrap();
    let complained = complained(&output);
    assert!(
        complained.contains("what the program prints is lost"),
        "{complained}"
    );
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_whose_last_line_has_no_end() {
    let executor = Executor::new();
    executor.block_on(async {});
    print!("no end");
}

#[test]
fn the_last_line_is_told_also_if_it_has_no_end() {
    let output = run_here("a_program_whose_last_line_has_no_end", "story");
    let story = printed(&output);
    let told = "printed by now, and the last line has no end: \"no end\"";
    assert!(story.contains(told), "{story}");
    // The view begins a line of its own, and the next one does not.
    assert!(story.contains("no end\n0.000"), "{story}");
    let output = run_here("a_program_whose_last_line_has_no_end", "story,timeline");
    assert!(!printed(&output).contains("no end\n\n"));
    assert!(!printed(&output).contains("\n\n\n"), "{}", printed(&output));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_view_after_another_executor_has_printed_without_a_line_s_end() {
    let (first, second) = (Executor::new(), Executor::new());
    first.block_on(async {});
    second.block_on(async {});
    drop(first);
    let third = Executor::new();
    third.block_on(async {
        print!("loading...");
        std::io::stdout().flush().unwrap();
    });
    drop(second);
}

#[test]
fn a_view_comes_while_another_executor_is_watched_that_has_begun_a_line() {
    let mut program = here(
        "a_view_after_another_executor_has_printed_without_a_line_s_end",
        "story",
    );
    let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
    let ends = Instant::now() + Duration::from_secs(60);
    while program.try_wait().unwrap().is_none() {
        if Instant::now() > ends {
            program.kill().unwrap();
            panic!("it hangs");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    for executor in 1..=3 {
        let story = format!("executor {executor} of this program\n");
        assert!(printed(&output).contains(&story), "{}", printed(&output));
    }
}

/// Runs a program without an end until it has said this, which comes with the log's end.
fn run_until(name: &str, watchglass: &str, said: &str) -> (String, String) {
    let mut child = here(name, watchglass)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines_until = |from: Box<dyn Read + Send>, last: String| {
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(from).lines().map_while(Result::ok);
            lines.for_each(|line| drop(send.send(line)));
        });
        let mut text = String::new();
        while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
            text = text + &line + "\n";
            if line.contains(&last) {
                break;
            }
        }
        text
    };
    let stdout = lines_until(Box::new(child.stdout.take().unwrap()), said.to_owned());
    child.kill().unwrap();
    child.wait().unwrap();
    let stderr = lines_until(Box::new(child.stderr.take().unwrap()), "\0".to_owned());
    (stdout, stderr)
}

const LOG_ENDS: &str =
    "the log ends here, as it was asked for: what happens from now on is in no view";

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_ticks_for_ever() {
    watchglass::block_on(async {
        let mut ticks = watchglass::interval(Duration::from_millis(20));
        for tick in 1.. {
            ticks.tick().await;
            println!("tick {tick}");
        }
    });
}

/// Not a test: the program that the test below runs. Its mutex is locked by itself.
#[test]
#[ignore = "run by another test"]
fn a_program_that_blocks_for_ever() {
    watchglass::block_on(async {
        println!("it blocks");
        let lock = std::sync::Mutex::new(());
        let _first = lock.lock();
        let _second = lock.lock();
    });
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_waits_for_ever() {
    let (_sender, receiver) = unbounded::<()>();
    thread::spawn(|| {
        thread::sleep(Duration::from_millis(100));
        println!("another thread prints");
    });
    let _never = watchglass::block_on(receiver.recv());
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_waits_for_a_closure_for_ever() {
    let parks = || loop {
        thread::park();
    };
    watchglass::block_on(async {
        // Its thread does not hear of it.
        let parked = watchglass::spawn_blocking(parks);
        watchglass::sleep(Duration::from_millis(10)).await;
        parked.abort();
        let (_sender, receiver) = unbounded::<()>();
        let _never = receiver.recv().await;
    });
}

#[test]
fn of_a_program_that_never_ends_the_first_part_is_shown() {
    for (program, shown) in [
        (
            "a_program_that_ticks_for_ever",
            "a_program_that_ticks_for_ever prints \"tick 2\"",
        ),
        (
            "a_program_that_blocks_for_ever",
            "a_program_that_blocks_for_ever prints \"it blocks\"",
        ),
        (
            "a_program_that_blocks_for_ever",
            "a_program_that_blocks_for_ever has held the thread ",
        ),
        ("a_program_that_waits_for_ever", "the thread parks until"),
        (
            "a_program_that_waits_for_a_closure_for_ever",
            "the thread parks until",
        ),
    ] {
        // In 300 ms a busy machine may not come that far.
        let run = || run_until(program, "for:300ms,story", LOG_ENDS);
        let (story, said) = calm(run, |(story, _)| story.contains(shown));
        let last = story.lines().last().unwrap();
        let (time, _) = last.split_once(" s  ").unwrap();
        assert!(time.parse::<f64>().unwrap() >= 0.3, "{story}");
        // Something was printed since, and that is no end of the park.
        let since = last.split_once("the thread has been parked since ");
        let since = since.and_then(|(_, since)| since.split_once(" s, and neither a timer"));
        let is_before = since.map(|(since, _)| since.parse::<f64>().unwrap() < 0.3);
        let waits = program == "a_program_that_waits_for_ever";
        assert_eq!(is_before, waits.then_some(true), "{story}");
        assert_eq!(said, "");
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_whose_closure_waits_for_a_sleep() {
    let executor = watchglass::Executor::builder().virtual_time().build();
    let (sender, receiver) = mpsc::channel();
    executor.block_on(async move {
        watchglass::sleep(Duration::from_millis(20)).await;
        let aborted = watchglass::spawn_blocking_named("aborted", || ());
        aborted.abort();
        aborted.await.unwrap_err();
        // By now its thread has come to its end, too: for that, virtual time stands still.
        watchglass::sleep(Duration::from_millis(20)).await;
        let receives = watchglass::spawn_blocking_named("receives", move || receiver.recv());
        watchglass::sleep(Duration::from_millis(20)).await;
        sender.send(()).unwrap();
        receives.await.unwrap().unwrap();
    });
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_too_few_threads() {
    let executor = watchglass::Executor::builder().blocking_threads(1).build();
    let (sender, receiver) = mpsc::channel::<()>();
    let receives = executor.spawn_blocking_named("receives", move || receiver.recv());
    let sends = executor.spawn_blocking_named("sends", move || drop(sender));
    executor.block_on(async {
        _ = receives.await;
        _ = sends.await;
    });
}

#[test]
fn the_closures_that_it_waits_for_are_told_where_the_log_ends() {
    let ends = |program| {
        let run = || run_until(program, "for:300ms,story", LOG_ENDS);
        // In 300 ms a busy machine may not come that far.
        let (story, _) = calm(run, |(story, _)| {
            let mut lines = story.lines().rev().skip(1);
            let parks =
                |line: &str| line.ends_with("nothing is ready: the thread parks until it is woken");
            lines.next().is_some_and(parks)
        });
        story.lines().last().unwrap().to_owned()
    };
    let last = ends("a_program_whose_closure_waits_for_a_sleep");
    let says =
        "; virtual time stands still at 0.040 s, and so no timer fires, until receives, handed";
    assert!(last.contains(says), "{last}");
    let last = ends("a_program_with_too_few_threads");
    let says = "and no timer is armed: so it waits for receives and sends, handed to the thread pool and not come back";
    assert!(last.contains(says), "{last}");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_ticks_now_and_then() {
    watchglass::block_on(async {
        for tick in 1.. {
            watchglass::sleep(Duration::from_secs(1000)).await;
            println!("tick {tick}");
        }
    });
}

#[test]
fn on_the_virtual_clock_the_first_part_is_the_same_each_time() {
    let program = "a_program_that_ticks_now_and_then";
    let (story, _) = run_until(program, "virtual,for:3000s,story", LOG_ENDS);
    let last: Vec<_> = story.lines().rev().take(2).collect();
    assert_eq!(last[0], format!("3000.000 s  {LOG_ENDS}"));
    let parks = "3000.000 s  a_program_that_ticks_now_and_then returns Pending: the thread is free";
    assert_eq!(last[1], parks);
    assert!(
        story.contains("3000.000 s  a_program_that_ticks_now_and_then prints \"tick 3\""),
        "{story}"
    );
    // There virtual time stands still, and so that of the operating system counts.
    let program = "a_program_that_spins_for_ever_in_virtual_time";
    let (story, _) = run_until(program, "virtual,for:300ms,story", LOG_ENDS);
    let last = story.lines().last().unwrap();
    assert_eq!(last, format!("0.000 s  {LOG_ENDS}"));
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_in_which_a_poll_never_ends() {
    let naps = |ms| watchglass::sleep(Duration::from_millis(ms));
    watchglass::block_on(async {
        let _later = watchglass::spawn_named("later", naps(1000));
        let blocks = watchglass::spawn_named("blocks", async move {
            naps(20).await;
            loop {
                thread::park();
            }
        });
        let _ready = watchglass::spawn_named("ready", async move { naps(20).await });
        blocks.await.unwrap();
    });
}

#[test]
fn of_a_poll_that_never_ends_it_is_told_since_where_and_whom_it_delays() {
    let program = "a_program_in_which_a_poll_never_ends";
    let (timeline, _) = run_until(program, "for:1500ms,timeline", LOG_ENDS);
    let is_found = |line: &&str| line.contains("  blocks has held the thread ");
    let found = timeline.lines().find(is_found).expect(&timeline);
    assert!(
        found.contains(" and still does, from the await at tests/watchglass_variable.rs:")
            && found.contains(" on; it delays later and ready; "),
        "{found}"
    );
    let later = timeline.lines().find(|line| line.starts_with("later "));
    assert!(later.unwrap().contains("++ since 1.00"), "{timeline}");
}

/// Not a test: the program that the test below runs. A thread holds standard output, and waits for a task meanwhile.
#[test]
#[ignore = "run by another test"]
fn a_program_of_which_a_thread_holds_standard_output() {
    // Made first: that takes standard output for a moment.
    let executor = Executor::new();
    let (ask, asked) = unbounded();
    let (reply, replied) = unbounded();
    let asks = thread::spawn(move || {
        let mut out = std::io::stdout().lock();
        ask.send_blocking(()).unwrap();
        writeln!(out, "the answer is {}", replied.recv_blocking().unwrap()).unwrap();
    });
    executor.block_on(async {
        asked.recv().await.unwrap();
        for _ in 0..20 {
            watchglass::sleep(Duration::from_millis(10)).await;
        }
        reply.send(42).await.unwrap();
    });
    asks.join().unwrap();
}

#[test]
fn the_executor_goes_on_where_a_view_waits_for_standard_output() {
    let program = "a_program_of_which_a_thread_holds_standard_output";
    for watchglass in ["for:50ms,story", "virtual,for:50ms,story"] {
        let (printed, _) = run_until(program, watchglass, LOG_ENDS);
        let (_, story) = printed.split_once("the answer is 42\n").expect(&printed);
        assert!(story.contains(LOG_ENDS), "{story}");
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_whose_observer_panics_before_a_long_sleep() {
    // Without a message: with a backtrace, that takes its time, in which the thread is held.
    let panics = |record: &Record| {
        if let Event::PollStarted { .. } = record.event {
            std::panic::resume_unwind(Box::new(()));
        }
    };
    let executor = Executor::builder().observer(panics).build();
    let run = std::panic::AssertUnwindSafe(|| executor.block_on(async {}));
    std::panic::catch_unwind(run).unwrap_err();
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn nobody_is_said_to_hold_the_thread_once_an_observer_has_panicked() {
    let program = "a_program_whose_observer_panics_before_a_long_sleep";
    let run = || run_until(program, "for:200ms,story", LOG_ENDS);
    let (story, _) = calm(run, |(story, _)| !story.contains("held the thread"));
    assert!(story.contains(LOG_ENDS), "{story}");
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_with_an_executor_that_does_nothing() {
    drop(Executor::new());
}

#[test]
fn of_an_executor_that_did_nothing_there_is_nothing_to_show() {
    let program = "a_program_with_an_executor_that_does_nothing";
    let output = run_here(program, "story,timeline");
    let said = "watchglass: nothing has happened on it: there is nothing to show\n";
    assert_eq!(complained(&output), said);
    assert!(!printed(&output).contains("0 tasks"));
}

/// Not a test: the program that the test below runs. It holds standard output locked all the time.
#[test]
#[ignore = "run by another test"]
fn a_program_that_goes_on_after_its_first_part() {
    let seen = Rc::new(Cell::new(0));
    let sees = seen.clone();
    let executor = Executor::builder()
        .observer(move |_: &Record| sees.set(sees.get() + 1))
        .build();
    let mut out = std::io::stdout().lock();
    executor.block_on(async {
        let run = std::env::var_os("RUN").map(PathBuf::from);
        let begin = Instant::now();
        while run.as_ref().is_some_and(|run| !run.exists()) {
            assert!(begin.elapsed() < Duration::from_secs(60));
            watchglass::sleep(Duration::from_millis(20)).await;
        }
        // Its file is there, and may not be whole yet.
        watchglass::sleep(Duration::from_millis(300)).await;
        let before = seen.get();
        watchglass::yield_now().await;
        assert!(seen.get() > before, "it is told as ever");
        writeln!(out, "it goes on").unwrap();
    });
}

#[test]
fn after_its_first_part_a_program_goes_on_and_is_not_shown_again() {
    let directory = directory("for");
    let file = directory.join("run.txt");
    let watchglass = format!("for:50ms,story,story:{}", file.display());
    let mut program = here("a_program_that_goes_on_after_its_first_part", &watchglass);
    let output = program.env("RUN", &file).output().unwrap();
    let (printed, said) = (printed(&output), complained(&output));
    assert_eq!(said.matches("run.txt is written").count(), 1, "{said}");
    assert!(output.status.success(), "{said}");
    let story = fs::read_to_string(&file).unwrap();
    assert!(story.contains(LOG_ENDS) && !story.contains("it goes on"));
    // Nobody could print it before the program let go of standard output.
    let (before, after) = printed.split_once("it goes on\n").unwrap();
    assert!(!before.contains(LOG_ENDS), "{printed}");
    assert!(after.contains(&story), "{printed}");
    assert_eq!(after.matches(" (poll 1)").count(), 1, "{printed}");
}

#[test]
fn a_program_that_ends_before_that_is_shown_as_a_whole_and_at_once() {
    // The last line says how long it took.
    let story = |watchglass| {
        let output = run("asynchronous", watchglass, "");
        let (story, _) = printed(&output).split_once("Total: ").unwrap();
        story.to_owned()
    };
    let begin = Instant::now();
    assert_eq!(story("virtual,story,for:3600s"), story("virtual,story"));
    assert!(begin.elapsed() < Duration::from_secs(600));
}

#[test]
fn how_long_a_log_is_where_there_is_none_is_refused() {
    for watchglass in ["for:5s", "for:5s,live"] {
        let output = run("asynchronous", watchglass, "");
        assert!(!output.status.success());
        let refused = format!(
            "WATCHGLASS={watchglass} asks for no view: add one, as in WATCHGLASS={watchglass},timeline"
        );
        assert!(complained(&output).contains(&refused));
    }
}
