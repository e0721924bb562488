//! What many of the tests need.
#![allow(dead_code)] // Each test file is a crate of its own, and none needs all of this.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use watchglass::trace::{Event, Observer, Record, Recording};
use watchglass::{Builder, Executor};

/// Much longer than anything here takes, on a machine however busy.
pub(crate) const LONG: Duration = Duration::from_secs(180);

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs it until it is as it should be: a machine that stands still at the wrong moment makes something else of it.
#[track_caller]
pub(crate) fn calm<R>(run: impl Fn() -> R, is_calm: impl Fn(&R) -> bool) -> R {
    let mut runs = (0..50).map(|_| run());
    runs.find(is_calm)
        .expect("once in fifty times nothing comes in between")
}

pub(crate) fn virtual_executor() -> Executor {
    Executor::builder().virtual_time().build()
}

/// The log, with this done to each record.
pub(crate) fn altered(recording: &Recording, alter: impl FnMut(&mut Record)) -> Recording {
    let mut records = recording.records();
    records.iter_mut().for_each(alter);
    records.into_iter().collect()
}

/// An executor whose events are recorded.
pub(crate) fn recorded(builder: Builder) -> (Executor, Recording) {
    let recording = Recording::new();
    (builder.observer(recording.clone()).build(), recording)
}

/// An executor whose events are recorded, and whose observer does this with each then.
pub(crate) fn recorded_and(
    builder: Builder,
    act: impl Fn(&Record) + 'static,
) -> (Executor, Recording) {
    let recording = Recording::new();
    let record = recording.clone();
    let observer = move |told: &Record| {
        record.observe(told);
        act(told);
    };
    (builder.observer(observer).build(), recording)
}

/// Everything recorded so far as sentences, without the one thing that differs from run to run: how
/// long each poll took.
pub(crate) fn sentences(recording: &Recording) -> Vec<String> {
    let timeless = |event| match event {
        Event::PollEnded {
            task,
            ready,
            wakers,
            ..
        } => Event::PollEnded {
            task,
            ready,
            took: Duration::ZERO,
            wakers,
        },
        other => other,
    };
    let records = recording.take().into_iter();
    records.map(|r| timeless(r.event).to_string()).collect()
}

/// What tasks have said, in order.
pub(crate) struct Log<T>(Rc<RefCell<Vec<T>>>);

impl<T> Log<T> {
    pub(crate) fn new() -> Self {
        Log(Rc::default())
    }

    pub(crate) fn push(&self, entry: T) {
        self.0.borrow_mut().push(entry);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        self.0.take()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Log(self.0.clone())
    }
}

/// A task to be watched: it counts its polls, shows its waker, and is done when it is told.
#[derive(Default)]
pub(crate) struct Probe {
    pub(crate) polls: Cell<usize>,
    pub(crate) done: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Probe {
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    pub(crate) fn run(self: &Rc<Self>) -> impl Future<Output = ()> + use<> {
        let probe = self.clone();
        poll_fn(move |cx| {
            probe.polls.set(probe.polls.get() + 1);
            let before = probe.waker.replace(Some(cx.waker().clone()));
            drop(before);
            match probe.done.get() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("it was polled")
    }
}

/// Calls a closure when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The waker that the surrounding task is polled with.
pub(crate) async fn own_waker() -> Waker {
    poll_fn(|cx| Poll::Ready(cx.waker().clone())).await
}

/// Is pending once, and leaves its waker in this place: as whatever is not watchglass's waits.
pub(crate) async fn leaves_its_waker(place: &RefCell<Option<Waker>>) {
    let mut is_woken = false;
    poll_fn(|cx| {
        place.replace(Some(cx.waker().clone()));
        match mem::replace(&mut is_woken, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Polls once and gives the result of that.
pub(crate) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Uses a waker on another thread, and returns when that is over.
pub(crate) fn wake_remotely(waker: &Waker) {
    thread::scope(|scope| {
        scope.spawn(|| waker.wake_by_ref());
    });
}

/// The message that `code` panics with.
#[track_caller]
pub(crate) fn panic_message(code: impl FnOnce()) -> String {
    panic_text(&*catch_unwind(AssertUnwindSafe(code)).expect_err("it panics"))
}

pub(crate) fn panic_text(payload: &dyn Any) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .expect("a message")
}

/// Runs a test that would hang if it failed: then it panics after [`LONG`] instead.
#[track_caller]
pub(crate) fn no_hang<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(test()));
    result
        .recv_timeout(LONG)
        .expect("it ends in time and without a panic")
}
