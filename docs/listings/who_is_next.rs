//! Which task is polled next? The executor tells its observer, and this one prints each poll.

use std::time::Duration;
use watchglass::trace::{Event, Record};
use watchglass::{Executor, join, sleep, spawn, yield_now};

async fn quick() {
    sleep(Duration::from_secs(1)).await;
}

async fn polite() {
    yield_now().await;
    sleep(Duration::from_secs(1)).await;
}

async fn program() {
    let quick = spawn(quick());
    let polite = spawn(polite());
    let _ = join(quick, polite).await;
}

fn main() {
    let print = |record: &Record| {
        let is_poll = matches!(record.event, Event::PollStarted { .. });
        if is_poll || matches!(record.event, Event::Spawned { .. }) {
            println!("{record}");
        }
    };
    let executor = Executor::builder().virtual_time().observer(print).build();
    executor.block_on(program());
}
