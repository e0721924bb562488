//! compio's runtime on the driver that it chooses: io_uring where the system
//! lets it, polling elsewhere.
//!
//! One setting is not the default. compio-executor 0.1.4 takes wakes from other
//! threads through a queue of fixed size, 64 unless told otherwise. A waker
//! that finds it full rouses the executor first and pushes afterwards; if the
//! executor has emptied the queue and gone to sleep in between, nobody rouses
//! it again and the wake is lost. With the default, `remote_flood` soon hangs
//! for good, so the queue is given room for every task that is woken there.

use std::time::{Duration, Instant};

use compio_driver::DriverType;
use compio_runtime::{JoinError, JoinHandle, RuntimeBuilder};

use super::{Handles, Kind, Pool, Runtime, Threads, Timers};

/// At least the number of tasks that `remote_flood` wakes at once.
const REMOTE_WAKES: usize = 1024;

pub struct Compio(compio_runtime::Runtime);

impl Compio {
    /// Which driver a runtime on this machine gets.
    pub fn driver() -> &'static str {
        match Compio::new().0.driver_type() {
            DriverType::Poll => "polling",
            DriverType::IoUring => "io_uring",
            DriverType::IOCP => "IOCP",
        }
    }
}

impl Runtime for Compio {
    const NAME: &'static str = "compio";
    const KIND: Kind = Kind::Peer;
    type Spawner = ();

    fn new() -> Self {
        let runtime = RuntimeBuilder::new().sync_queue_size(REMOTE_WAKES).build();
        Compio(runtime.expect("compio's runtime starts"))
    }

    fn spawner(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(_: &(), future: F) {
        compio_runtime::spawn(future).detach();
    }
}

impl Handles for Compio {
    type Handle<T: 'static> = JoinHandle<T>;
    type Joined<T> = Result<T, JoinError>;

    fn spawn<F>(_: &(), future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        compio_runtime::spawn(future)
    }

    fn value<T>(joined: Result<T, JoinError>) -> T {
        joined.expect("the task neither panics nor is cancelled")
    }
}

impl Timers for Compio {
    fn sleep(duration: Duration) -> impl Future + 'static {
        compio_runtime::time::sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        compio_runtime::time::sleep_until(deadline)
    }
}

impl Threads for Compio {}

impl Pool for Compio {
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let handle = compio_runtime::spawn_blocking(work);
        async { handle.await.expect("the closure does not panic") }
    }
}
