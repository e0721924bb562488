//! What the twins wait on and what they write to. They know nothing else of the world.
//!
//! This `Sleep` needs no clock: it is ready after as many polls as its delay has seconds, plus one.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes a line into the log.
pub(crate) fn say(name: &str, what: &str) {
    assert!(!name.is_empty(), "a line needs a name");
    LOG.with_borrow_mut(|log| log.push(format!("{name} {what}")));
}

/// Takes all lines out of the log.
pub(crate) fn take_log() -> Vec<String> {
    LOG.take()
}

pub(crate) struct Sleep {
    pendings_left: u64,
}

pub(crate) fn sleep(delay: Duration) -> Sleep {
    Sleep {
        pendings_left: delay.as_secs(),
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        say("sleep", "polled");
        if self.pendings_left == 0 {
            return Poll::Ready(());
        }
        self.pendings_left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        say("sleep", "dropped");
    }
}

/// Polls two futures until both are ready.
pub(crate) async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_output, mut b_output) = (None, None);
    poll_fn(move |cx| {
        if a_output.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(cx)
        {
            a_output = Some(output);
        }
        if b_output.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(cx)
        {
            b_output = Some(output);
        }
        if a_output.is_none() || b_output.is_none() {
            return Poll::Pending;
        }
        Poll::Ready(
            a_output
                .take()
                .zip(b_output.take())
                .expect("both are there"),
        )
    })
    .await
}
