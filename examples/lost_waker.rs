//! A future that forgets its waker is never polled again, and the executor can name it.
//!
//! `Pending` is a promise: "I have kept the waker, and somebody will use it." This future breaks
//! it. Nothing crashes and nothing is printed; without help, the program just hangs.
//!
//! `cargo run --example lost_waker`

use std::pin::Pin;
use std::task::{Context, Poll};

use watchglass::trace::{Event, Recording};
use watchglass::{Executor, spawn};

/// Ready at its second poll, if only somebody asked for one.
struct Forgetful {
    polled: bool,
}

impl Future for Forgetful {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.polled {
            return Poll::Ready(());
        }
        self.polled = true;
        // What is missing here: cx.waker().clone(), kept where something will wake it.
        Poll::Pending
    }
}

async fn waits_for_ever() {
    Forgetful { polled: false }.await;
}

fn main() {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    let stalled = executor.try_block_on(async { spawn(waits_for_ever()).await });
    for event in recording.events() {
        if let Event::ForgottenWaker { .. } = event {
            println!("{event}");
        }
    }
    println!("{}", stalled.expect_err("it can never be done"));
}
