//! A join written by hand: a future that polls two others, and what awaits it.

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

struct Both<A, B> {
    a: Pin<Box<A>>,
    b: Pin<Box<B>>,
    a_done: bool,
    b_done: bool,
}

impl<A: Future, B: Future> Future for Both<A, B> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.a_done = self.a_done || self.a.as_mut().poll(cx).is_ready();
        self.b_done = self.b_done || self.b.as_mut().poll(cx).is_ready();
        if self.a_done && self.b_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn main() {
    let mut program = pin!(async {
        Both {
            a: Box::pin(task("Task A", 2)),
            b: Box::pin(task("Task B", 1)),
            a_done: false,
            b_done: false,
        }
        .await;
        println!("both done");
    });
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 1;
    while program.as_mut().poll(&mut cx).is_pending() {
        println!("poll {polls} is over");
        polls += 1;
    }
    assert_eq!(polls, 3);
}
