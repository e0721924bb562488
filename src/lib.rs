//! A single-threaded async executor that you can see through: a watch with a glass back.
//!
//! Calling an `async fn` runs nothing. The call gives a value, a [`Future`], which somebody has to poll until it is
//! ready. Who polls it, when, and on which thread is up to a library: the executor. This executor is made to be read,
//! and to be watched at work. It has a queue of tasks, a timer wheel for those that sleep, a thread pool for what
//! blocks, and an [event](trace::Event) for each thing that it does.
//!
//! # A first program
//!
//! ```
//! # thread_local! { static PRINTED: std::cell::RefCell<Vec<String>> = Default::default() }
//! # macro_rules! println { ($($text:tt)*) => { PRINTED.with_borrow_mut(|lines| lines.push(format!($($text)*))) } }
//! use std::time::{Duration, Instant};
//! use watchglass::{block_on, join, sleep};
//!
//! async fn task_async(name: &str, delay_ms: u64) {
//!     println!("{name} starting");
//!     sleep(Duration::from_millis(delay_ms)).await;
//!     println!("{name} done");
//! }
//!
//! let start = Instant::now();
//! block_on(join(task_async("Task A", 200), task_async("Task B", 100)));
//! assert!(start.elapsed() >= Duration::from_millis(200)); // and not 300
//! # let lines = ["Task A starting", "Task B starting", "Task B done", "Task A done"];
//! # assert_eq!(PRINTED.take(), lines);
//! ```
//!
//! It prints `Task A starting`, `Task B starting`, `Task B done`, `Task A done`. The folder
//! `examples/` has this program and others, each with a line on what it shows.
//!
//! # Where to find what
//!
//! - To run futures: [`block_on`], [`spawn`], [`JoinHandle`], [`AbortHandle`], [`JoinSet`], and [`Executor`] with its
//!   [`Builder`] for more. [`Executor::try_block_on`] gives a [`Stalled`] in place of a panic.
//! - To wait: [`sleep`], [`sleep_until`], [`timeout`], [`timeout_at`], [`interval`], [`interval_at`], [`yield_now`].
//!   The types of all but the last are in the module [`time`]. [`now`] is the time on the executor's clock.
//! - To wait for several at the same time: [`join`], [`join_all()`], [`race`].
//! - To call what blocks: [`spawn_blocking`].
//! - To test with time: [`Builder::virtual_time`], [`Builder::seed`], [`Executor::step`].
//! - To see what happens: [`spawn_named`], [`current_task`], [`Builder::observer`], and [`Recording`](trace::Recording)
//!   in the module [`trace`].
//! - To learn how it all works, from the first poll: the [`book`]. For those who know Python's asyncio, tokio or smol,
//!   its chapter 12 says what maps to what.
//!
//! # The life of one sleep
//!
//! `cargo run --example one_sleep` prints these steps as they happen. Each step names the source files that carry it
//! out.
//!
//! 1. [`block_on`] makes an [`Executor`] the one that runs on this thread, and its future the main
//!    task, which is polled like every other ([main_task.rs], [executor.rs]).
//! 2. [`spawn`] puts a future in the table of tasks and its [`TaskId`] at the back of the ready queue
//!    ([slots.rs], [queue.rs]).
//! 3. The executor takes the id from the queue and polls the future with that task's waker
//!    ([executor.rs], [poll.rs], [counted_waker.rs]).
//! 4. When a [`Sleep`](time::Sleep) is polled, it leaves its deadline in the timer wheel, together with whom to wake:
//!    the task. It answers `Pending` ([time.rs], [timers.rs], [wheel.rs]).
//! 5. Nothing is ready, so the executor parks the thread until the next deadline in the wheel, or until another thread
//!    sends a wake to its inbox. One function does this, and the thread never parks anywhere else ([rest.rs],
//!    [inbox.rs]).
//! 6. The deadline passes. The wheel hands the timer out, and its task is queued again
//!    ([timers.rs]).
//! 7. The second poll is `Ready`. The future is dropped, and its output waits for the
//!    [`JoinHandle`] ([task.rs], [context.rs]).
//! 8. Whoever awaits the handle is queued, and takes the output ([join_handle.rs]).
//!
//! # The reading order
//!
//! Each file imports only from files above it, with two exceptions: a module may import its own parts, and [builder.rs]
//! calls what the two features bring (`view`, `slack`). (The methods of a type may be spread over several files, some
//! of them below the type's own.)
//!
//! | file | what it is |
//! |---|---|
//! | [guard.rs] | keeps a panic of the user's code from going where it does not belong |
//! | [name.rs] | what a task is called |
//! | [task.rs] | what a task is: its id, and the box that it lives in |
//! | [task/join_error.rs] | why a task may have no output |
//! | [clock.rs] | real time, or a virtual time that jumps |
//! | [free.rs] | which places of a table are free, to be used again |
//! | [wheel.rs] | the timer wheel: what was put in it comes out in the order of its deadlines |
//! | [trace/mod.rs] | what happened, told to an observer |
//! | [trace/event.rs] | every event |
//! | [trace/words.rs] | how places, times and names are written |
//! | [trace/sentences.rs] | the sentence that each event is printed as |
//! | [trace/observer.rs] | who is told |
//! | [trace/recording.rs] | an observer that keeps every event |
//! | [trace/known.rs] | what is kept of each task from one event to the next |
//! | [trace/said.rs] | what a poll has said that its task waits for |
//! | [trace/timed_poll.rs] | how long a poll takes, and where its time goes |
//! | [waiter.rs] | who is told that a timer has fired, or a task has ended |
//! | [waiter/woken_children.rs] | which futures of a `join_all` were woken |
//! | [slots.rs] | the table of tasks, and the states that a task goes through |
//! | [queue.rs] | the ready queue: who is to be polled, first in, first out |
//! | [inbox.rs] | how other threads reach the executor, and why no wake is lost; the park |
//! | [spin.rs] | a short wait without sleep, where another thread is likely to answer |
//! | [counted_waker.rs] | a waker whose clones are counted, for whoever polls with it |
//! | [pool.rs] | the threads that run what blocks |
//! | [context.rs] | what the running executor shares with its futures |
//! | [own_wakers.rs] | the tasks' own wakers: kept, left for others, held by somebody outside |
//! | [current.rs] | the executor that runs on this thread |
//! | [waker.rs] | what a wake does: to the queue from here, to the inbox from elsewhere |
//! | [waiting.rs] | a future waits: whom to wake for it, and the wake |
//! | [elsewhere.rs] | a task awaits one of another executor |
//! | [timers.rs] | what becomes of a timer: armed, moved, cancelled, fired |
//! | [diagnosis.rs] | what is wrong with a poll, told to the observer |
//! | [poll.rs] | one poll: with which waker, and what comes after it |
//! | [main_task.rs] | the future given to `block_on`, as a task |
//! | [lost.rs] | tasks that nobody will ever wake, told to the observer |
//! | [unfinished.rs] | which tasks have not finished, and where each waits |
//! | [stalled.rs] | the verdict that nothing can ever happen again |
//! | [rest.rs] | when nothing is ready: time moves, or the verdict falls, or the thread parks |
//! | [executor.rs] | the loop that polls what is ready |
//! | [builder.rs] | the choices that an executor offers |
//! | [join_handle.rs] | awaiting the end of a task |
//! | [join_set.rs] | awaiting many, in the order in which they end |
//! | [time.rs] | `sleep` |
//! | [time/timeout.rs] | `timeout`: a future that has only so long |
//! | [time/interval.rs] | `interval`: a sleep that is armed again and again |
//! | [combine.rs] | `join`, `race`, `yield_now` |
//! | [join_all.rs] | `join_all`, whose futures may have wakers of their own |
//! | [label.rs] | `label`: a name and a place for a wait that the executor knows nothing of |
//! | [blocking.rs] | `spawn_blocking`: a closure on a thread of the pool, as a task |
//!
//! # Features
//!
//! Both are off unless they are asked for.
//!
//! - `view` shows what happened, as a story, a timeline, or a page to step through in a browser: see the module `view`.
//!   It needs no change to the program: `WATCHGLASS=story cargo run --example one_sleep`. (If one package of a program
//!   asks for this feature, Cargo turns it on for the whole program. The variable then says what is shown, and how the
//!   program runs.)
//! - `timer-slack` makes sleeps less late on Linux. The kernel may end a timed wait up to 50 us late, unless the thread
//!   asks for less. With this feature [`Builder::build`] asks for the least there is: for the thread that calls it, as
//!   long as that thread lives, and for the threads that it starts.
//!
//! # Tasks stay on their thread
//!
//! An executor polls on one thread. So neither futures nor their outputs need to be `Send`, and a task that computes
//! for long keeps all others waiting.
//!
//! Futures that wait for this executor are not `Send`: a sleep, a timeout, an interval, a handle, a set, and each async
//! block that awaits one of these. So box them with `Box::pin`, or with `boxed_local` of the crate futures (not
//! `boxed`), and write `#[async_trait(?Send)]`. Wakers are `Send` and `Sync`: any thread may wake a task.
//!
//! Nothing is global except what `WATCHGLASS` asks for: each thread may have its own executor, or several one after
//! another.
//!
//! [guard.rs]: ../src/watchglass/guard.rs.html
//! [name.rs]: ../src/watchglass/name.rs.html
//! [task.rs]: ../src/watchglass/task.rs.html
//! [task/join_error.rs]: ../src/watchglass/task/join_error.rs.html
//! [clock.rs]: ../src/watchglass/clock.rs.html
//! [free.rs]: ../src/watchglass/free.rs.html
//! [wheel.rs]: ../src/watchglass/wheel.rs.html
//! [trace/mod.rs]: ../src/watchglass/trace/mod.rs.html
//! [trace/event.rs]: ../src/watchglass/trace/event.rs.html
//! [trace/words.rs]: ../src/watchglass/trace/words.rs.html
//! [trace/sentences.rs]: ../src/watchglass/trace/sentences.rs.html
//! [trace/observer.rs]: ../src/watchglass/trace/observer.rs.html
//! [trace/recording.rs]: ../src/watchglass/trace/recording.rs.html
//! [trace/known.rs]: ../src/watchglass/trace/known.rs.html
//! [trace/said.rs]: ../src/watchglass/trace/said.rs.html
//! [trace/timed_poll.rs]: ../src/watchglass/trace/timed_poll.rs.html
//! [waiter.rs]: ../src/watchglass/waiter.rs.html
//! [waiter/woken_children.rs]: ../src/watchglass/waiter/woken_children.rs.html
//! [slots.rs]: ../src/watchglass/slots.rs.html
//! [queue.rs]: ../src/watchglass/queue.rs.html
//! [inbox.rs]: ../src/watchglass/inbox.rs.html
//! [spin.rs]: ../src/watchglass/spin.rs.html
//! [counted_waker.rs]: ../src/watchglass/counted_waker.rs.html
//! [pool.rs]: ../src/watchglass/pool.rs.html
//! [context.rs]: ../src/watchglass/context.rs.html
//! [own_wakers.rs]: ../src/watchglass/own_wakers.rs.html
//! [current.rs]: ../src/watchglass/current.rs.html
//! [waker.rs]: ../src/watchglass/waker.rs.html
//! [waiting.rs]: ../src/watchglass/waiting.rs.html
//! [elsewhere.rs]: ../src/watchglass/elsewhere.rs.html
//! [timers.rs]: ../src/watchglass/timers.rs.html
//! [diagnosis.rs]: ../src/watchglass/diagnosis.rs.html
//! [poll.rs]: ../src/watchglass/poll.rs.html
//! [main_task.rs]: ../src/watchglass/main_task.rs.html
//! [lost.rs]: ../src/watchglass/lost.rs.html
//! [unfinished.rs]: ../src/watchglass/unfinished.rs.html
//! [stalled.rs]: ../src/watchglass/stalled.rs.html
//! [rest.rs]: ../src/watchglass/rest.rs.html
//! [executor.rs]: ../src/watchglass/executor.rs.html
//! [builder.rs]: ../src/watchglass/builder.rs.html
//! [join_handle.rs]: ../src/watchglass/join_handle.rs.html
//! [join_set.rs]: ../src/watchglass/join_set.rs.html
//! [time.rs]: ../src/watchglass/time.rs.html
//! [time/timeout.rs]: ../src/watchglass/time/timeout.rs.html
//! [time/interval.rs]: ../src/watchglass/time/interval.rs.html
//! [combine.rs]: ../src/watchglass/combine.rs.html
//! [label.rs]: ../src/watchglass/label.rs.html
//! [join_all.rs]: ../src/watchglass/join_all.rs.html
//! [blocking.rs]: ../src/watchglass/blocking.rs.html
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod guard;
mod name;
pub mod task;
mod clock;
mod free;
mod wheel;
pub mod trace;
mod waiter;
mod slots;
mod queue;
mod inbox;
mod spin;
mod counted_waker;
mod pool;
mod context;
mod own_wakers;
mod current;
mod waker;
mod waiting;
mod elsewhere;
mod timers;
mod diagnosis;
mod poll;
mod main_task;
mod lost;
mod unfinished;
mod stalled;
mod rest;
mod executor;
mod builder;
mod join_handle;
mod join_set;
pub mod time;
mod combine;
mod join_all;
mod label;
mod blocking;
#[cfg(feature = "view")]
pub mod view;
#[cfg(not(feature = "view"))]
#[path = "no_view.rs"]
mod view;
#[cfg(all(feature = "timer-slack", target_os = "linux"))]
mod slack;
#[cfg(not(all(feature = "timer-slack", target_os = "linux")))]
#[path = "no_slack.rs"]
mod slack;
#[cfg(test)]
mod faults;

pub use blocking::{spawn_blocking, spawn_blocking_named};
pub use builder::Builder;
pub use combine::{Join, Race, YieldNow, join, race, yield_now};
pub use current::current_task;
pub use executor::{Executor, Step, block_on};
pub use join_all::{JoinAll, join_all};
pub use join_handle::{AbortHandle, JoinHandle, spawn, spawn_named};
pub use join_set::{JoinNext, JoinNextWithId, JoinSet, Shutdown};
pub use label::{Label, label};
pub use stalled::Stalled;
#[doc(inline)]
pub use task::{JoinError, TaskId};
#[doc(inline)]
pub use time::{Elapsed, interval, interval_at, now, sleep, sleep_until, timeout, timeout_at};
pub use unfinished::UnfinishedTask;

#[cfg(any(doc, doctest))]
pub mod book;

/// The programs in the README, compiled and run with the tests of the docs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
