//! Lab 6: the program works, and the fan of the computer turns up.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use watchglass::{block_on, sleep, spawn, yield_now};

async fn kettle(boils: Rc<Cell<bool>>) {
    sleep(Duration::from_millis(200)).await;
    boils.set(true);
}

async fn cook() {
    let boils = Rc::new(Cell::new(false));
    let kettle = spawn(kettle(boils.clone()));
    while !boils.get() {
        yield_now().await;
    }
    println!("the water boils");
    kettle.await.expect("no panic");
}

fn main() {
    block_on(cook());
}
