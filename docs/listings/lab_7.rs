//! Lab 7: one task counts the money, and another panics.
#![allow(clippy::all)] // it would tell

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use watchglass::{block_on, sleep, spawn};

type Till = Rc<RefCell<u32>>;

async fn counts(till: Till) {
    let money = till.borrow();
    sleep(Duration::from_secs(1)).await;
    println!("there were {money} coins");
}

async fn pays(till: Till) {
    *till.borrow_mut() += 5;
    println!("paid");
}

async fn shop() {
    let till = Till::default();
    let counts = spawn(counts(till.clone()));
    let pays = spawn(pays(till));
    if let Err(error) = pays.await {
        println!("pays: {error}");
    }
    counts.await.expect("no panic");
}

fn main() {
    block_on(shop());
}
