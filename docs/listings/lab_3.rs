//! Lab 3: a clock ticks every 100 ms, but not while a picture is scaled.

use std::thread;
use std::time::Duration;
use watchglass::{block_on, interval, sleep, spawn};

async fn clock() {
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
    }
}

/// Stands for a computation.
fn scale() {
    thread::sleep(Duration::from_millis(800));
}

async fn opens(picture: &str) {
    sleep(Duration::from_millis(250)).await;
    println!("{picture} is loaded");
    scale();
    println!("{picture} is scaled");
}

async fn window() {
    let clock = spawn(clock());
    opens("the picture").await;
    sleep(Duration::from_millis(250)).await;
    clock.abort();
}

fn main() {
    block_on(window());
}
