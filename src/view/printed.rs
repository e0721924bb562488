//! What the program prints, caught without changing the program.
//!
//! The process's standard output is exchanged for a file in memory, which never fills up. After each
//! event, what is new in the file is passed on to the real standard output and becomes an event of
//! its own, so that a printed line stands among the polls where it belongs. What is printed and then
//! cut off by `process::exit` before the next event is lost.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::dup;
use rustix::stdio::{dup2_stdout, stdout};

/// A process has one standard output, so only one executor at a time can watch it.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// While it lives, standard output is watched.
pub(crate) struct Printed {
    real: File,
    caught: File,
    /// How much of `caught` has been passed on.
    passed_on: u64,
}

impl Printed {
    /// Begins to watch. `None` if somebody watches already.
    ///
    /// # Errors
    ///
    /// What the operating system says, if standard output is closed or there is no memory file.
    pub(crate) fn watch() -> io::Result<Option<Self>> {
        if WATCHED.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        let watch = || {
            io::stdout().flush()?;
            let real = File::from(dup(stdout())?);
            let caught = File::from(memfd_create("standard output", MemfdFlags::CLOEXEC)?);
            dup2_stdout(&caught)?;
            Ok(Printed {
                real,
                caught,
                passed_on: 0,
            })
        };
        let watching: io::Result<Printed> = watch();
        if watching.is_err() {
            WATCHED.store(false, Ordering::Release);
        }
        watching.map(Some)
    }

    /// What was printed since the last call. It has been passed on.
    pub(crate) fn take(&mut self) -> Option<String> {
        let end = self.caught.metadata().ok()?.len();
        if end == self.passed_on {
            return None;
        }
        let length = usize::try_from(end - self.passed_on).ok()?;
        let mut bytes = vec![0; length];
        self.caught.read_exact_at(&mut bytes, self.passed_on).ok()?;
        self.passed_on = end;
        // A pipe that nobody reads any more is the program's business, and it would not hear of it.
        let _ = self.real.write_all(&bytes);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _ = io::stdout().flush();
        self.take();
        let _ = dup2_stdout(&self.real);
        WATCHED.store(false, Ordering::Release);
    }
}
