//! A lock of the standard library, held across an await.
#![allow(clippy::await_holding_lock)] // That is what this program is about.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use watchglass::{Executor, join, sleep};

async fn holds(lock: Arc<Mutex<u32>>) {
    let mut number = lock.lock().unwrap();
    sleep(Duration::from_secs(1)).await;
    *number += 1;
}

async fn wants(lock: Arc<Mutex<u32>>) {
    match lock.try_lock() {
        Ok(number) => println!("the number is {number}"),
        Err(_) => println!("it is locked: `lock()` would block the thread here, for ever"),
    }
}

fn main() {
    let lock = Arc::new(Mutex::new(0));
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(join(holds(lock.clone()), wants(lock)));
}
