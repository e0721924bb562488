//! The system's allocator, asked to keep what memory it has got.
//!
//! Left to itself, glibc's gives the top of its heap back to the system when enough of it is free, and large blocks at
//! once. Then the system has to give it again, page by page, which takes as long as several tasks do. Which runtime pays
//! for that depends on what happens to lie at the top when its round ends: a block of another one, or the length of
//! this program's path. So a comparison is made by a process that was told to keep it from its start.

use std::env;
use std::process::Command;

const VARIABLE: &str = "GLIBC_TUNABLES";

/// Nothing is given back below 4 GiB, and blocks of up to 32 MiB, the most that can be asked for, are of the heap.
const KEPT: &str = "glibc.malloc.trim_threshold=4294967296:glibc.malloc.mmap_threshold=33554432";

/// How the allocator is set: for the report.
pub fn setting() -> String {
    let name = match cfg!(feature = "mimalloc") {
        true => "mimalloc",
        false => "the system's",
    };
    let set = tunables().replace(KEPT, "keeps its memory");
    match set.is_empty() {
        true => name.to_string(),
        false => format!("{name} ({})", set.replace(':', ", ")),
    }
}

/// Begins this program anew with an allocator that keeps its memory, if this is not that program, and if whoever called
/// has set nothing for it.
#[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc")))]
pub fn keep_memory() {
    use std::os::unix::process::CommandExt;

    let before = tunables();
    if before.contains("glibc.malloc") {
        return;
    }
    let separator = if before.is_empty() { "" } else { ":" };
    let program = env::current_exe().expect("this program knows its own path");
    let mut again = Command::new(program);
    again.args(env::args_os().skip(1));
    again.env(VARIABLE, format!("{before}{separator}{KEPT}"));
    panic!("this program cannot be started again: {}", again.exec());
}

/// There is nothing to ask of another allocator.
#[cfg(not(all(target_os = "linux", target_env = "gnu", not(feature = "mimalloc"))))]
pub fn keep_memory() {}

/// Has a process that measures memory start as the system would have it: were large blocks taken from the heap, what is
/// outgrown would stay there, and be used for something else.
pub fn as_the_system_has_it(command: &mut Command) -> &mut Command {
    match tunables().strip_suffix(KEPT) {
        Some(before) => command.env(VARIABLE, before.trim_end_matches(':')),
        None => command,
    }
}

fn tunables() -> String {
    env::var(VARIABLE).unwrap_or_default()
}
