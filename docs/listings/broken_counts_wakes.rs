//! Clause 5 broken: somebody counts polls, and believes that he counts events.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use waker_fn::waker_fn;

fn main() {
    // What most executors do: a task that was woken is polled once, however often it was woken.
    let woken = Arc::new(AtomicBool::new(true));
    let waker = waker_fn({
        let woken = Arc::clone(&woken);
        move || {
            println!("woken");
            woken.store(true, Relaxed);
        }
    });

    let kept: RefCell<Option<Waker>> = RefCell::new(None);
    let polls = Cell::new(0);
    let mut listener = pin!(poll_fn(|cx| {
        polls.set(polls.get() + 1);
        *kept.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    }));

    for turn in 1..=3 {
        if woken.swap(false, Relaxed) {
            println!("turn {turn}: polled");
            let _ = listener.as_mut().poll(&mut Context::from_waker(&waker));
        } else {
            println!("turn {turn}: not polled");
        }
        if turn == 1 {
            println!("three events");
            for _ in 0..3 {
                kept.borrow().as_ref().unwrap().wake_by_ref();
            }
        }
    }
    println!("3 events, and {} poll for them", polls.get() - 1);
}
