//! Closures that block, on a thread of their own, as tasks.
//!
//! The closure runs on a thread of the pool (`pool.rs`); on the executor's thread a small task waits
//! for it. So a blocking call has a `JoinHandle` like everything else. The task is not polled before
//! the closure has ended: the pool's thread wakes it.

use std::any::type_name;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake};
use std::thread;
use std::time::{Duration, Instant};

use crate::context::Shared;
use crate::executor::Executor;
use crate::inbox::Home;
use crate::join_handle::JoinHandle;
use crate::join_set::JoinSet;
use crate::name::{Name, short_name};
use crate::task::{TaskId, boxed_closure};
use crate::trace::{Event, WaitsOn};

/// Runs a closure on another thread, and gives a handle on its result.
///
/// The executor's thread goes on with other tasks meanwhile. This is for code that blocks (a file, a lock,
/// `thread::sleep`) and for code that computes for long. The closure is sent off by this call, whether the handle is
/// awaited or not.
///
/// The threads belong to the executor. They are started when they are needed, up to
/// [a limit](crate::Builder::blocking_threads). A thread that has nothing to do waits 10 s for more, and then ends.
/// Closures beyond the limit wait their turn.
///
/// If the closure panics, so does the task: the handle gives the panic. If no thread can be started
/// at all, the handle gives a panic that says so.
///
/// # Aborting and dropping
///
/// If its task is aborted, or the executor is dropped, a closure that still waits for a thread is never run: the thread
/// that comes to it drops it, with what it holds. A closure that runs cannot be stopped: it runs to its end and its
/// result is dropped. Neither the handle nor the executor's drop waits for it. (But until it ends, virtual time stands
/// still, and no verdict falls.)
///
/// # Panics
///
/// Where no executor runs on this thread.
///
/// ```
/// use std::{thread, time::Duration};
/// use watchglass::{block_on, spawn_blocking};
///
/// block_on(async {
///     let slow = spawn_blocking(|| {
///         thread::sleep(Duration::from_millis(10));
///         thread::current().id()
///     });
///     assert_ne!(slow.await.unwrap(), thread::current().id(), "this thread was free");
/// });
/// ```
#[doc(alias = "to_thread")]
#[doc(alias = "run_in_executor")]
#[doc(alias = "unblock")]
#[track_caller]
pub fn spawn_blocking<F, T>(closure: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let instead = "call it in async code that runs, as in `block_on(async { spawn_blocking(f).await })`, or use \
                   `Executor::spawn_blocking`; on a thread that may block, just call the closure";
    let shared = Shared::expect_current("spawn_blocking", instead);
    hand_over(shared, name_of::<F>(), closure)
}

/// Like [`spawn_blocking`], for a closure whose task is to be called `name` in traces and messages.
///
/// # Panics
///
/// Where no executor runs on this thread.
///
/// ```
/// use watchglass::trace::{Event, Recording};
/// use watchglass::{Executor, spawn_blocking_named};
///
/// let recording = Recording::new();
/// let executor = Executor::builder().observer(recording.clone()).build();
/// let sum = executor.block_on(async { spawn_blocking_named("sums up", || (1..=100).sum::<u32>()).await });
/// assert_eq!(sum.unwrap(), 5050);
/// let is_it = |event: &Event| matches!(event, Event::Spawned { name, .. } if name == "sums up");
/// assert!(recording.events().iter().any(is_it));
/// ```
#[doc(alias = "to_thread")]
#[track_caller]
pub fn spawn_blocking_named<F, T>(name: impl Into<Name>, closure: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let instead = "call it in async code that runs, or use `Executor::spawn_blocking_named`";
    let shared = Shared::expect_current("spawn_blocking_named", instead);
    hand_over(shared, name.into(), closure)
}

impl Executor {
    /// Hands a closure to a thread of this executor's pool, as [`spawn_blocking`] does.
    ///
    /// The closure runs whether the executor runs or not. But its task ends, and its handle is told, only while the
    /// executor runs.
    ///
    /// ```
    /// let executor = watchglass::Executor::new();
    /// let slow = executor.spawn_blocking(|| 6 * 7);
    /// assert_eq!(executor.block_on(slow).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, closure: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        hand_over(self.shared.clone(), name_of::<F>(), closure)
    }

    /// Like [`spawn_blocking`](Executor::spawn_blocking), for a closure whose task is to be called `name` in traces and
    /// messages.
    ///
    /// ```
    /// use watchglass::trace::{Event, Recording};
    ///
    /// let recording = Recording::new();
    /// let executor = watchglass::Executor::builder().observer(recording.clone()).build();
    /// let sum = executor.spawn_blocking_named("sums up", || (1..=100).sum::<u32>());
    /// assert_eq!(executor.block_on(sum).unwrap(), 5050);
    /// let is_it = |event: &Event| matches!(event, Event::Spawned { name, .. } if name == "sums up");
    /// assert!(recording.events().iter().any(is_it));
    /// ```
    #[track_caller]
    pub fn spawn_blocking_named<F, T>(&self, name: impl Into<Name>, closure: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        hand_over(self.shared.clone(), name.into(), closure)
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// Hands a closure to a thread, as [`spawn_blocking`] does, into the set.
    ///
    /// # Panics
    ///
    /// As [`spawn`](JoinSet::spawn).
    ///
    /// ```
    /// use watchglass::{JoinSet, block_on};
    ///
    /// block_on(async {
    ///     let mut set = JoinSet::new();
    ///     for number in 1..=3 {
    ///         set.spawn_blocking(move || number * number);
    ///     }
    ///     let mut sum = 0;
    ///     while let Some(square) = set.join_next().await {
    ///         sum += square.unwrap();
    ///     }
    ///     assert_eq!(sum, 14);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, closure: F) -> TaskId
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let instead = "call it in async code that runs, or `insert` the handle that `Executor::spawn_blocking` gives";
        let shared = Shared::expect_current("JoinSet::spawn_blocking", instead);
        self.insert(hand_over(shared, name_of::<F>(), closure))
    }

    /// Like [`spawn_blocking`](JoinSet::spawn_blocking), for a closure whose task is to be called `name` in traces and
    /// messages.
    ///
    /// # Panics
    ///
    /// As [`spawn`](JoinSet::spawn).
    #[track_caller]
    pub fn spawn_blocking_named<F>(&mut self, name: impl Into<Name>, closure: F) -> TaskId
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let instead = "call it in async code that runs, or `insert` the handle that \
                       `Executor::spawn_blocking_named` gives";
        let shared = Shared::expect_current("JoinSet::spawn_blocking_named", instead);
        self.insert(hand_over(shared, name.into(), closure))
    }
}

/// A closure is called after the function in which it stands, which is not always the task that hands it over; and what
/// has a name itself, by that.
fn name_of<F>() -> Name {
    let type_name = type_name::<F>();
    let name = short_name(type_name);
    match type_name.ends_with("{{closure}}") {
        true => format!("closure in {name}").into(),
        false => name.into(),
    }
}

#[track_caller]
fn hand_over<F, T>(shared: Rc<Shared>, name: Name, closure: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let at = Location::caller();
    let call = Arc::new(BlockingCall(Mutex::new(None)));
    let wanted = Arc::downgrade(&call);
    let task = boxed_closure(Blocking { call: call.clone() }, name);
    let id = shared.insert_blocking(task, at);
    let waker = shared.waker_for(id);
    let is_out = IsOut::from_now(shared.home.clone());
    // Before a thread is started for it, which takes some time.
    let queued_at = Instant::now();
    let submitted = shared.pool.submit({
        let waker = waker.clone();
        Box::new(move || {
            // What the closure of an aborted task holds or gave is dropped in here: that may wake somebody, and so is
            // a part of the call.
            match wanted.upgrade() {
                Some(call) => call.run(closure, queued_at),
                None => drop(closure),
            }
            waker.wake();
            drop(is_out);
        })
    });
    match submitted {
        Ok(()) => {
            let tracer = shared.tracer();
            let started = move || Event::BlockingStarted { task: id };
            tracer.emit_at(shared.clock.elapsed_at(Some(queued_at)), started);
            shared.queue.with_slot(id, |slot| slot.waits_at = Some(at));
            let (task, on) = (Some(id), WaitsOn::Blocking);
            tracer.emit(move || Event::Waits { task, on, at });
        }
        Err(error) => {
            call.put(Err(error));
            waker.wake();
        }
    }
    JoinHandle::new(shared, id)
}

/// What the closure's thread and the task share. The task keeps it: without the task, nobody wants the outcome.
struct BlockingCall<T>(Mutex<Option<Outcome<T>>>);

/// An error if no thread could be started.
type Outcome<T> = io::Result<Done<T>>;

struct Done<T> {
    result: thread::Result<T>,
    thread: Box<str>,
    queued: Duration,
    took: Duration,
}

impl<T> BlockingCall<T> {
    /// Called on the pool's thread, once.
    fn run(&self, closure: impl FnOnce() -> T, queued_at: Instant) {
        let started_at = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(closure));
        self.put(Ok(Done {
            result,
            thread: thread::current().name().unwrap_or("a thread").into(),
            queued: started_at - queued_at,
            took: started_at.elapsed(),
        }));
    }

    fn put(&self, outcome: Outcome<T>) {
        *self.place() = Some(outcome);
    }

    fn place(&self) -> MutexGuard<'_, Option<Outcome<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that waits for a closure.
struct Blocking<T> {
    call: Arc<BlockingCall<T>>,
}

impl<T> Future for Blocking<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        // Nobody but the closure's thread has this task's waker, and it uses it when all is done.
        let outcome = self.call.place().take();
        let done = outcome
            .expect("the closure has ended")
            .unwrap_or_else(|error| {
                // Told by the panic hook too: there may be no handle any more.
                panic!("spawn_blocking: no thread could be started: {error}")
            });
        let shared = Shared::current().expect("this is polled as a task");
        let task = shared.queue.running().expect("this is polled as a task");
        let is_virtual = shared.clock.is_virtual();
        let on_the_clock = |time| if is_virtual { Duration::ZERO } else { time };
        shared.tracer().emit(move || Event::BlockingDone {
            task,
            thread: done.thread,
            queued: on_the_clock(done.queued),
            took: on_the_clock(done.took),
        });
        match done.result {
            Ok(output) => Poll::Ready(output),
            // The panic has been told of on its own thread; here it only goes on to the handle.
            Err(payload) => resume_unwind(payload),
        }
    }
}

/// While it lives, a closure counts as out on a thread, whatever becomes of it, also if it is dropped unrun.
struct IsOut(Arc<Home>);

impl IsOut {
    fn from_now(home: Arc<Home>) -> Self {
        home.blocking_call_starts();
        IsOut(home)
    }
}

impl Drop for IsOut {
    fn drop(&mut self) {
        self.0.blocking_call_ended();
    }
}
