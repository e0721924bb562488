//! The pictures in the chapters come from runs of their listings, and the API docs show the same.
//!
//! A picture lies beside the listing that draws it: `NAME.svg` beside `NAME.rs`, and `NAME-2.svg` is
//! that of its second executor. `BLESS=1 cargo test --test chapter_pictures` draws all of them
//! anew; a new one begins as an empty file. Like those of the examples (tests/pictures.rs), they come
//! from the virtual clock, where every run is the same.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

mod chapter;
mod example;

use chapter::{blessing, chapters, files_under, labels, read, relative, root};
use example::example;

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

#[test]
fn every_picture_of_a_listing_is_that_of_a_fresh_run() {
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("chapter_pictures");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).unwrap();
    let mut pictures = files_under("docs/listings");
    pictures.retain(|path| has_ending(path, "svg"));
    assert!(!pictures.is_empty());
    for kept in pictures {
        let stem = kept.file_stem().unwrap().to_str().unwrap();
        let name = stem.split('-').next().unwrap();
        let drawn = fresh.join(kept.file_name().unwrap());
        if !drawn.exists() {
            let view = fresh.join(format!("{name}.svg"));
            let mut command = example(name);
            command.env(
                "WATCHGLASS",
                format!("virtual,long:1000s,svg:{}", view.display()),
            );
            assert!(command.output().unwrap().status.success(), "{name} failed");
        }
        let drawn = read(&drawn);
        if blessing() {
            fs::write(&kept, &drawn).unwrap();
        }
        assert!(
            read(&kept) == drawn,
            "{} is not what {name} draws now; look at the difference after \
             `BLESS=1 cargo test --test chapter_pictures`",
            relative(&kept)
        );
    }
    write_or_compare_those_of_the_api_docs();
}

/// An API page cannot refer to a file of the repository, so it has the pictures in itself: there,
/// each label means the whole picture, as a `data:` address.
fn write_or_compare_those_of_the_api_docs() {
    let mut wanted = String::new();
    for page in chapters() {
        for (label, target) in labels(&read(&page)) {
            let line = format!("[{label}]: ");
            if label.ends_with(".svg") && !wanted.contains(&line) {
                let picture = read(&root().join("docs").join(target));
                let _ = writeln!(wanted, "{line}{}", data_address(&picture));
            }
        }
    }
    let file = root().join("src/book_pictures.md");
    if blessing() {
        fs::write(&file, &wanted).unwrap();
    }
    assert!(
        read(&file) == wanted,
        "{} does not hold the pictures of the chapters: \
         `BLESS=1 cargo test --test chapter_pictures`",
        relative(&file)
    );
}

fn data_address(svg: &str) -> String {
    let mut address = "data:image/svg+xml;charset=utf-8,".to_string();
    for byte in svg.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b',' | b':' | b'/' | b'=' => {
                address.push(char::from(byte));
            }
            _ => {
                let _ = write!(address, "%{byte:02X}");
            }
        }
    }
    address
}

/// In chapter 6 no executor runs: it is about places in memory. Chapter 13 shows gdb's pictures.
#[test]
fn every_chapter_in_which_an_executor_runs_has_a_picture_of_a_run() {
    for page in chapters() {
        let name = page.file_name().unwrap().to_str().unwrap();
        let number = name.split('-').next().unwrap();
        let is_chapter = number.parse::<u32>().is_ok();
        if is_chapter && number != "06" && number != "13" {
            let shows_one = read(&page).contains(".svg]\n");
            assert!(shows_one, "{name} has no picture");
        }
    }
}

#[test]
fn every_picture_says_in_words_what_it_shows() {
    for page in chapters() {
        for picture in read(&page).split("![").skip(1) {
            // `![words][label]` or `![words](address)`, and not `#![deny(..)]`.
            let (words, target) = picture.split_once(']').unwrap_or_default();
            if !target.starts_with(['[', '(']) {
                continue;
            }
            let count = words.split_whitespace().count();
            assert!(count > 8, "{}: ![{words}]", relative(&page));
        }
    }
}
