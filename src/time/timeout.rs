//! `timeout`: a future that has only so long.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::{Sleep, SleepState, sleep, sleep_until};
use crate::context::Shared;
use crate::trace::TimerKind;

/// Awaits `future`, but no longer than `duration`.
///
/// Each time, `future` is polled first: if it is ready and the time is up as well, its output counts. It is polled at
/// least once, even if `duration` is zero. The time counts from this call inside an executor, and elsewhere from the
/// first poll, as for a [`sleep`].
///
/// All timers of one instant fire before anybody is polled. So if a sleep in `future` ends at the very instant at which
/// the time is up, as may happen on the virtual clock, the output of `future` counts, too. It does not count if
/// `future` needs another turn then: if it awaits the end of a task that ends only then, say, or if it sleeps once
/// more, for no time.
///
/// # Errors
///
/// [`Elapsed`] when the time is up.
///
/// # Panics
///
/// The future panics if it has to wait where no executor runs on this thread; if, like a [`Sleep`], it is polled on one
/// executor while its timer is in the wheel of another; and if it is polled again after it was ready.
///
/// # Dropping
///
/// When the time is up, `future` is not polled any more; it is dropped with the `Timeout`, which
/// for `timeout(..).await` is at once. A [`JoinHandle`](crate::JoinHandle) dropped in this way detaches its
/// task, which runs on: await `&mut handle` in the timeout, and [abort](crate::JoinHandle::abort) it
/// afterwards.
///
/// ```
/// use std::time::Duration;
/// use watchglass::timeout;
///
/// watchglass::Executor::builder().virtual_time().build().block_on(async {
///     let slow = watchglass::sleep(Duration::from_secs(60));
///     assert!(timeout(Duration::from_secs(1), slow).await.is_err());
///     assert_eq!(timeout(Duration::from_secs(1), async { 5 }).await, Ok(5));
/// });
/// ```
#[doc(alias = "wait_for")]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout {
        future,
        sleep: sleep(duration),
        is_over: false,
    }
}

/// Like [`timeout`], with the time at which the limit is reached.
///
/// One such time may be the limit of several awaits, say. With virtual time, count it from [`now()`](crate::now).
///
/// # Errors
///
/// [`Elapsed`] when that time has come.
///
/// # Panics
///
/// As [`timeout`].
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, now, sleep, timeout_at};
///
/// Executor::builder().virtual_time().build().block_on(async {
///     let deadline = now() + Duration::from_secs(3);
///     let two = || timeout_at(deadline, sleep(Duration::from_secs(2)));
///     assert!(two().await.is_ok());
///     assert!(two().await.is_err(), "together they take longer");
///     assert_eq!(now(), deadline);
/// });
/// ```
#[doc(alias = "wait_for")]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout {
        future,
        sleep: sleep_until(deadline),
        is_over: false,
    }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "a timeout does nothing unless you `.await` it"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
        // It has given what it gives.
        is_over: bool,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        assert!(
            !*this.is_over,
            "a timeout was polled after it was ready: in a loop, make a new one for each round, or leave the loop"
        );
        // Made outside of an executor: the time counts from here on, also while the future's first poll takes long.
        if let SleepState::For(_) = this.sleep.state {
            begin_here(this.sleep);
        }
        let said_before = Shared::said_so_far();
        let ended = match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => {
                let limit = Pin::new(&mut *this.sleep).poll_as(cx, TimerKind::Timeout);
                limit.map(|()| Err(Elapsed))
            }
        };
        if ended.is_ready() {
            Shared::back_to(said_before);
            *this.is_over = true;
            // Whoever keeps it waits for nothing any more.
            if let SleepState::Armed(_) = this.sleep.state {
                *this.sleep = Sleep::never();
            }
        }
        ended
    }
}

/// If an executor runs here. Where none does, the future may be ready without one.
#[cold]
fn begin_here(limit: &mut Sleep) {
    if Shared::current().is_some() {
        limit.state.bring_to_current(TimerKind::Timeout);
    }
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("sleep", &self.sleep)
            .finish_non_exhaustive()
    }
}

/// The error of [`timeout`]: the time was up first.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Elapsed, Executor, timeout};
///
/// let limit = timeout(Duration::from_secs(1), std::future::pending::<()>());
/// match Executor::builder().virtual_time().build().block_on(limit) {
///     Ok(()) => unreachable!("it never ends"),
///     Err(Elapsed) => println!("the time was up"),
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time was up before the future was done")
    }
}

impl std::error::Error for Elapsed {}

/// For `?` in a function that gives an `io::Result`: of the kind [`TimedOut`](io::ErrorKind::TimedOut).
impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}
