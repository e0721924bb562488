//! A task that asks again and again, where it should wait.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use watchglass::trace::{Event, Record};
use watchglass::{Executor, sleep, spawn, yield_now};

async fn asks_again_and_again(flag: Rc<Cell<bool>>) {
    while !flag.get() {
        yield_now().await;
    }
}

fn main() {
    let told = Cell::new(false);
    let report = move |record: &Record| {
        if matches!(record.event, Event::Spinning { .. }) && !told.replace(true) {
            println!("{}", record.event);
        }
    };
    let executor = Executor::builder().observer(report).build();
    executor.block_on(async {
        let flag = Rc::new(Cell::new(false));
        let task = spawn(asks_again_and_again(flag.clone()));
        sleep(Duration::from_millis(500)).await;
        flag.set(true);
        task.await.unwrap();
    });
}
