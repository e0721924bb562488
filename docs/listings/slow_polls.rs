//! An observer that prints nothing but the polls that held the thread for long.

use std::thread;
use std::time::Duration;
use watchglass::trace::{Event, Record};
use watchglass::{Executor, join_all, sleep, spawn};

async fn well_behaved() {
    sleep(Duration::from_millis(200)).await;
}

async fn blocks() {
    sleep(Duration::from_millis(1)).await;
    thread::sleep(Duration::from_millis(900));
}

fn main() {
    let report = |record: &Record| {
        if matches!(record.event, Event::LongPoll { .. }) {
            println!("{record}");
        }
    };
    let executor = Executor::builder()
        .long_poll(Duration::from_millis(400))
        .observer(report)
        .build();
    executor.block_on(async {
        let tasks = [spawn(well_behaved()), spawn(blocks())];
        join_all(tasks).await;
    });
}
