//! How a place, a time, a circle of tasks and somebody else's text are written, in every sentence and view.

use std::fmt::{self, Write};
use std::panic::Location;
use std::path::Path;
use std::time::Duration;

use crate::task::TaskId;

/// The place, if it is in the program's own code.
///
/// A leaf is told who polls it. That is the `.await`, unless code stands in between which does not
/// pass the place on: the standard library's, for a future behind a reference or in a box, that of another
/// crate's combinator, or our own, for a future that is the whole task. Such a place says nothing to whoever
/// wrote the program.
pub(crate) fn in_program(at: &'static Location<'static>) -> Option<&'static Location<'static>> {
    is_in_program(at.file()).then_some(at)
}

fn is_in_program(file: &str) -> bool {
    // The compiler gives the standard library's files this path, or that of their installed source.
    let path = file.replace('\\', "/");
    let is_std = path.starts_with("/rustc/") || path.contains("/lib/rustlib/src/");
    let is_fetched = ["/registry/src/", "/git/checkouts/"]
        .iter()
        .any(|folder| is_in_folder_of_cargo(&path, folder));
    let our_folder = Path::new(file!()).ancestors().nth(2);
    let is_ours = our_folder.is_some_and(|src| Path::new(file).starts_with(src));
    !(is_std || is_fetched || is_ours)
}

/// True for a file below `FOLDER/NAME-HASH/`: there lie the packages that Cargo has fetched.
fn is_in_folder_of_cargo(path: &str, folder: &str) -> bool {
    let below = path.split_once(folder).map(|(_, below)| below);
    let hash = below.and_then(|below| below.split('/').next()?.rsplit_once('-'));
    hash.is_some_and(|(_, hash)| hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()))
}

/// ` at FILE:LINE:COLUMN`, or nothing if the place is not in the program's own code.
pub(crate) struct At(pub(crate) &'static Location<'static>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        in_program(self.0).map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}

/// Text that stays on its line: what would begin another, or move a terminal's cursor, is shown as it is
/// written in a program.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            control if control.is_control() => write!(f, "{}", control.escape_default()),
            // They turn what follows round, or end the line, or cannot be seen.
            '\u{00AD}'
            | '\u{061C}'
            | '\u{200B}'
            | '\u{FEFF}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}' => {
                write!(f, "{}", letter.escape_default())
            }
            letter => f.write_char(letter),
        })
    }
}

/// In a sentence so many tasks are named, or things that one waits for. Of more it says how many there are.
pub(crate) const NAMED: usize = 20;

/// Those that are named, and how many there are besides.
pub(crate) fn named<T>(all: &[T]) -> (&[T], usize) {
    let (named, others) = all.split_at(all.len().min(NAMED));
    (named, others.len())
}

/// Of these tasks those that are named, by their slots, each once, and how many there are besides.
pub(crate) fn first_named(mut tasks: Vec<TaskId>) -> (Vec<TaskId>, usize) {
    tasks.sort_unstable();
    tasks.dedup();
    let others = tasks.len().saturating_sub(NAMED);
    tasks.truncate(NAMED);
    (tasks, others)
}

/// Tasks that wait for each other: `#1 → #2 → #1`.
pub(crate) fn in_circle(tasks: &[TaskId], name: impl Fn(TaskId) -> String) -> String {
    let (named, others) = named(tasks);
    let mut names: Vec<String> = named.iter().map(|&task| name(task)).collect();
    let back_to = names[0].clone();
    if others > 0 {
        names.push(format!("{others} more"));
    }
    names.push(back_to);
    names.join(" → ")
}

/// What is wrong with such tasks.
pub(crate) fn deadlock(circle: &[TaskId], name: impl Fn(TaskId) -> String) -> String {
    format!(
        "{}: each awaits the next, and nothing else would wake them: they can never be polled again, unless one is \
         aborted",
        in_circle(circle, name)
    )
}

/// A time as `1.500 s`, cut off after so many digits.
#[derive(Clone, Copy)]
pub(crate) struct Seconds {
    time: Duration,
    digits: usize,
}

impl Seconds {
    pub(crate) fn with_digits(time: Duration, digits: usize) -> Self {
        Seconds { time, digits }
    }

    /// On the real clock the last digits say nothing, and a record does not know its clock.
    pub(crate) fn to_the_millisecond(time: Duration) -> Self {
        Seconds::with_digits(time, 3)
    }

    /// For a time of the virtual clock.
    pub(crate) fn exact(time: Duration) -> Self {
        Seconds::with_digits(time, Seconds::digits_of(time))
    }

    /// How many digits a time needs behind the point: whole milliseconds three, and so on.
    pub(crate) fn digits_of(time: Duration) -> usize {
        match time.subsec_nanos() {
            ns if ns % 1_000_000 == 0 => 3,
            ns if ns % 1_000 == 0 => 6,
            _ => 9,
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seconds { time, digits } = *self;
        let fraction = time.subsec_nanos() / 10_u32.pow(9 - digits as u32);
        write!(f, "{}.{fraction:0digits$} s", time.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_somebody_else_s_is_not_the_program_s() {
        let ours = file!();
        for (file, is_ours) in [
            ("app/main.rs", true),
            ("examples/../examples/deadlock.rs", true),
            ("/home/me/registry/app/src/main.rs", true),
            ("/home/me/app/crates/registry/src/lib.rs", true),
            ("/home/me/app/crates/registry/src/a-b/lib.rs", true),
            (ours, false),
            ("/rustc/59807616/library/core/src/option.rs", false),
            (
                "/opt/rust/lib/rustlib/src/rust/library/core/src/option.rs",
                false,
            ),
            (
                "/home/me/.cargo/registry/src/index-1949cf8c6b5b557f/futures-util-0.3.34/src/fuse.rs",
                false,
            ),
            (
                "/home/me/.cargo/git/checkouts/futures-1949cf8c6b5b557f/1/src/fuse.rs",
                false,
            ),
            (
                r"C:\Users\me\.cargo\registry\src\index-1949cf8c6b5b557f\futures-util-0.3.34\src\fuse.rs",
                false,
            ),
        ] {
            assert_eq!(is_in_program(file), is_ours, "{file}");
        }
    }
}
