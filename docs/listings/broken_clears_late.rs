//! Clause 6 broken: the executor forgets a wake that comes while it polls.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use waker_fn::waker_fn;

/// Asks at once for a second poll, and is ready in it.
struct YieldNow(bool);

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn run(name: &str, clear_before_the_poll: bool) {
    let mut future = pin!(YieldNow(false));
    let woken = Arc::new(AtomicBool::new(true));
    let waker = waker_fn({
        let woken = Arc::clone(&woken);
        move || woken.store(true, Relaxed)
    });
    let mut polls = 0;
    while woken.load(Relaxed) {
        if clear_before_the_poll {
            woken.store(false, Relaxed);
        }
        polls += 1;
        if future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            println!("{name}: ready after {polls} polls");
            return;
        }
        if !clear_before_the_poll {
            woken.store(false, Relaxed);
        }
    }
    println!("{name}: {polls} poll, and it will never be polled again");
}

fn main() {
    run("cleared before the poll", true);
    run("cleared after the poll", false);
}
