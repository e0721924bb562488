//! An observer that reports every poll that held the thread for long.

use std::cell::RefCell;
use std::collections::HashMap;
use std::thread;
use std::time::Duration;
use watchglass::trace::{Event, Record};
use watchglass::{Executor, join_all, sleep, spawn};

const TOO_LONG: Duration = Duration::from_millis(250);

async fn well_behaved() {
    sleep(Duration::from_millis(200)).await;
}

async fn blocks() {
    sleep(Duration::from_millis(1)).await;
    thread::sleep(Duration::from_millis(500));
}

fn main() {
    let names = RefCell::new(HashMap::new());
    let report = move |record: &Record| match &record.event {
        Event::Spawned { task, name, .. } => {
            names.borrow_mut().insert(*task, name.clone());
        }
        Event::PollEnded { task, took, .. } if *took > TOO_LONG => {
            let (name, took) = (&names.borrow()[task], took.as_secs_f64());
            println!("a poll of {task} `{name}` held the thread for {took:.2} s");
        }
        _ => {}
    };
    let executor = Executor::builder().observer(report).build();
    executor.block_on(async {
        let tasks = [spawn(well_behaved()), spawn(blocks())];
        join_all(tasks).await;
    });
}
