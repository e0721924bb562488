//! A borrow that lives across an await: one field of the future points at another.

use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Waker};

async fn self_reference() {
    let count: u32 = 7;
    let borrowed: &u32 = &count;
    ready(()).await;
    show(borrowed);
}

fn show(number: &u32) {
    println!("still {number}");
}

fn main() {
    let future = pin!(self_reference());
    let poll = future.poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_ready());
}
