//! smol's parts once more, with async-executor's `StaticLocalExecutor`, which
//! spawns faster and is never dropped.

use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, StaticLocalExecutor, Task};
use async_io::Timer;

use super::{Handles, Kind, Pool, Runtime, Threads, Timers};

pub struct SmolStatic(&'static StaticLocalExecutor);

impl Runtime for SmolStatic {
    const NAME: &'static str = "smol-static";
    const KIND: Kind = Kind::Peer;
    type Spawner = &'static StaticLocalExecutor;

    fn new() -> Self {
        SmolStatic(LocalExecutor::new().leak())
    }

    fn spawner(&self) -> Self::Spawner {
        self.0
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        async_io::block_on(self.0.run(future))
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(spawner: &Self::Spawner, future: F) {
        spawner.spawn(future).detach();
    }
}

impl Handles for SmolStatic {
    type Handle<T: 'static> = Task<T>;
    type Joined<T> = T;

    fn spawn<F>(spawner: &Self::Spawner, future: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawner.spawn(future)
    }

    fn value<T>(joined: T) -> T {
        joined
    }
}

impl Timers for SmolStatic {
    fn sleep(duration: Duration) -> impl Future + 'static {
        Timer::after(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        Timer::at(deadline)
    }
}

impl Threads for SmolStatic {}

impl Pool for SmolStatic {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        blocking::unblock(work)
    }
}
