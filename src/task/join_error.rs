//! Why a task may have no output.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Why a task has no output: it panicked, or it was cancelled.
///
/// It does not say which task. To know that, take the handle's [`id`](crate::JoinHandle::id) before you await the
/// handle.
///
/// # Dropping
///
/// Dropping it drops the panic's payload, if it has one. A panic in that drop is not caught: it is a part of your code.
///
/// ```
/// watchglass::block_on(async {
///     let task = watchglass::spawn(async { panic!("on purpose") });
///     let error = task.await.unwrap_err();
///     assert_eq!(error.panic_message().unwrap(), "on purpose");
///     assert_eq!(error.to_string(), "the task panicked: on purpose");
///     // It goes on in whoever wants it to.
///     let payload = error.try_into_panic().unwrap();
///     assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
/// });
/// ```
pub struct JoinError {
    /// The panic's payload, in a box of its own: so a `Result` with this error is hardly larger than the
    /// output that nearly all of them hold, and is handed on in registers if that is small.
    ///
    /// The mutex lets an error be shared between threads (`Sync`), as `Box<dyn Error + Send + Sync>` and so `?`
    /// ask for. Only `panic_message` locks it, for an instant.
    panic: Option<Box<Mutex<Box<dyn Any + Send>>>>,
}

impl JoinError {
    pub(crate) fn cancelled() -> Self {
        JoinError { panic: None }
    }

    pub(crate) fn panicked(payload: Box<dyn Any + Send>) -> Self {
        JoinError {
            panic: Some(Box::new(Mutex::new(payload))),
        }
    }

    /// True if the task was aborted, or its executor was dropped, before it finished, and its future did not panic in
    /// its drop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.panic.is_none()
    }

    /// True if the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.panic.is_some()
    }

    /// The payload that the task panicked with, for
    /// [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Errors
    ///
    /// Gives the error back if the task did not panic but was cancelled.
    #[doc(alias = "into_panic")]
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, JoinError> {
        match self.panic {
            Some(payload) => Ok(payload.into_inner().unwrap_or_else(PoisonError::into_inner)),
            None => Err(self),
        }
    }

    /// The panic's message, if it was a panic with a message (nearly all are).
    pub fn panic_message(&self) -> Option<String> {
        let payload = self.panic.as_ref()?.lock();
        message_of(&**payload.unwrap_or_else(PoisonError::into_inner)).map(str::to_owned)
    }
}

/// The text in a panic's payload: `panic!` leaves a `&str` or a `String` there.
pub(crate) fn message_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_panic(), self.panic_message()) {
            (true, Some(message)) => write!(f, "the task panicked: {message}"),
            (true, None) => write!(f, "the task panicked"),
            (false, _) => write!(f, "the task was cancelled"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

/// For `?` in a function that gives an `io::Result`.
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use watchglass::{block_on, spawn_blocking, timeout};
///
/// async fn load(path: &'static str) -> io::Result<Vec<u8>> {
///     let reads = spawn_blocking(move || std::fs::read(path));
///     timeout(Duration::from_secs(5), reads).await??
/// }
///
/// assert_eq!(block_on(load("no such file")).unwrap_err().kind(), io::ErrorKind::NotFound);
/// ```
impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        io::Error::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `docs/performance.md` builds on.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_error_is_one_word_and_an_outcome_two() {
        assert_eq!(size_of::<JoinError>(), 8);
        assert_eq!(size_of::<Result<u64, JoinError>>(), 16);
    }
}
