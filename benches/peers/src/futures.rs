//! Futures that belong to no runtime, so that only the executor differs.
//!
//! On one thread they are made of `Rc` and `Cell`; across threads, of atomics
//! and a waker behind a mutex that nobody holds for longer than a swap. Each
//! counts what happened to it, so that a workload can assert that the polls
//! and wakes it is named after really took place.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// Wakes itself and returns `Pending` as often as it was told to, then
/// completes with the number of times that it was polled.
pub struct Yields {
    remaining: u64,
    polls: u64,
}

impl Yields {
    pub fn new(count: u64) -> Self {
        Yields {
            remaining: count,
            polls: 0,
        }
    }
}

impl Future for Yields {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u64> {
        self.polls += 1;
        if self.remaining == 0 {
            return Poll::Ready(self.polls);
        }
        self.remaining -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Completes once it has been counted down to zero: how a workload waits for
/// tasks whose handles it does not keep.
pub struct Latch {
    remaining: Cell<u64>,
    waker: Cell<Option<Waker>>,
}

impl Latch {
    pub fn new(count: u64) -> Rc<Self> {
        Rc::new(Latch {
            remaining: Cell::new(count),
            waker: Cell::new(None),
        })
    }

    pub fn count_down(&self) {
        let remaining = self.remaining.get() - 1;
        self.remaining.set(remaining);
        if remaining == 0
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    pub async fn reached(&self) {
        std::future::poll_fn(|context| {
            if self.remaining.get() == 0 {
                return Poll::Ready(());
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// A channel with room for one value, for two tasks on one thread.
#[derive(Default)]
pub struct Slot {
    value: Cell<Option<u64>>,
    waker: Cell<Option<Waker>>,
    wakes: Cell<u64>,
}

impl Slot {
    /// Puts a value in and wakes the receiver, if it is waiting.
    pub fn send(&self, value: u64) {
        let before = self.value.replace(Some(value));
        assert!(before.is_none(), "the slot holds a value already");
        if let Some(waker) = self.waker.take() {
            self.wakes.set(self.wakes.get() + 1);
            waker.wake();
        }
    }

    /// Takes the value out, waiting for one if there is none.
    pub async fn receive(&self) -> u64 {
        std::future::poll_fn(|context| {
            if let Some(value) = self.value.take() {
                return Poll::Ready(value);
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// How often a send found a receiver waiting.
    pub fn wakes(&self) -> u64 {
        self.wakes.get()
    }
}

/// A flag that another thread raises to ever higher numbers.
#[derive(Default)]
pub struct Flag {
    raised: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Flag {
    /// Raises the flag to `number`; says whether a task was waiting for it.
    pub fn raise(&self, number: u64) -> bool {
        self.raised.store(number, Ordering::Release);
        // Outside of the lock, which the woken task may want at once.
        let waker = self.waker.lock().unwrap().take();
        match waker {
            Some(waker) => {
                waker.wake();
                true
            }
            None => false,
        }
    }

    /// Waits until the flag is at `number` at least. `armed` is called once,
    /// when the waker is in place and nothing has been missed: a thread that
    /// raises the flag after that wakes this task for certain.
    pub async fn wait(&self, number: u64, armed: impl FnOnce()) {
        let mut armed = Some(armed);
        std::future::poll_fn(|context| {
            if self.raised.load(Ordering::Acquire) >= number {
                return Poll::Ready(());
            }
            *self.waker.lock().unwrap() = Some(context.waker().clone());
            // Raised between the look and the lock: the thread that raised it
            // found no waker, and nobody would wake this task again.
            if self.raised.load(Ordering::Acquire) >= number {
                return Poll::Ready(());
            }
            if let Some(armed) = armed.take() {
                armed();
            }
            Poll::Pending
        })
        .await;
    }
}
