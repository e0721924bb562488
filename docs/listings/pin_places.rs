//! Where a future lies before it is pinned and after.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Waker};

fn main() {
    let future = async { pending::<()>().await };
    let mut pinned: Pin<Box<_>> = Box::pin(future);
    let _ = pinned
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let place: *const _ = &*pinned;

    let list = [pinned];
    let place_now: *const _ = &*list[0];
    println!(
        "the box was moved into a list; its content stayed: {}",
        place == place_now
    );
}
