//! tokio's `LocalRuntime`: the newer way to run futures that are not `Send`,
//! which spawns straight into the scheduler and needs no `LocalSet`.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalRuntime};
use tokio::task::{JoinError, JoinHandle, spawn_local};

use super::{Handles, Kind, Pool, Runtime, Threads, Timers};

pub struct TokioLocalRuntime(LocalRuntime);

impl Runtime for TokioLocalRuntime {
    const NAME: &'static str = "tokio-local";
    const KIND: Kind = Kind::Peer;
    type Spawner = ();

    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build_local(Default::default());
        TokioLocalRuntime(runtime.expect("tokio's runtime starts"))
    }

    fn spawner(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(_: &(), future: F) {
        drop(spawn_local(future));
    }
}

impl Handles for TokioLocalRuntime {
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

impl Timers for TokioLocalRuntime {
    fn sleep(duration: Duration) -> impl Future + 'static {
        tokio::time::sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        tokio::time::sleep_until(deadline.into())
    }
}

impl Threads for TokioLocalRuntime {}

impl Pool for TokioLocalRuntime {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let handle = tokio::task::spawn_blocking(work);
        async { handle.await.expect("the closure does not panic") }
    }
}
