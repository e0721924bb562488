//! The examples as cargo has built them.

use std::env;
use std::path::Path;
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
    Command::new(binary)
}
