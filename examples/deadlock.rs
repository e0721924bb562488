//! Two tasks that wait for each other, and the verdict: not a program that hangs.
//!
//! Each transfer locks one account and then needs the other, which the other transfer has locked.
//! Threads would now hang for ever. The executor sees that no task is ready and no timer is armed.
//! The locks hold wakers, so for all that it knows some thread may still unlock them; but
//! `closed_world(true)` promises that nobody outside does, and so nothing can ever happen again.
//! Watch the verdict name each task that is stuck.
//!
//! `cargo run --example deadlock`

use async_lock::Mutex;
use std::rc::Rc;
use std::time::Duration;
use watchglass::{Executor, sleep, spawn_named};

type Account = Rc<Mutex<u32>>;

async fn transfer(name: &str, from: Account, to: Account) {
    let mut from = from.lock().await;
    println!("{name}: has locked the account that it takes from");
    sleep(Duration::from_millis(10)).await;
    println!("{name}: waits for the account that it gives to");
    let mut to = to.lock().await;
    *from -= 10;
    *to += 10;
    println!("{name}: done");
}

fn main() {
    let executor = Executor::builder().closed_world(true).build();
    let outcome = executor.try_block_on(async {
        let (anna, ben) = (Account::new(100.into()), Account::new(100.into()));
        let there = transfer("Anna to Ben", anna.clone(), ben.clone());
        let back = transfer("Ben to Anna", ben, anna);
        let there = spawn_named("Anna to Ben", there);
        let back = spawn_named("Ben to Anna", back);
        there.await.unwrap();
        back.await.unwrap();
    });
    match outcome {
        Ok(()) => println!("both transfers are done"),
        Err(stalled) => println!("\n{stalled}"),
    }
}
