//! What the program prints, caught without changing the program.
//!
//! The process's standard output is exchanged for a file in memory, which never fills up. What is new
//! in the file is passed on to the real standard output, at each event and every few milliseconds,
//! and becomes an event of its own: so a printed line stands among the polls where it belongs.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{FallocateFlags, MemfdFlags, OFlags, fallocate, fcntl_setfl, memfd_create};
use rustix::io::{fcntl_dupfd_cloexec, write};
use rustix::stdio::{dup2_stdout, stderr, stdout};
use rustix::termios::tcgetwinsize;

/// A process has one standard output, so only one executor at a time can watch it.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// From the first executor on, for the rest of the process: a child process may have the file for its standard
/// output, and go on to write to it.
static CAUGHT: Mutex<Option<Caught>> = Mutex::new(None);

/// Output comes no later than this, also while nothing happens: during a long poll, or once the
/// program has forgotten its executor. What is printed and then cut off within this time is lost, but
/// for what [`AtExit`] passes on.
const PASSED_ON_EVERY: Duration = Duration::from_millis(10);

/// So much that was passed on is kept at most, before its memory is given back.
const KEPT: u64 = 1 << 20;

thread_local! {
    static AT_EXIT: AtExit = const { AtExit };
}

/// When the thread that made the executor ends, or exits, what was printed last is passed on, also while that executor
/// lives. (A thread that is cut off by the end of `main` has no such end.)
struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        let _ = io::stdout().flush();
        if let Some(caught) = &mut *lock() {
            caught.pass_on();
        }
    }
}

/// While it lives, standard output is watched.
pub(crate) struct Printed(());

/// Writes to the real standard output, past whoever watches it: a view is nothing that the program prints.
pub(crate) struct Past;

struct Caught {
    real: File,
    file: File,
    /// How much of `file` has been passed on.
    passed_on: u64,
    /// How much of that takes no memory any more.
    given_back: u64,
    /// What has been passed on while somebody watched, and was not taken yet.
    untold: Vec<u8>,
    /// True if what was passed on last does not end a line.
    is_within_line: bool,
    /// True once it was said that something could not be passed on.
    has_told_loss: bool,
}

impl Printed {
    /// Begins to watch. `None` if somebody watches already.
    ///
    /// # Errors
    ///
    /// What the operating system says, if standard output is closed, or there is no memory file or no thread.
    pub(crate) fn watch() -> io::Result<Option<Self>> {
        if WATCHED.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        // Within the drop of another thread-local it may be gone: then the executor's own drop has to do.
        let _ = AT_EXIT.try_with(|_| ());
        let begun = begin();
        if begun.is_err() {
            WATCHED.store(false, Ordering::Release);
        }
        begun.map(|()| Some(Printed(())))
    }

    /// What was printed since the last call. It has been passed on.
    pub(crate) fn take(&mut self) -> Option<String> {
        let mut caught = lock();
        let caught = caught.as_mut()?;
        caught.pass_on();
        let whole = caught.untold.len() - begun_letter(&caught.untold);
        let begun = caught.untold.split_off(whole);
        let told = mem::replace(&mut caught.untold, begun);
        match told.is_empty() {
            true => None,
            false => Some(String::from_utf8_lossy(&told).into_owned()),
        }
    }
}

/// Past the standard library's lock. Nobody may be there to read it.
pub(crate) fn write_to_stderr(line: &[u8]) {
    let _ = write(stderr(), line);
}

/// How many bytes at the end are the beginning of a letter, of which the rest is still to come.
fn begun_letter(text: &[u8]) -> usize {
    let last = text.utf8_chunks().last();
    let begun = last.map_or(&[][..], |chunk| chunk.invalid());
    match str::from_utf8(begun) {
        Err(error) if error.error_len().is_none() => begun.len(),
        _ => 0,
    }
}

impl Past {
    /// How wide the terminal is that standard output is. `None` if it is none, or nobody knows.
    pub(crate) fn columns() -> Option<usize> {
        let size = match &*lock() {
            Some(caught) if WATCHED.load(Ordering::Acquire) => tcgetwinsize(&caught.real),
            _ => tcgetwinsize(stdout()),
        };
        let columns = size.ok()?.ws_col;
        (columns > 0).then_some(columns.into())
    }

    /// Begins a line of its own, where what was printed last does not end one. (Known only of what was watched.)
    pub(crate) fn begin_line(&mut self) -> io::Result<()> {
        let is_within = |caught: &mut Caught| mem::take(&mut caught.is_within_line);
        // Noted first: to write locks it again.
        let is_within_line = lock().as_mut().is_some_and(is_within);
        match is_within_line {
            true => self.write_all(b"\n"),
            false => Ok(()),
        }
    }
}

impl Write for Past {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = io::stdout().lock();
        if !WATCHED.load(Ordering::Acquire) {
            return out.write(bytes);
        }
        out.flush()?;
        match &mut *lock() {
            Some(caught) => {
                caught.pass_on();
                caught.is_within_line = !bytes.ends_with(b"\n");
                caught.real.write(bytes)
            }
            None => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        // Kept until the end: a line that another thread prints comes before the exchange or after it.
        let mut out = io::stdout().lock();
        let _ = out.flush();
        if let Some(caught) = &mut *lock() {
            caught.give_back();
        }
        WATCHED.store(false, Ordering::Release);
    }
}

fn begin() -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.flush()?;
    let real = File::from(fcntl_dupfd_cloexec(stdout(), 0)?);
    let mut place = lock();
    if let Some(caught) = &mut *place {
        // What a child has written belongs to where standard output was until now.
        caught.pass_on();
        caught.untold.clear();
        // The program may have put the file back itself, in place of what it had exchanged for a while.
        let identity = |file: &File| file.metadata().map(|file| (file.dev(), file.ino()));
        if identity(&real)? != identity(&caught.file)? {
            caught.real = real;
        }
        return Ok(dup2_stdout(&caught.file)?);
    }
    let file = File::from(memfd_create("standard output", MemfdFlags::CLOEXEC)?);
    // Somebody may open `/dev/stdout`, and write at its beginning.
    fcntl_setfl(&file, OFlags::APPEND)?;
    thread::Builder::new()
        .name("watchglass-printed".into())
        .spawn(pass_on_for_ever)?;
    dup2_stdout(&file)?;
    *place = Some(Caught {
        real,
        file,
        passed_on: 0,
        given_back: 0,
        untold: Vec::new(),
        is_within_line: false,
        has_told_loss: false,
    });
    Ok(())
}

impl Caught {
    fn pass_on(&mut self) {
        let end = self.file.metadata().map_or(0, |file| file.len());
        if end < self.passed_on {
            // Somebody has emptied it, as `> /dev/stdout` does.
            (self.passed_on, self.given_back) = (0, 0);
        }
        let length = usize::try_from(end.saturating_sub(self.passed_on)).unwrap_or(0);
        if length == 0 {
            return;
        }
        let mut bytes = vec![0; length];
        if self.file.read_exact_at(&mut bytes, self.passed_on).is_ok() {
            self.passed_on = end;
            if let Err(error) = self.real.write_all(&bytes) {
                self.tell_loss(&error);
            }
            self.is_within_line = !bytes.ends_with(b"\n");
            if WATCHED.load(Ordering::Relaxed) {
                self.untold.append(&mut bytes);
            }
        }
        if self.passed_on - self.given_back > KEPT {
            self.give_memory_back();
        }
    }

    /// The program itself has written to memory, and so heard of nothing. (Where nobody reads any more, as behind
    /// `.. | head`, nothing is missing.)
    fn tell_loss(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe && !mem::replace(&mut self.has_told_loss, true)
        {
            // Whoever holds the standard library's lock may wait for the one that is held here.
            let told = format!("watchglass: what the program prints is lost: {error}\n");
            write_to_stderr(told.as_bytes());
        }
    }

    /// That of what was passed on. The file keeps its length, for whoever writes goes on at its end.
    fn give_memory_back(&mut self) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(&self.file, flags, 0, self.passed_on).is_ok() {
            self.given_back = self.passed_on;
        }
    }

    fn give_back(&mut self) {
        self.pass_on();
        let _ = dup2_stdout(&self.real);
        // Whoever does not lock standard output may have written just before that.
        self.pass_on();
        self.give_memory_back();
    }
}

fn pass_on_for_ever() {
    loop {
        thread::sleep(PASSED_ON_EVERY);
        if let Some(caught) = &mut *lock() {
            caught.pass_on();
        }
    }
}

fn lock() -> MutexGuard<'static, Option<Caught>> {
    CAUGHT.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_passed_on_as_often_as_the_docs_say() {
        assert_eq!(PASSED_ON_EVERY, Duration::from_millis(10));
        assert!(include_str!("mod.rs").contains("at each event and every 10 ms"));
    }
}
