//! The contest: which runtimes there are, and which can do which workload.
//!
//! Here the runtimes' types end. [`Entrant`] knows a runtime by plain function
//! pointers, each to code that was compiled for that runtime alone.

use crate::catalogue::Workload;
use crate::memory;
use crate::runtimes::compio::Compio;
use crate::runtimes::floor::Floor;
use crate::runtimes::futures::Futures;
use crate::runtimes::monoio::Monoio;
use crate::runtimes::smol::Smol;
use crate::runtimes::smol_static::SmolStatic;
use crate::runtimes::tokio_local_runtime::TokioLocalRuntime;
use crate::runtimes::tokio_local_set::TokioLocalSet;
use crate::runtimes::watchglass::Watchglass;
use crate::runtimes::{Handles, Kind, Pool, Runtime, Threads, Timers};
use crate::workloads::{self, Sample};

/// Takes one sample of one workload on one runtime, which it keeps.
pub type Sampler = Box<dyn FnMut() -> Sample>;

/// A runtime, or a yardstick, that takes part.
pub struct Entrant {
    pub name: &'static str,
    pub kind: Kind,
    enter: fn(Workload) -> Option<Sampler>,
    fill: fn(Workload),
}

impl Entrant {
    /// Builds the runtime for `workload`; `None` if it cannot do that one.
    pub fn enter(&self, workload: Workload) -> Option<Sampler> {
        (self.enter)(workload)
    }

    /// In a process of its own: fills the memory with tasks, prints what one
    /// costs and exits. Returns if this entrant has no such tasks.
    pub fn fill(&self, workload: Workload) {
        (self.fill)(workload);
    }
}

/// All who take part, in the order of the report.
pub fn entrants() -> Vec<Entrant> {
    vec![
        with_a_pool::<Watchglass>(),
        with_a_pool::<TokioLocalSet>(),
        with_a_pool::<TokioLocalRuntime>(),
        with_a_pool::<Smol>(),
        with_a_pool::<SmolStatic>(),
        without_a_pool::<Futures>(),
        without_a_pool::<Monoio>(),
        with_a_pool::<Compio>(),
        Entrant {
            name: Floor::NAME,
            kind: Floor::KIND,
            enter: enter_floor,
            fill: fill_floor,
        },
        yardstick("park_timeout", |workload| {
            sleep_late_only(workload, workloads::sleep_late_parked)
        }),
        yardstick("async-io", |workload| {
            sleep_late_only(workload, workloads::sleep_late_async_io)
        }),
    ]
}

fn with_a_pool<R: Handles + Pool + Threads + Timers>() -> Entrant {
    Entrant {
        enter: |workload| enter_pool::<R>(workload).or_else(|| enter::<R>(workload)),
        ..without_a_pool::<R>()
    }
}

fn without_a_pool<R: Handles + Threads + Timers>() -> Entrant {
    Entrant {
        name: R::NAME,
        kind: R::KIND,
        enter: enter::<R>,
        fill: fill::<R>,
    }
}

fn enter<R: Handles + Threads + Timers>(workload: Workload) -> Option<Sampler> {
    let sampler = match workload {
        Workload::RemoteWake | Workload::RemoteFlood | Workload::RemotePaced if !R::BUILT_IN => {
            return None;
        }
        Workload::SpawnJoin => on::<R>(workloads::spawn_join),
        Workload::SpawnOneByOne => on::<R>(workloads::spawn_one_by_one),
        Workload::SpawnDetached => on::<R>(workloads::spawn_detached),
        Workload::SpawnWait => on::<R>(workloads::spawn_wait),
        Workload::LargeOutput => on::<R>(workloads::large_output::<R, 3000>),
        Workload::PageOutput => on::<R>(workloads::large_output::<R, 4096>),
        Workload::YieldOne => on::<R>(workloads::yield_one),
        Workload::YieldMany => on::<R>(workloads::yield_many),
        Workload::PingPong => on::<R>(workloads::ping_pong),
        Workload::FanIn => on::<R>(workloads::fan_in),
        Workload::FanInFew => on::<R>(workloads::fan_in_few),
        Workload::FanInWoken => on::<R>(workloads::fan_in_woken),
        Workload::RemoteWake => on::<R>(workloads::remote_wake),
        Workload::RemoteFlood => on::<R>(workloads::remote_flood),
        Workload::RemotePaced => on::<R>(workloads::remote_paced),
        Workload::SleepCancel => on::<R>(workloads::sleep_cancel),
        Workload::SleepFire => on::<R>(workloads::sleep_fire),
        Workload::SleepLate => on::<R>(workloads::sleep_late),
        Workload::BusyWithTimers => on::<R>(workloads::busy_with_timers),
        Workload::BlockOnReady => on::<R>(workloads::block_on_ready),
        Workload::MemoryWaiting | Workload::MemorySleeping => in_own_process::<R>(workload),
        Workload::BlockingOneByOne | Workload::BlockingMany => return None,
    };
    Some(sampler)
}

fn enter_pool<R: Pool>(workload: Workload) -> Option<Sampler> {
    match workload {
        Workload::BlockingOneByOne => Some(on::<R>(workloads::blocking_one_by_one)),
        Workload::BlockingMany => Some(on::<R>(workloads::blocking_many)),
        _ => None,
    }
}

/// The floor does what needs neither handles nor threads nor timers.
fn enter_floor(workload: Workload) -> Option<Sampler> {
    match workload {
        Workload::SpawnDetached => Some(on::<Floor>(workloads::spawn_detached)),
        Workload::YieldOne => Some(on::<Floor>(workloads::yield_one)),
        Workload::YieldMany => Some(on::<Floor>(workloads::yield_many)),
        Workload::PingPong => Some(on::<Floor>(workloads::ping_pong)),
        Workload::FanIn => Some(on::<Floor>(workloads::fan_in)),
        Workload::BlockOnReady => Some(on::<Floor>(workloads::block_on_ready)),
        Workload::MemoryWaiting => Some(in_own_process::<Floor>(workload)),
        _ => None,
    }
}

fn on<R: Runtime>(workload: fn(&mut R) -> Sample) -> Sampler {
    let mut runtime = R::new();
    Box::new(move || workload(&mut runtime))
}

fn in_own_process<R: Runtime>(workload: Workload) -> Sampler {
    Box::new(move || memory::in_own_process(workload.name(), R::NAME))
}

fn fill<R: Timers>(workload: Workload) {
    match workload {
        Workload::MemoryWaiting => memory::of_waiting_tasks::<R>(),
        Workload::MemorySleeping => memory::of_sleeping_tasks::<R>(),
        _ => {}
    }
}

fn fill_floor(workload: Workload) {
    if workload == Workload::MemoryWaiting {
        memory::of_waiting_tasks::<Floor>();
    }
}

fn yardstick(name: &'static str, enter: fn(Workload) -> Option<Sampler>) -> Entrant {
    Entrant {
        name,
        kind: Kind::Floor,
        enter,
        fill: |_| {},
    }
}

fn sleep_late_only(workload: Workload, sample: fn() -> Sample) -> Option<Sampler> {
    (workload == Workload::SleepLate).then(|| Box::new(sample) as Sampler)
}
