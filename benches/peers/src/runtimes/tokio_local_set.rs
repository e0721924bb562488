//! tokio as most single-threaded programs have it: a `current_thread` runtime
//! that drives a `LocalSet`.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::{JoinError, JoinHandle, LocalSet, spawn_local};

use super::{Handles, Kind, Pool, Runtime, Threads, Timers};

pub struct TokioLocalSet {
    runtime: tokio::runtime::Runtime,
    tasks: LocalSet,
}

impl Runtime for TokioLocalSet {
    const NAME: &'static str = "tokio";
    const KIND: Kind = Kind::Peer;
    type Spawner = ();

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build();
        TokioLocalSet {
            runtime: runtime.expect("tokio's runtime starts"),
            tasks: LocalSet::new(),
        }
    }

    fn spawner(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.tasks.block_on(&self.runtime, future)
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(_: &(), future: F) {
        drop(spawn_local(future));
    }
}

impl Handles for TokioLocalSet {
    type Handle<T: 'static> = JoinHandle<T>;
    type Joined<T> = Result<T, JoinError>;

    fn spawn<F>(_: &(), future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_local(future)
    }

    fn value<T>(joined: Result<T, JoinError>) -> T {
        joined.expect("the task neither panics nor is aborted")
    }
}

impl Timers for TokioLocalSet {
    fn sleep(duration: Duration) -> impl Future + 'static {
        tokio::time::sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        tokio::time::sleep_until(deadline.into())
    }
}

impl Threads for TokioLocalSet {}

impl Pool for TokioLocalSet {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let handle = tokio::task::spawn_blocking(work);
        async { handle.await.expect("the closure does not panic") }
    }
}
