//! What the program prints, caught without changing the program.
//!
//! The process's standard output is exchanged for a file in memory, which never fills up. What is new
//! in the file is passed on to the real standard output, at each event and every few milliseconds,
//! and becomes an event of its own: so a printed line stands among the polls where it belongs.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stdout, stdout};

/// A process has one standard output, so only one executor at a time can watch it.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Output comes no later than this, also while nothing happens: during a long poll, or once the
/// program has forgotten its executor. What is printed and then cut off by an exit within this time
/// is lost.
const PASSED_ON_EVERY: Duration = Duration::from_millis(10);

/// While it lives, standard output is watched.
pub(crate) struct Printed {
    caught: Arc<Mutex<Caught>>,
}

struct Caught {
    real: File,
    file: File,
    /// How much of `file` has been passed on.
    passed_on: u64,
    /// What has been passed on and was not taken yet.
    untold: Vec<u8>,
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
        let caught = Caught::exchange().and_then(|caught| {
            let caught = Arc::new(Mutex::new(caught));
            let weak = Arc::downgrade(&caught);
            thread::Builder::new()
                .name("watchglass-printed".into())
                .spawn(move || pass_on_for_ever(&weak))?;
            Ok(caught)
        });
        if caught.is_err() {
            WATCHED.store(false, Ordering::Release);
        }
        Ok(Some(Printed { caught: caught? }))
    }

    /// What was printed since the last call. It has been passed on.
    pub(crate) fn take(&mut self) -> Option<String> {
        let mut caught = lock(&self.caught);
        caught.pass_on();
        match caught.untold.is_empty() {
            true => None,
            false => Some(String::from_utf8_lossy(&mem::take(&mut caught.untold)).into_owned()),
        }
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        let _ = io::stdout().flush();
        lock(&self.caught).give_back();
        WATCHED.store(false, Ordering::Release);
    }
}

impl Caught {
    fn exchange() -> io::Result<Self> {
        io::stdout().flush()?;
        let real = File::from(fcntl_dupfd_cloexec(stdout(), 0)?);
        let file = File::from(memfd_create("standard output", MemfdFlags::CLOEXEC)?);
        dup2_stdout(&file)?;
        Ok(Caught {
            real,
            file,
            passed_on: 0,
            untold: Vec::new(),
        })
    }

    fn pass_on(&mut self) {
        let end = self.file.metadata().map_or(0, |file| file.len());
        let length = usize::try_from(end.saturating_sub(self.passed_on)).unwrap_or(0);
        if length == 0 {
            return;
        }
        let mut bytes = vec![0; length];
        if self.file.read_exact_at(&mut bytes, self.passed_on).is_ok() {
            self.passed_on = end;
            // A pipe that nobody reads any more is the program's business, and it would not hear of it.
            let _ = self.real.write_all(&bytes);
            self.untold.append(&mut bytes);
        }
    }

    fn give_back(&mut self) {
        self.pass_on();
        let _ = dup2_stdout(&self.real);
    }
}

fn pass_on_for_ever(caught: &Weak<Mutex<Caught>>) {
    while let Some(caught) = caught.upgrade() {
        lock(&caught).pass_on();
        drop(caught);
        thread::sleep(PASSED_ON_EVERY);
    }
}

fn lock(caught: &Mutex<Caught>) -> MutexGuard<'_, Caught> {
    caught.lock().unwrap_or_else(PoisonError::into_inner)
}
