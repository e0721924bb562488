//! Where a boxed future lies before its box is moved, and after.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Waker};

fn main() {
    let future = async { pending::<()>().await };
    let mut pinned: Pin<Box<_>> = Box::pin(future);
    let _ = pinned
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let (of_box, of_future) = (format!("{:p}", &pinned), format!("{:p}", &*pinned));
    println!("the box is at {of_box} and points to the future at {of_future}");

    let list = [pinned];
    let (of_box_now, of_future_now) = (format!("{:p}", &list[0]), format!("{:p}", &*list[0]));
    println!("the box is at {of_box_now} and points to the future at {of_future_now}");
    println!("the box was moved: {}", of_box != of_box_now);
    println!("the future was moved: {}", of_future != of_future_now);
}
