//! A future written by hand, and polled by hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Must be asked again and again, and counts how often.
struct Countdown {
    left: u32,
}

impl Future for Countdown {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<&'static str> {
        if self.left == 0 {
            return Poll::Ready("lift-off");
        }
        self.left -= 1;
        Poll::Pending
    }
}

fn main() {
    let mut future = Countdown { left: 2 };
    let mut cx = Context::from_waker(Waker::noop());
    for number in 1..=3 {
        let answer = Pin::new(&mut future).poll(&mut cx);
        println!("poll {number}: {answer:?}");
    }
}
