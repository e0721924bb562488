//! Lab 2: a file is saved in the background, says the program. It is not.

use std::time::Duration;
use watchglass::{block_on, sleep, spawn};

async fn save(name: &'static str) {
    sleep(Duration::from_millis(10)).await;
    println!("{name} is saved");
}

async fn edit() {
    println!("you write a letter, and save it");
    spawn(save("the letter"));
    println!("good bye");
}

fn main() {
    block_on(edit());
}
