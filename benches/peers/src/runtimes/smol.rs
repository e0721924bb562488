//! smol's parts: async-executor's `LocalExecutor` under async-io's `block_on`,
//! which waits in the reactor that also keeps the timers.

use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};
use async_io::Timer;

use super::{Handles, Kind, Pool, Runtime, Threads, Timers};

pub struct Smol(Rc<LocalExecutor<'static>>);

impl Runtime for Smol {
    const NAME: &'static str = "smol";
    const KIND: Kind = Kind::Peer;
    type Spawner = Rc<LocalExecutor<'static>>;

    fn new() -> Self {
        Smol(Rc::new(LocalExecutor::new()))
    }

    fn spawner(&self) -> Self::Spawner {
        Rc::clone(&self.0)
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        async_io::block_on(self.0.run(future))
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(spawner: &Self::Spawner, future: F) {
        spawner.spawn(future).detach();
    }
}

impl Handles for Smol {
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

impl Timers for Smol {
    fn sleep(duration: Duration) -> impl Future + 'static {
        Timer::after(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        Timer::at(deadline)
    }
}

impl Threads for Smol {}

impl Pool for Smol {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        blocking::unblock(work)
    }
}
