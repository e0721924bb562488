//! Two futures in turn: what runs at the same time is decided by whoever polls.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

struct Countdown {
    left: u32,
}

impl Future for Countdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        Poll::Pending
    }
}

async fn task(name: &str, left: u32) {
    println!("{name} starting");
    Countdown { left }.await;
    println!("{name} done");
}

fn main() {
    let mut a = pin!(task("Task A", 2));
    let mut b = pin!(task("Task B", 1));
    let mut held = pin!(task("Task C", 0));
    let mut cx = Context::from_waker(Waker::noop());
    let (mut a_done, mut b_done) = (false, false);
    while !(a_done && b_done) {
        a_done = a_done || a.as_mut().poll(&mut cx).is_ready();
        b_done = b_done || b.as_mut().poll(&mut cx).is_ready();
    }
    println!("Task C was there all the time. Now it is polled.");
    assert!(held.as_mut().poll(&mut cx).is_ready());
}
