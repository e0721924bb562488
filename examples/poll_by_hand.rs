//! A future without an executor: you are the executor.
//!
//! A future is a value with one method, `poll`, which goes on as far as it can and then answers
//! `Ready` or `Pending`. Whoever answers `Pending` has left the waker with somebody, who uses it
//! when there is more to do. Watch that nothing runs before the first poll, and that nobody polls
//! but `main`: the waker polls nothing, it only says that it is time. All that an executor adds is
//! a loop.
//!
//! `cargo run --example poll_by_hand`

use std::pin::pin;
use std::task::Context;
use waker_fn::waker_fn;

fn main() {
    let (sender, receiver) = async_channel::unbounded();
    let future = async {
        println!("    (future) I run. Is there a message?");
        let message: &str = receiver.recv().await.unwrap();
        println!("    (future) I go on behind the `.await`. The message is {message:?}.");
        message.len()
    };
    let mut future = pin!(future); // From here on it must not move, for it may point into itself.
    let waker = waker_fn(|| println!("    (waker)  Poll again!"));
    let mut context = Context::from_waker(&waker);

    println!("The future is made. Nothing has run.");
    println!("First poll:");
    println!("  {:?}", future.as_mut().poll(&mut context));
    println!("Second poll, though nobody asked for it:");
    println!("  {:?}", future.as_mut().poll(&mut context));
    println!("A message is sent:");
    sender.try_send("hello").unwrap();
    println!("Third poll:");
    println!("  {:?}", future.as_mut().poll(&mut context));
}
