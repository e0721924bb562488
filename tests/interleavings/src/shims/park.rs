// Parking, as the standard library promises it: one token, which `unpark` leaves and `park` takes.
//
// loom's own `park` cannot be used: a thread that is unparked while it waits for a lock loses the
// token (loom 0.7.3, `Thread::set_unparked`), and so it reports wakes as lost that are not.

use std::cell::RefCell;
use std::sync::Arc;

use loom::sync::{Condvar, Mutex};

/// The only thread that parks: the executor's.
#[derive(Clone)]
pub struct Thread(Arc<(Mutex<bool>, Condvar)>);

std::thread_local! {
    /// All of loom's threads share it, for they run on one thread.
    static EXECUTOR: RefCell<Option<Thread>> = const { RefCell::new(None) };
}

pub fn current() -> Thread {
    let thread = Thread(Arc::new((Mutex::new(false), Condvar::new())));
    EXECUTOR.set(Some(thread.clone()));
    thread
}

pub fn park() {
    let thread = EXECUTOR.take().expect("it has called `current`");
    let (token, changed) = &*thread.0;
    let mut held = token.lock().unwrap();
    while !*held {
        held = changed.wait(held).unwrap();
    }
    *held = false;
    drop(held);
    EXECUTOR.set(Some(thread));
}

pub fn park_timeout(_: std::time::Duration) {
    unreachable!("no scenario parks with a timeout, for loom knows no time")
}

impl Thread {
    pub fn unpark(&self) {
        let (token, changed) = &*self.0;
        *token.lock().unwrap() = true;
        changed.notify_one();
    }
}
