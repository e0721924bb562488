//! watchglass: an `Executor` that is kept from round to round.

use std::time::{Duration, Instant};

use watchglass::{Executor, JoinError, JoinHandle};

use super::{Handles, Kind, Pool, Runtime, Threads, Timers};

pub struct Watchglass(Executor);

impl Runtime for Watchglass {
    const NAME: &'static str = "watchglass";
    const KIND: Kind = Kind::Subject;
    type Spawner = ();

    fn new() -> Self {
        Watchglass(Executor::new())
    }

    fn spawner(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(_: &(), future: F) {
        drop(watchglass::spawn(future));
    }

    fn join_all<F: Future>(futures: Vec<F>) -> impl Future<Output = Vec<F::Output>> {
        watchglass::join_all(futures)
    }
}

impl Handles for Watchglass {
    type Handle<T: 'static> = JoinHandle<T>;
    type Joined<T> = Result<T, JoinError>;

    fn spawn<F>(_: &(), future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        watchglass::spawn(future)
    }

    fn value<T>(joined: Result<T, JoinError>) -> T {
        joined.expect("the task neither panics nor is aborted")
    }
}

impl Timers for Watchglass {
    fn sleep(duration: Duration) -> impl Future + 'static {
        watchglass::sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        watchglass::sleep_until(deadline)
    }
}

impl Threads for Watchglass {}

impl Pool for Watchglass {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let handle = watchglass::spawn_blocking(work);
        async { handle.await.expect("the closure does not panic") }
    }
}
