//! The system's allocator, asked to keep what memory it has got.
//!
//! Left to itself, glibc's gives the top of its heap back to the system when enough of it is free, and large blocks at
//! once. Then the system has to give it again, page by page, which takes as long as several tasks do. Which runtime pays
//! for that depends on what happens to lie at the top when its round ends: a block of another one, or the length of
//! this program's path. So a comparison is made by a process of its own that is told to keep it.

use std::env;
use std::process::{Command, ExitCode};

const VARIABLE: &str = "GLIBC_TUNABLES";

/// Nothing is given back below 4 GiB, and blocks of up to 32 MiB, the most that can be asked for, are of the heap.
const KEPT: &str = "glibc.malloc.trim_threshold=4294967296:glibc.malloc.mmap_threshold=33554432";

/// How the allocator is set: for the report.
pub fn setting() -> String {
    match tunables() {
        _ if cfg!(feature = "mimalloc") => "mimalloc".to_string(),
        tunables if tunables.contains(KEPT) => "the system's, which keeps its memory".to_string(),
        tunables if tunables.is_empty() => "the system's".to_string(),
        tunables => format!("the system's, {tunables}"),
    }
}

/// Runs this program again with an allocator that keeps its memory; or not, if this is that process, if there is
/// another allocator, or if whoever called has set something for it.
pub fn run_keeping_memory() -> Option<ExitCode> {
    let before = tunables();
    if cfg!(not(target_env = "gnu"))
        || cfg!(feature = "mimalloc")
        || before.contains("glibc.malloc")
    {
        return None;
    }
    let separator = if before.is_empty() { "" } else { ":" };
    let program = env::current_exe().expect("this program knows its own path");
    let status = Command::new(program)
        .args(env::args_os().skip(1))
        .env(VARIABLE, format!("{before}{separator}{KEPT}"))
        .status()
        .expect("this program can be started again");
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Some(ExitCode::from(code.unwrap_or(1)))
}

/// Has a process that measures memory started as the system would: with large blocks out of the heap, what is
/// outgrown would stay and be used for something else.
pub fn as_the_system_has_it(command: &mut Command) -> &mut Command {
    match tunables().strip_suffix(KEPT) {
        Some(before) => command.env(VARIABLE, before.trim_end_matches(':')),
        None => command,
    }
}

fn tunables() -> String {
    env::var(VARIABLE).unwrap_or_default()
}
