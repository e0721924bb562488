//! What every executor in the comparison has to offer.
//!
//! The workloads are generic over these traits, and everything is dispatched
//! statically: no runtime pays for a box or a virtual call that a program
//! written directly against it would not pay for. A trait stands for one
//! ability, so that a workload states in its bounds what it needs, and the
//! [`floor`], which has few of them, cannot be entered where it would cheat.

use std::time::{Duration, Instant};

pub mod watchglass;
pub mod tokio_local_set;
pub mod tokio_local_runtime;
pub mod smol;
pub mod smol_static;
pub mod futures;
pub mod monoio;
pub mod compio;
pub mod floor;

/// What a row of the comparison is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The library whose package this is.
    Subject,
    /// An executor that people use; the best of these is what ratios refer to.
    Peer,
    /// Not a rival but a yardstick.
    Floor,
}

impl Kind {
    /// The word that stands for this kind in the JSON report.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Subject => "subject",
            Kind::Peer => "peer",
            Kind::Floor => "floor",
        }
    }
}

/// An executor on this thread, built once and used for every round.
pub trait Runtime: Sized + 'static {
    /// The row's name.
    const NAME: &'static str;
    /// What the row is there for.
    const KIND: Kind;
    /// What a future needs to spawn another: nothing for runtimes with a free
    /// function, a handle for the others.
    type Spawner: Clone + 'static;

    /// Builds the runtime with timers and without I/O, where it has the choice.
    fn new() -> Self;

    /// The spawner for use inside [`block_on`](Runtime::block_on).
    fn spawner(&self) -> Self::Spawner;

    /// Runs `future` and the tasks it spawns until `future` completes.
    fn block_on<F: Future>(&mut self, future: F) -> F::Output;

    /// Spawns a task that nobody will join, the way this runtime does that best.
    fn spawn_detached<F>(spawner: &Self::Spawner, future: F)
    where
        F: Future<Output = ()> + 'static;

    /// Runs all `futures` inside the calling task.
    fn join_all<F: Future>(futures: Vec<F>) -> impl Future<Output = Vec<F::Output>> {
        ::futures::future::join_all(futures)
    }
}

/// A runtime whose tasks can be awaited.
pub trait Handles: Runtime {
    /// The future that completes with the task.
    type Handle<T: 'static>: Future<Output = Self::Joined<T>>;
    /// What the handle gives: the value, or a result that may hold a panic.
    type Joined<T>;

    /// Spawns a task and keeps its handle.
    fn spawn<F>(spawner: &Self::Spawner, future: F) -> Self::Handle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static;

    /// The task's value; a task that failed stops the whole comparison.
    fn value<T>(joined: Self::Joined<T>) -> T;
}

/// A runtime with timers. The functions are called inside `block_on` only.
pub trait Timers: Runtime {
    /// A future that completes once `duration` has passed since this call.
    fn sleep(duration: Duration) -> impl Future + 'static;

    /// A future that completes once `deadline` has passed.
    fn sleep_until(deadline: Instant) -> impl Future + 'static;
}

/// A runtime whose wakers may be woken from another thread.
pub trait Threads: Runtime {
    /// False where this build left the ability out.
    const BUILT_IN: bool = true;
}

/// A runtime with a pool of threads for what blocks. The function is called inside `block_on` only.
pub trait Pool: Runtime {
    /// A future that completes once a thread of the pool, to which `work` is
    /// handed by this call, is done with it.
    fn spawn_blocking<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T>;
}
