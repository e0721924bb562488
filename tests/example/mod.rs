//! The examples as cargo has built them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The command that runs an example: the binary that lies beside the running test's own.
pub(crate) fn example(name: &str) -> Command {
    let test = env::current_exe().unwrap();
    // target/debug/deps/examples-0123456789abcdef
    let profile = test.parent().and_then(Path::parent).unwrap();
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let binary = profile.join("examples").join(file);
    assert!(
        binary.exists(),
        "there is no {}: `cargo test` builds the examples, `cargo test --test ...` does not; run \
         `cargo build --examples` first",
        binary.display()
    );
    if let Some(newer) = newer_source(&binary) {
        panic!(
            "{} is newer than {}: run `cargo build --examples` first",
            newer.display(),
            binary.display()
        );
    }
    let mut command = Command::new(binary);
    command.env_remove("WATCHGLASS");
    command
}

/// A file that the binary was built from, and that has changed since.
fn newer_source(binary: &Path) -> Option<PathBuf> {
    let modified = |file: &Path| fs::metadata(file)?.modified();
    let built = modified(binary).ok()?;
    // As cargo writes it: the binary, a colon, and all files, with a backslash before a blank.
    let list = fs::read_to_string(binary.with_extension("d")).ok()?;
    let (_, files) = list.split_once(": ")?;
    let files = files.replace("\\ ", "\0");
    let mut files = files.split_whitespace();
    files.find_map(|file| {
        let file = PathBuf::from(file.replace('\0', " "));
        let changed = modified(&file).ok()?;
        (changed > built).then_some(file)
    })
}
