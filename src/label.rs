//! `label`: a name and a place for a wait that the executor knows nothing of.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context::Shared;
use crate::trace::WaitsOn;

/// Says what is waited for, and where, if `future` has to wait.
///
/// The executor knows where a task waits for a sleep or for another task. Of a lock, a channel or any other future that
/// is not watchglass's it learns only that somebody has the task's waker. With a label, the views, the observer's
/// [`Waits`](crate::trace::Event::Waits), a [`Stalled`](crate::Stalled) and
/// [`unfinished_tasks`](crate::Executor::unfinished_tasks) say where that `.await` is; and all but the last two, which
/// give only its place, what it is for.
///
/// In everything else this is `future` itself. It can be polled on any executor: the others learn nothing. To drop it
/// is to drop `future`. (If another crate's `select!` drops it in the very poll in which it had to wait, the task is
/// still said to wait for it, until its next poll.)
///
/// ```
/// use async_lock::Mutex;
/// use watchglass::{Executor, label};
///
/// let account = Mutex::new(100);
/// let executor = Executor::builder().closed_world(true).build();
/// let stalled = executor.try_block_on(async {
///     let _held = account.lock().await;
///     label("the account", account.lock()).await; // for ever: it is locked already
/// });
/// // "#0 `main`, given to block_on at .., waits at main.rs:8:42, .."
/// assert!(stalled.unwrap_err().tasks()[0].waits_at.is_some());
/// ```
///
/// # Panics
///
/// It panics only if `future` does.
#[doc(alias = "instrument")]
#[doc(alias = "named")]
pub fn label<F: Future>(name: &'static str, future: F) -> Label<F> {
    Label { name, future }
}

pin_project! {
    /// The future of [`label`].
    #[must_use = "a future does nothing unless you `.await` it"]
    pub struct Label<F> {
        name: &'static str,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Label<F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let polled = this.future.poll(cx);
        if polled.is_pending() {
            Shared::waits_on_current(WaitsOn::Labelled(this.name), Location::caller());
        }
        polled
    }
}

impl<F> fmt::Debug for Label<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Label")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
