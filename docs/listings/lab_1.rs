//! Lab 1: two downloads take 3 s, although nothing blocks.

use std::time::Duration;
use watchglass::{block_on, sleep};

async fn download(name: &str, seconds: u64) -> String {
    sleep(Duration::from_secs(seconds)).await;
    format!("{name} is here")
}

async fn downloads() {
    let first = download("the page", 2);
    let second = download("its picture", 1);
    println!("{}", first.await);
    println!("{}", second.await);
}

fn main() {
    block_on(downloads());
}
