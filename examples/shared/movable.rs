//! A program that belongs to no executor. What it asks of one is in the module `runtime`.

use std::time::Duration;

use super::runtime::{sleep, spawn};

async fn produce(sender: async_channel::Sender<u32>) -> u32 {
    for number in 1..=3 {
        sleep(Duration::from_millis(10)).await;
        println!("{number} is sent");
        sender.send(number).await.expect("somebody receives");
    }
    3
}

pub(crate) async fn program() {
    let (sender, receiver) = async_channel::bounded(1);
    let producer = spawn(produce(sender));
    while let Ok(number) = receiver.recv().await {
        println!("{number} is received");
    }
    println!("{} in all", producer.await);
}
