//! An async function that awaits one future after another, polled by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

struct Countdown {
    name: &'static str,
    left: u32,
}

impl Future for Countdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        println!("  {}: {} left", self.name, self.left);
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        Poll::Pending
    }
}

async fn launch() {
    let first = Countdown {
        name: "first",
        left: 2,
    };
    let second = Countdown {
        name: "second",
        left: 1,
    };
    println!("  launch starts");
    first.await;
    println!("  between the awaits");
    second.await;
    println!("  launch ends");
}

fn main() {
    let mut launch = pin!(launch());
    let mut cx = Context::from_waker(Waker::noop());
    for number in 1.. {
        println!("poll {number}");
        let answer = launch.as_mut().poll(&mut cx);
        println!("  -> {answer:?}");
        if answer.is_ready() {
            break;
        }
    }
}
