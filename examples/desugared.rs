//! Each async function and its hand-written twin, polled side by side.
//!
//! `shared/twins.rs` holds both. This program polls them in turn, and prints after each poll what
//! the two did and which state the twin is in now.

use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

#[path = "shared/leaf.rs"]
mod leaf;
#[path = "shared/twins.rs"]
mod twins;

use twins::{both, first_word, task_async, ticks};
use twins::{both_by_hand, first_word_by_hand, task_async_by_hand, ticks_by_hand};

fn main() {
    println!("one await");
    let delay = Duration::from_secs(1);
    side_by_side(
        task_async("Task A", delay),
        task_async_by_hand("Task A", delay),
    );

    println!("\ntwo awaits and a borrow across both");
    let text = "round and round";
    side_by_side(
        first_word(text.to_string()),
        first_word_by_hand(text.to_string()),
    );

    println!("\na loop with an await in it");
    side_by_side(ticks(2), ticks_by_hand(2));

    println!("\na join");
    side_by_side(both(), both_by_hand());
}

/// Polls both until they are ready, and prints each poll.
fn side_by_side<T: Debug>(
    async_fn: impl Future<Output = T>,
    mut twin: impl Future<Output = T> + Debug + Unpin,
) {
    let mut async_fn = pin!(async_fn);
    println!("  call: {twin:?}");
    for number in 1.. {
        let of_async_fn = poll_once(async_fn.as_mut());
        let of_twin = poll_once(Pin::new(&mut twin));
        println!("  poll {number}: {twin:?}");
        println!("    async fn: {}", of_async_fn.1);
        println!("    twin:     {}", of_twin.1);
        if of_async_fn.0 && of_twin.0 {
            return;
        }
    }
}

/// Whether the future is ready, and what it did in this poll.
fn poll_once<T: Debug>(future: Pin<&mut impl Future<Output = T>>) -> (bool, String) {
    let result: Poll<T> = future.poll(&mut Context::from_waker(Waker::noop()));
    let mut steps = leaf::take_log();
    steps.push(format!("{result:?}"));
    (result.is_ready(), steps.join(", "))
}
