//! The real executor, as random programs see it.

use std::cell::Cell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use watchglass::task::TaskId;
use watchglass::time::{Interval, Sleep};
use watchglass::trace::{Cause, Event, Recording};
use watchglass::{Builder, Executor, JoinError, JoinHandle, JoinSet};

use crate::program::{Boxed, Joined, NEVER, Out, Phase, Runtime, World};

thread_local! {
    /// When virtual time began.
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

pub(crate) struct Real;

fn start() -> Instant {
    START.get().expect("a run has begun")
}

fn duration(ns: u64) -> Duration {
    match ns {
        NEVER => Duration::MAX,
        ns => Duration::from_nanos(ns),
    }
}

fn instant(ns: u64) -> Instant {
    // Later than a `u64` of nanoseconds can say, which is never.
    let never = Duration::from_nanos(NEVER) + Duration::from_nanos(1);
    match ns {
        NEVER => start() + never,
        ns => start() + Duration::from_nanos(ns),
    }
}

fn nanoseconds(instant: Instant) -> u64 {
    (instant - start()).as_nanos() as u64
}

impl Runtime for Real {
    type Handle = JoinHandle<Out<Real>>;
    type Error = JoinError;
    type Sleep = Sleep;
    type Interval = Interval;
    type Set = JoinSet<Out<Real>>;
    type Waiter = Waker;

    fn now() -> u64 {
        nanoseconds(watchglass::now())
    }

    fn spawn(future: Boxed<Out<Self>>) -> Self::Handle {
        watchglass::spawn(future)
    }

    fn name_of(handle: &Self::Handle) -> String {
        handle.id().to_string()
    }

    fn abort(handle: &Self::Handle) {
        handle.abort();
    }

    fn is_finished(handle: &Self::Handle) -> bool {
        handle.is_finished()
    }

    fn yield_now() -> Boxed<()> {
        Box::pin(watchglass::yield_now())
    }

    fn sleep(ns: u64) -> Sleep {
        watchglass::sleep(duration(ns))
    }

    fn sleep_until(ns: u64) -> Sleep {
        watchglass::sleep_until(instant(ns))
    }

    fn reset(sleep: &mut Sleep, ns: u64) {
        sleep.reset(instant(ns));
    }

    fn is_elapsed(sleep: &Sleep) -> bool {
        sleep.is_elapsed()
    }

    fn timeout<'a, T: 'a>(
        ns: u64,
        future: impl Future<Output = T> + 'a,
    ) -> Pin<Box<dyn Future<Output = Option<T>> + 'a>> {
        let timeout = watchglass::timeout(duration(ns), future);
        Box::pin(async { timeout.await.ok() })
    }

    fn interval(period: u64) -> Interval {
        watchglass::interval(duration(period))
    }

    fn tick(interval: &mut Interval) -> Pin<Box<dyn Future<Output = u64> + '_>> {
        Box::pin(async { nanoseconds(interval.tick().await) })
    }

    fn join<T: 'static>(a: Boxed<T>, b: Boxed<T>) -> Boxed<(T, T)> {
        Box::pin(watchglass::join(a, b))
    }

    fn join_all<T: 'static>(futures: Vec<Boxed<T>>) -> Boxed<Vec<T>> {
        Box::pin(watchglass::join_all(futures))
    }

    fn race<T: 'static>(a: Boxed<T>, b: Boxed<T>) -> Boxed<T> {
        Box::pin(watchglass::race(a, b))
    }

    fn set() -> Self::Set {
        JoinSet::new()
    }

    fn set_spawn(set: &mut Self::Set, future: Boxed<Out<Self>>) {
        set.spawn(future);
    }

    fn set_insert(set: &mut Self::Set, handle: Self::Handle) {
        set.insert(handle);
    }

    fn set_next<'a>(set: &'a mut Self::Set) -> Pin<Box<dyn Future<Output = Joined<Self>> + 'a>> {
        Box::pin(set.join_next())
    }

    fn set_try_next(set: &mut Self::Set) -> Joined<Self> {
        set.try_join_next()
    }

    fn set_abort_all(set: &Self::Set) {
        set.abort_all();
    }

    fn set_detach_all(set: &mut Self::Set) {
        set.detach_all();
    }

    fn set_len(set: &Self::Set) -> usize {
        set.len()
    }

    fn waiter(cx: &Context<'_>) -> Waker {
        cx.waker().clone()
    }

    fn wake(waiter: Waker) {
        waiter.wake();
    }
}

/// How the real executor runs a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Nobody looks on.
    Plain,
    /// Each event is recorded.
    Traced,
    /// Recorded, and in an order that this seed shuffles.
    Shuffled(u64),
}

/// What a run has left: what the tasks saw, and every event.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Ran {
    pub(crate) log: Vec<String>,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn run(phases: &[Phase], mode: Mode) -> Ran {
    let recording = Recording::new();
    let builder = Executor::builder().virtual_time();
    let executor = traced(builder, mode, &recording).build();
    // Virtual time stands still before the first task runs.
    START.set(Some(executor.block_on(async { watchglass::now() })));
    let world = World::<Real>::new();
    for phase in phases {
        let ran = catch_unwind(AssertUnwindSafe(|| match phase {
            Phase::BlockOn(body) => {
                let main = world.clone().main(body);
                let ended = match executor.try_block_on(main) {
                    Ok(_) => "done".to_owned(),
                    Err(stalled) => {
                        let ids = stalled.tasks().iter().map(|task| task.id.to_string());
                        format!("stalled: {:?}", ids.collect::<Vec<_>>())
                    }
                };
                world.log.borrow_mut().push(ended);
            }
            Phase::Spawn(slot, body) => {
                let task = world.clone().task(body.clone());
                world.keep_new(*slot, executor.spawn(task));
            }
            Phase::RunUntilIdle => executor.run_until_idle(),
        }));
        if let Err(payload) = ran {
            let message = payload.downcast_ref::<String>().expect("a text");
            world.log.borrow_mut().push(format!("panics: {message}"));
        }
    }
    end(executor, world, recording)
}

fn traced(builder: Builder, mode: Mode, recording: &Recording) -> Builder {
    match mode {
        Mode::Plain => builder,
        Mode::Traced => builder.observer(recording.clone()),
        Mode::Shuffled(seed) => builder.seed(seed).observer(recording.clone()),
    }
}

fn end(executor: Executor, world: Rc<World<Real>>, recording: Recording) -> Ran {
    let cleared = catch_unwind(AssertUnwindSafe(|| {
        executor.block_on(async { world.clear() });
    }));
    if cleared.is_err() {
        world.log.borrow_mut().push("clearing panics".to_owned());
    }
    drop(executor);
    world.over.set(true);
    world.clear();
    let events = recording.events();
    assert_eq!(lost_and_polled(&events), None);
    Ran {
        log: world.log.take(),
        trace: events
            .into_iter()
            .map(|event| timeless(event).to_string())
            .collect(),
    }
}

/// Of a task it was said that it can never be polled again, and it was. (That its drop has its turn is no poll.) The end
/// of one task ends a circle.
fn lost_and_polled(events: &[Event]) -> Option<TaskId> {
    let mut forgotten = HashSet::new();
    let mut circles: Vec<&[TaskId]> = Vec::new();
    events.iter().find_map(|event| {
        match event {
            Event::ForgottenWaker { task } => {
                forgotten.insert(*task);
            }
            Event::Deadlock { circle } => circles.push(circle),
            Event::Cancelled { task } | Event::Panicked { task, .. } => {
                circles.retain(|circle| !circle.contains(task));
            }
            Event::PollStarted { task, why } if *why != Cause::Aborted => {
                let in_circle = circles.iter().any(|circle| circle.contains(task));
                return (in_circle || forgotten.contains(task)).then_some(*task);
            }
            _ => {}
        }
        None
    })
}

/// The event without the one thing that differs from run to run: how long a poll took.
fn timeless(mut event: Event) -> Event {
    if let Event::PollEnded { took, .. } = &mut event {
        *took = Duration::ZERO;
    }
    event
}
