//! The futures crate's `LocalPool`, with timers from futures-timer, which
//! keeps them on a thread of its own.

use std::time::{Duration, Instant};

use ::futures::executor::{LocalPool, LocalSpawner};
use ::futures::future::RemoteHandle;
use ::futures::task::LocalSpawnExt;
use futures_timer::Delay;

use super::{Handles, Kind, Runtime, Threads, Timers};

pub struct Futures(LocalPool);

impl Runtime for Futures {
    const NAME: &'static str = "futures";
    const KIND: Kind = Kind::Peer;
    type Spawner = LocalSpawner;

    fn new() -> Self {
        Futures(LocalPool::new())
    }

    fn spawner(&self) -> LocalSpawner {
        self.0.spawner()
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.run_until(future)
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(spawner: &LocalSpawner, future: F) {
        spawner.spawn_local(future).expect("the pool is alive");
    }
}

impl Handles for Futures {
    type Handle<T: 'static> = RemoteHandle<T>;
    type Joined<T> = T;

    fn spawn<F>(spawner: &LocalSpawner, future: F) -> RemoteHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let handle = spawner.spawn_local_with_handle(future);
        handle.expect("the pool is alive")
    }

    fn value<T>(joined: T) -> T {
        joined
    }
}

impl Timers for Futures {
    fn sleep(duration: Duration) -> impl Future + 'static {
        Delay::new(duration)
    }

    /// futures-timer knows durations only, hence the look at the clock.
    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        Delay::new(deadline.saturating_duration_since(Instant::now()))
    }
}

impl Threads for Futures {}
