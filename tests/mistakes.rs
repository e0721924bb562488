//! Each program of `docs/mistakes.md` does what the page says of it: rustc refuses it, or it panics or prints, in these
//! words.
//!
//! - `<!-- says -->` above a block: each of its lines is in what rustc says of the program before it, or, if that
//!   compiles, in what it says when it panics.
//! - `<!-- prints -->`: this is all that it prints.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

mod chapter;

use chapter::{Page, root};

/// The compiler whose words the page has.
const VERSION: &str = "rustc 1.95.";

#[test]
fn each_mistake_is_told_in_the_words_of_the_page() {
    let version = Command::new("rustc").arg("--version").output();
    let version = String::from_utf8(version.expect("rustc runs").stdout).expect("text");
    if !version.starts_with(VERSION) {
        println!("skipped: the page is for {VERSION}, this is {version}");
        return;
    }
    let folder = env::temp_dir().join(format!("watchglass-mistakes-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder for the programs");
    let page = root().join("docs/mistakes.md");
    let mut program = None;
    let mut told = 0;
    for block in Page::read(&page).blocks() {
        if block.language.starts_with("rust") {
            program = Some(block);
            continue;
        }
        let program = program.take().expect("a program before what it says");
        let place = program.place(&page);
        let (said, printed) = run(&program.text, &folder);
        match block.note.as_str() {
            "says" => {
                for line in block.text.lines() {
                    assert!(
                        said.contains(line),
                        "{place} does not say\n{line}\nbut\n{said}"
                    );
                }
            }
            "prints" => assert_eq!(printed, block.text, "{place}"),
            other => panic!("{}: what is `{other}`?", block.place(&page)),
        }
        told += 1;
    }
    assert!(told >= 10, "the page has its programs");
    fs::remove_dir_all(&folder).expect("it is there");
}

/// What rustc says of it, and, if it compiles, what it says and prints itself.
fn run(program: &str, folder: &Path) -> (String, String) {
    fs::write(folder.join("program.rs"), program).expect("it can be written");
    let compiled = Command::new("rustc")
        .args(["--edition", "2024", "program.rs"])
        .arg(format!("--extern=watchglass={}", library().display()))
        .arg(format!("-Ldependency={}", libraries().display()))
        .current_dir(folder)
        .output()
        .expect("rustc runs");
    let mut said = String::from_utf8_lossy(&compiled.stderr).into_owned();
    if !compiled.status.success() {
        return (said, String::new());
    }
    let mut program = Command::new(folder.join("program"));
    let ran = program.env_remove("WATCHGLASS").output().expect("it runs");
    said += &String::from_utf8_lossy(&ran.stderr);
    (said, String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// Where cargo has put the libraries, and this test.
fn libraries() -> PathBuf {
    let test = env::current_exe().expect("this test is a file");
    test.parent().expect("it is in a folder").to_owned()
}

/// The library as cargo has built it last.
fn library() -> PathBuf {
    let files = fs::read_dir(libraries()).expect("it is there");
    let files = files.map(|file| file.expect("readable").path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libwatchglass-") && name.ends_with(".rlib")
    };
    let built = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    files
        .filter(is_ours)
        .max_by_key(built)
        .expect("cargo has built it")
}
