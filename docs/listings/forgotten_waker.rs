//! A future that breaks clause 1 of the waker's contract, and an executor that notices.

use std::pin::Pin;
use std::task::{Context, Poll};
use watchglass::trace::{Event, Record};
use watchglass::{Executor, spawn};

/// Answers `Pending` and leaves its waker with nobody.
struct Forgets;

impl Future for Forgets {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

async fn waits_for_ever() {
    Forgets.await;
}

fn main() {
    let report = |record: &Record| {
        if matches!(record.event, Event::ForgottenWaker { .. }) {
            println!("{record}");
        }
    };
    let executor = Executor::builder().observer(report).build();
    let result = executor.try_block_on(async {
        let task = spawn(waits_for_ever());
        let _ = task.await;
    });
    println!("{}", result.unwrap_err());
}
