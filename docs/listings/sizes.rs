//! How many bytes a future takes, and what makes it smaller.
#![allow(clippy::drop_non_drop)] // Whether a drop makes the future smaller is what is asked here.

use std::future::{Future, ready};
use std::mem::{size_of, size_of_val};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

struct Sleep {
    _pendings_left: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

fn sleep(delay: Duration) -> Sleep {
    Sleep {
        _pendings_left: delay.as_secs(),
    }
}

async fn task_async(name: &'static str, delay: Duration) {
    println!("{name} starting");
    sleep(delay).await;
    println!("{name} done");
}

#[expect(dead_code, reason = "only its size is wanted")]
enum TaskAsync {
    Unresumed { name: &'static str, delay: Duration },
    Suspend0 { name: &'static str, sleep: Sleep },
    Returned,
    Panicked,
}

struct Buffer([u8; 1024]);

async fn used_after_the_await() {
    let buffer = Buffer([0; 1024]);
    ready(()).await;
    println!("{}", buffer.0.len());
}

async fn in_a_block_before_the_await() {
    {
        let buffer = Buffer([0; 1024]);
        println!("{}", buffer.0.len());
    }
    ready(()).await;
}

async fn dropped_before_the_await() {
    let buffer = Buffer([0; 1024]);
    drop(buffer);
    ready(()).await;
}

async fn borrowed_and_then_dropped() {
    let buffer = Buffer([0; 1024]);
    println!("{}", buffer.0.len());
    drop(buffer);
    ready(()).await;
}

async fn in_a_box() {
    let buffer = Box::new(Buffer([0; 1024]));
    ready(()).await;
    println!("{}", buffer.0.len());
}

async fn an_argument(buffer: Buffer) {
    ready(()).await;
    println!("{}", buffer.0.len());
}

fn main() {
    let delay = Duration::ZERO;
    let buffer = Buffer([0; 1024]);
    show("task_async by rustc", size_of_val(&task_async("A", delay)));
    show("TaskAsync by hand", size_of::<TaskAsync>());
    show("used_after_the_await", size_of_val(&used_after_the_await()));
    show(
        "in_a_block_before_the_await",
        size_of_val(&in_a_block_before_the_await()),
    );
    show(
        "dropped_before_the_await",
        size_of_val(&dropped_before_the_await()),
    );
    show(
        "borrowed_and_then_dropped",
        size_of_val(&borrowed_and_then_dropped()),
    );
    show("in_a_box", size_of_val(&in_a_box()));
    show("an_argument", size_of_val(&an_argument(buffer)));
}

fn show(what: &str, bytes: usize) {
    println!("{what:<28} {bytes:4} bytes");
}
