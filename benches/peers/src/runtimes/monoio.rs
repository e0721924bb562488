//! monoio on its legacy driver, so that it runs without io_uring.

use std::time::{Duration, Instant};

use ::monoio::task::JoinHandle;
use ::monoio::time::TimeDriver;
use ::monoio::{LegacyDriver, RuntimeBuilder};

use super::{Handles, Kind, Runtime, Threads, Timers};

pub struct Monoio(::monoio::Runtime<TimeDriver<LegacyDriver>>);

impl Runtime for Monoio {
    const NAME: &'static str = "monoio";
    const KIND: Kind = Kind::Peer;
    type Spawner = ();

    fn new() -> Self {
        let runtime = RuntimeBuilder::<LegacyDriver>::new().enable_timer().build();
        Monoio(runtime.expect("monoio's runtime starts"))
    }

    fn spawner(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(_: &(), future: F) {
        drop(::monoio::spawn(future));
    }
}

impl Handles for Monoio {
    type Handle<T: 'static> = JoinHandle<T>;
    type Joined<T> = T;

    fn spawn<F>(_: &(), future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        ::monoio::spawn(future)
    }

    fn value<T>(joined: T) -> T {
        joined
    }
}

impl Timers for Monoio {
    fn sleep(duration: Duration) -> impl Future + 'static {
        ::monoio::time::sleep(duration)
    }

    fn sleep_until(deadline: Instant) -> impl Future + 'static {
        ::monoio::time::sleep_until(deadline.into())
    }
}

impl Threads for Monoio {
    const BUILT_IN: bool = cfg!(feature = "monoio-sync");
}
