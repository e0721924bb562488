//! Clause 8 kept: a waker may be used from any thread, and after its task is gone.

use std::future::poll_fn;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use waker_fn::waker_fn;

fn main() {
    let (sender, receiver) = mpsc::channel();
    let waker = waker_fn(move || {
        // A waker may only leave a note. It must not poll, and it must not panic.
        let _ = sender.send(thread::current().name().unwrap_or("?").to_string());
    });

    let mut kept: Option<Waker> = None;
    let mut future = Box::pin(poll_fn(|cx| {
        kept = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));
    let _ = future.as_mut().poll(&mut Context::from_waker(&waker));
    drop(future);
    println!("the future is gone, its waker is not");

    let kept = kept.expect("the future left its waker");
    let other = thread::Builder::new().name("another thread".to_string());
    other
        .spawn(move || kept.wake())
        .expect("a thread starts")
        .join()
        .expect("no panic");
    println!("a note was left by: {}", receiver.recv().expect("a note"));
}
