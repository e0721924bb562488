//! How many bytes a future takes, and what makes it smaller.

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

async fn given_away_before_the_await() {
    let buffer = Buffer([0; 1024]);
    take(buffer);
    ready(()).await;
}

fn take(buffer: Buffer) {
    println!("{}", buffer.0.len());
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
        "given_away_before_the_await",
        size_of_val(&given_away_before_the_await()),
    );
    show("in_a_box", size_of_val(&in_a_box()));
    show("an_argument", size_of_val(&an_argument(buffer)));
}

fn show(what: &str, bytes: usize) {
    println!("{what:<28} {bytes:4} bytes");
}
