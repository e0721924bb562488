//! Producers and consumers with a channel of another crate, which knows nothing of this executor.
//!
//! `async-channel` needs no runtime: whoever waits leaves a waker in the channel, and whoever
//! sends or receives uses it. That is all that a future and an executor must agree on. Watch that
//! the table holds two dishes, so the fish has to wait until a waiter has taken one; that cake and
//! tea come from another *thread*, whose wakes arrive in the executor's inbox; and that the waiters
//! stop when the last cook has gone and dropped the last sender.
//!
//! `cargo run --example producers_and_consumers`

use async_channel::{Receiver, Sender, bounded};
use std::thread;
use std::time::Duration;
use watchglass::{block_on, join_all, sleep, spawn, spawn_named};

async fn cook(table: Sender<String>) {
    for dish in ["soup", "rice", "fish"] {
        table.send(dish.to_owned()).await.unwrap();
        println!("cook:     {dish} is on the table");
    }
}

fn cook_in_a_thread(table: Sender<String>) {
    for dish in ["cake", "tea"] {
        thread::sleep(Duration::from_millis(30));
        table.send_blocking(dish.to_owned()).unwrap();
    }
}

async fn waiter(name: &str, table: Receiver<String>) -> usize {
    let mut served = 0;
    while let Ok(dish) = table.recv().await {
        println!("{name} takes {dish}");
        sleep(Duration::from_millis(10)).await;
        served += 1;
    }
    println!("{name} nothing more will come");
    served
}

fn main() {
    let (sender, receiver) = bounded(2);
    let thread = thread::spawn({
        let sender = sender.clone();
        move || cook_in_a_thread(sender)
    });
    block_on(async {
        let cook = spawn(cook(sender));
        let first = spawn_named("waiter 1", waiter("waiter 1:", receiver.clone()));
        let second = spawn_named("waiter 2", waiter("waiter 2:", receiver));
        let served = join_all([first, second]).await;
        cook.await.unwrap();
        let served: usize = served.into_iter().map(Result::unwrap).sum();
        println!("served:   {served} dishes");
    });
    thread.join().unwrap();
}
