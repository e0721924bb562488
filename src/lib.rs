//! A single-threaded async executor that you can see through: a watch with a glass back.
#![forbid(unsafe_code)]

mod guard;
pub mod task;
mod clock;
mod wheel;
pub mod trace;
mod slots;
mod queue;
mod waker;
mod pool;
mod context;
mod main_task;
mod stalled;
mod executor;
mod builder;
mod join_handle;
mod join_set;
pub mod time;
mod combine;
mod blocking;
#[cfg(test)]
mod faults;

pub use blocking::spawn_blocking;
pub use builder::Builder;
pub use combine::{Join, JoinAll, Race, YieldNow, join, join_all, race, yield_now};
pub use executor::{Executor, Step, block_on};
pub use join_handle::{JoinHandle, spawn, spawn_named};
pub use join_set::{JoinNext, JoinSet};
pub use stalled::{Stalled, StuckTask};
pub use task::{JoinError, TaskId};
pub use time::{interval, now, sleep, sleep_until, timeout};

#[cfg(any(doc, doctest))]
pub mod book;
