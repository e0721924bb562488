//! An executor that is plain enough to be believed: a list of tasks, a list of timers, a ready queue
//! of ids. No wakers, no wheel, no threads; whoever waits is written down by its id.
//!
//! The executor itself is `wake`, `step` and `poll`, under the first heading. The rest is the futures
//! that wait in it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::program::{Boxed, Joined, NEVER, Out, Phase, Runtime, World};

thread_local! {
    static CURRENT: RefCell<Option<Rc<Executor>>> = const { RefCell::new(None) };
}

fn executor() -> Rc<Executor> {
    CURRENT.with_borrow(|current| current.clone().expect("a model runs"))
}

/// The most that one turn polls. Of the timers it fires all that are due, for on the virtual clock they are of one
/// instant.
const TURN: usize = 64;

#[derive(Default)]
struct Executor {
    now: Cell<u64>,
    tasks: RefCell<Vec<Task>>,
    /// Places in `tasks` to be used again.
    free: RefCell<Free>,
    /// The place of `block_on`'s own future, which no other task ever has.
    main: Cell<Option<usize>>,
    ready: RefCell<VecDeque<Id>>,
    /// How many of the ready ones belong to this turn.
    turn: Cell<usize>,
    timers: RefCell<Vec<Timer>>,
    /// Counts the timers that were armed.
    armed: Cell<u64>,
    /// Who is polled now.
    current: RefCell<Option<Waiter>>,
}

/// The last place that became free is used first, then the lowest.
#[derive(Default)]
struct Free {
    last: Option<usize>,
    others: BTreeSet<usize>,
}

impl Free {
    fn take(&mut self) -> Option<usize> {
        self.last.take().or_else(|| self.others.pop_first())
    }

    fn give(&mut self, place: usize) {
        self.others.extend(self.last.replace(place));
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    slot: usize,
    generation: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Vacant,
    Waiting,
    Queued,
    Finished,
}

struct Task {
    generation: usize,
    state: State,
    future: Option<Boxed<Out<Model>>>,
    outcome: Option<Outcome>,
    joiner: Option<Joiner>,
    has_handle: bool,
    aborted: bool,
}

type Outcome = Result<Out<Model>, String>;

struct Timer {
    /// When it fires: at its deadline, or when it was armed, if that was later.
    at: u64,
    /// Which it was of all timers to be armed.
    number: u64,
    waiter: Waiter,
}

/// A task, or a future of a `join_all` in a task.
#[derive(Clone)]
pub(crate) struct Waiter {
    task: Id,
    child: Option<(Rc<Children>, usize)>,
}

enum Joiner {
    Waiter(Waiter),
    Set(Rc<Ended>),
}

// ---- the executor

impl Executor {
    fn wake(&self, waiter: Waiter) {
        if let Some((children, index)) = waiter.child {
            return children.wake(index);
        }
        if let Some(task) = self.tasks.borrow_mut().get_mut(waiter.task.slot)
            && task.generation == waiter.task.generation
            && task.state == State::Waiting
        {
            task.state = State::Queued;
            self.ready.borrow_mut().push_back(waiter.task);
        }
    }

    /// Polls one task, or fires what is due, or moves the time on. False if there is none of these.
    fn step(&self) -> bool {
        loop {
            while self.turn.get() > 0 {
                self.turn.set(self.turn.get() - 1);
                let id = self.ready.borrow_mut().pop_front().expect("as many");
                if self.state(id) == State::Queued {
                    self.poll(id);
                    return true;
                }
            }
            let fired = iter::from_fn(|| self.fire_one().then_some(())).count();
            self.turn.set(self.ready.borrow().len().min(TURN));
            if fired > 0 {
                return true;
            }
            if self.turn.get() == 0 {
                break;
            }
        }
        let earliest = self.timers.borrow().iter().map(|timer| timer.at).min();
        earliest.inspect(|&at| self.now.set(at)).is_some()
    }

    fn fire_one(&self) -> bool {
        let timer = {
            let mut timers = self.timers.borrow_mut();
            timers.sort_by_key(|timer| (timer.at, timer.number));
            match timers.first() {
                Some(timer) if timer.at <= self.now.get() => timers.remove(0),
                _ => return false,
            }
        };
        self.wake(timer.waiter);
        true
    }

    fn poll(&self, id: Id) {
        let (mut future, aborted) = self.with(id, |task| {
            task.state = State::Waiting;
            (task.future.take().expect("it is not polled"), task.aborted)
        });
        self.current.replace(Some(Waiter {
            task: id,
            child: None,
        }));
        let mut cx = Context::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| match aborted {
            true => {
                drop(mem::replace(&mut future, Box::pin(std::future::pending())));
                Poll::Ready(Err("the task was cancelled".to_owned()))
            }
            false => future.as_mut().poll(&mut cx).map(Ok),
        }));
        self.current.replace(None);
        match polled {
            Ok(Poll::Pending) => self.with(id, |task| task.future = Some(future)),
            Ok(Poll::Ready(outcome)) => self.finish(id, outcome),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().expect("a text");
                self.finish(id, Err(format!("the task panicked: {message}")));
            }
        }
    }

    fn finish(&self, id: Id, outcome: Outcome) {
        let joiner = self.with(id, |task| task.joiner.take());
        if self.with(id, |task| task.has_handle) {
            self.with(id, |task| {
                task.state = State::Finished;
                task.outcome = Some(outcome);
            });
        } else {
            self.vacate(id);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(outcome)));
        }
        match joiner {
            Some(Joiner::Waiter(waiter)) => self.wake(waiter),
            Some(Joiner::Set(ended)) => ended.push(id),
            None => {}
        }
    }

    fn vacate(&self, id: Id) {
        self.end_slot(id);
        self.free.borrow_mut().give(id.slot);
    }

    fn end_slot(&self, id: Id) {
        self.with(id, |task| {
            task.state = State::Vacant;
            task.generation += 1;
        });
    }

    fn spawn(&self, future: Boxed<Out<Model>>) -> Id {
        let place = self.free.borrow_mut().take();
        self.insert(future, place)
    }

    /// Puts a task in this place, or in a new one.
    fn insert(&self, future: Boxed<Out<Model>>, place: Option<usize>) -> Id {
        let mut task = Task {
            generation: 0,
            state: State::Waiting,
            future: Some(future),
            outcome: None,
            joiner: None,
            has_handle: true,
            aborted: false,
        };
        let slot = match place {
            Some(slot) => {
                task.generation = self.tasks.borrow()[slot].generation;
                self.tasks.borrow_mut()[slot] = task;
                slot
            }
            None => {
                self.tasks.borrow_mut().push(task);
                self.tasks.borrow().len() - 1
            }
        };
        let generation = self.tasks.borrow()[slot].generation;
        let id = Id { slot, generation };
        let child = None;
        self.wake(Waiter { task: id, child });
        id
    }

    fn with<R>(&self, id: Id, change: impl FnOnce(&mut Task) -> R) -> R {
        let task = &mut self.tasks.borrow_mut()[id.slot];
        assert_eq!(task.generation, id.generation);
        change(task)
    }

    fn state(&self, id: Id) -> State {
        match &self.tasks.borrow()[id.slot] {
            task if task.generation == id.generation => task.state,
            _ => State::Vacant,
        }
    }

    fn unfinished(&self) -> Vec<Id> {
        let tasks = self.tasks.borrow();
        let unfinished = tasks
            .iter()
            .enumerate()
            .filter(|(_, task)| task.state == State::Waiting || task.state == State::Queued);
        let id = |(slot, task): (usize, &Task)| Id {
            slot,
            generation: task.generation,
        };
        unfinished.map(id).collect()
    }

    /// Runs until the task is done. An error, if nothing is left to be done before.
    fn block_on(&self, future: Boxed<Out<Model>>) -> Result<Outcome, Vec<Id>> {
        let main = self.insert(future, self.main.get());
        self.main.set(Some(main.slot));
        while self.state(main) != State::Finished {
            if !self.step() {
                let stuck = self.unfinished();
                let future = self.with(main, |task| task.future.take());
                self.end_slot(main);
                drop(future);
                return Err(stuck);
            }
        }
        let outcome = self.with(main, |task| task.outcome.take());
        self.end_slot(main);
        Ok(outcome.expect("it is finished"))
    }

    /// Drops every task, and those that are spawned by that.
    fn end(&self) {
        loop {
            let unfinished = self.unfinished();
            if unfinished.is_empty() {
                return;
            }
            for id in unfinished {
                if let State::Waiting | State::Queued = self.state(id) {
                    self.with(id, |task| task.aborted = true);
                    self.poll(id);
                }
            }
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.generation {
            0 => write!(f, "#{}", self.slot),
            generation => write!(f, "#{}.{generation}", self.slot),
        }
    }
}

// ---- waiting for a task

pub(crate) struct Handle {
    id: Id,
    taken: bool,
}

impl Handle {
    fn take(&mut self) -> Option<Outcome> {
        let executor = executor();
        if self.taken || executor.state(self.id) != State::Finished {
            return None;
        }
        self.taken = true;
        let outcome = executor.with(self.id, |task| task.outcome.take());
        executor.vacate(self.id);
        outcome
    }
}

impl Future for Handle {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Outcome> {
        if let Some(outcome) = self.take() {
            return Poll::Ready(outcome);
        }
        let waiter = waiter();
        if waiter.task == self.id {
            resume_unwind(Box::new(format!(
                "task {} awaits its own JoinHandle and would wait for itself for ever; let \
                 another task await it",
                self.id
            )));
        }
        executor().with(self.id, |task| task.joiner = Some(Joiner::Waiter(waiter)));
        Poll::Pending
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        if let Some(outcome) = self.take() {
            let _ = catch_unwind(AssertUnwindSafe(|| drop(outcome)));
            return;
        }
        executor().with(self.id, |task| {
            task.has_handle = false;
            task.joiner = None;
        });
    }
}

pub(crate) struct Set {
    handles: BTreeMap<Id, Handle>,
    ended: Rc<Ended>,
}

#[derive(Default)]
struct Ended {
    ids: RefCell<VecDeque<Id>>,
    waiter: RefCell<Option<Waiter>>,
}

impl Ended {
    fn push(&self, id: Id) {
        self.ids.borrow_mut().push_back(id);
        if let Some(waiter) = self.waiter.take() {
            executor().wake(waiter);
        }
    }
}

/// Whoever has given up waiting for a set is not woken by it.
struct WaitsForSet<'a>(&'a mut Set);

impl Drop for WaitsForSet<'_> {
    fn drop(&mut self) {
        self.0.ended.waiter.take();
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        Model::set_abort_all(self);
    }
}

// ---- waiting for a time

pub(crate) enum Sleep {
    /// Not polled yet, or never to end.
    Until(Option<u64>),
    /// The number of the timer, and its deadline.
    Armed(u64, u64),
    Elapsed(u64),
}

fn deadline(ns: u64) -> Option<u64> {
    (ns != NEVER).then_some(ns)
}

impl Sleep {
    fn with_timer<R>(&self, look: impl FnOnce(&mut Timer) -> R) -> Option<R> {
        let Sleep::Armed(number, _) = *self else {
            return None;
        };
        let executor = executor();
        let mut timers = executor.timers.borrow_mut();
        timers.iter_mut().find(|t| t.number == number).map(look)
    }

    fn arm(&mut self, deadline: u64, waiter: Waiter) {
        let executor = executor();
        let number = executor.armed.get();
        executor.armed.set(number + 1);
        let at = deadline.max(executor.now.get());
        let timer = Timer { at, number, waiter };
        executor.timers.borrow_mut().push(timer);
        *self = Sleep::Armed(number, deadline);
    }

    fn reset(&mut self, deadline: Option<u64>) {
        let waiter = self.with_timer(|timer| timer.waiter.clone());
        *self = Sleep::Until(deadline);
        if let (Some(waiter), Some(deadline)) = (waiter, deadline) {
            self.arm(deadline, waiter);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match *self {
            Sleep::Until(None) => return Poll::Pending,
            Sleep::Until(Some(deadline)) => self.arm(deadline, waiter()),
            Sleep::Armed(_, deadline) => {
                if self.with_timer(|timer| timer.waiter = waiter()).is_none() {
                    *self = Sleep::Elapsed(deadline);
                }
            }
            Sleep::Elapsed(_) => {}
        }
        match *self {
            Sleep::Elapsed(_) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Sleep::Armed(number, _) = *self {
            let timers = &executor().timers;
            timers.borrow_mut().retain(|timer| timer.number != number);
        }
    }
}

pub(crate) struct Interval {
    period: u64,
    sleep: Sleep,
}

// ---- waiting for several

/// Who is polled now.
fn waiter() -> Waiter {
    executor().current.borrow().clone().expect("inside a poll")
}

/// The futures of a `join_all` that are to be polled.
#[derive(Default)]
struct Children {
    woken: RefCell<Vec<usize>>,
    queued: RefCell<Vec<bool>>,
    /// Whom to wake for them; nobody while they are polled.
    parent: RefCell<Option<Waiter>>,
}

impl Children {
    fn wake(&self, index: usize) {
        if mem::replace(&mut self.queued.borrow_mut()[index], true) {
            return;
        }
        self.woken.borrow_mut().push(index);
        if let Some(parent) = self.parent.take() {
            executor().wake(parent);
        }
    }
}

/// A `join_all` that is gone wakes nobody, whoever still knows one of its futures.
struct Forgets(Rc<Children>);

impl Drop for Forgets {
    fn drop(&mut self) {
        self.0.parent.take();
    }
}

enum MaybeDone<T> {
    Running(Boxed<T>),
    Done(Option<T>),
}

impl<T> MaybeDone<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if let MaybeDone::Running(future) = self
            && let Poll::Ready(output) = future.as_mut().poll(cx)
        {
            *self = MaybeDone::Done(Some(output));
        }
        matches!(self, MaybeDone::Done(_))
    }

    fn take(&mut self) -> T {
        match self {
            MaybeDone::Done(output) => output.take().expect("it is taken once"),
            MaybeDone::Running(_) => unreachable!(),
        }
    }
}

// ---- the interface

pub(crate) struct Model;

impl Runtime for Model {
    type Handle = Handle;
    type Error = String;
    type Sleep = Sleep;
    type Interval = Interval;
    type Set = Set;
    type Waiter = Waiter;

    fn now() -> u64 {
        executor().now.get()
    }

    fn spawn(future: Boxed<Out<Self>>) -> Handle {
        let id = executor().spawn(future);
        Handle { id, taken: false }
    }

    fn name_of(handle: &Handle) -> String {
        handle.id.to_string()
    }

    fn abort(handle: &Handle) {
        let executor = executor();
        if let State::Waiting | State::Queued = executor.state(handle.id) {
            executor.with(handle.id, |task| task.aborted = true);
            executor.wake(Waiter {
                task: handle.id,
                child: None,
            });
        }
    }

    fn is_finished(handle: &Handle) -> bool {
        executor().state(handle.id) == State::Finished
    }

    fn yield_now() -> Boxed<()> {
        let mut yielded = false;
        Box::pin(poll_fn(move |_| {
            if mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            executor().wake(waiter());
            Poll::Pending
        }))
    }

    fn sleep(duration: u64) -> Sleep {
        let now = executor().now.get();
        Sleep::Until(deadline(duration).and_then(|duration| now.checked_add(duration)))
    }

    fn sleep_until(ns: u64) -> Sleep {
        Sleep::Until(deadline(ns))
    }

    fn reset(sleep: &mut Sleep, ns: u64) {
        sleep.reset(deadline(ns));
    }

    fn is_elapsed(sleep: &Sleep) -> bool {
        match sleep {
            Sleep::Until(_) => false,
            Sleep::Armed(..) => sleep.with_timer(|_| ()).is_none(),
            Sleep::Elapsed(_) => true,
        }
    }

    fn timeout<'a, T: 'a>(
        duration: u64,
        future: impl Future<Output = T> + 'a,
    ) -> Pin<Box<dyn Future<Output = Option<T>> + 'a>> {
        let mut sleep = Model::sleep(duration);
        Box::pin(async move {
            let mut future = pin!(future);
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                Poll::Pending => Pin::new(&mut sleep).poll(cx).map(|()| None),
            })
            .await
        })
    }

    fn interval(period: u64) -> Interval {
        let sleep = Model::sleep(0);
        Interval { period, sleep }
    }

    fn tick(interval: &mut Interval) -> Pin<Box<dyn Future<Output = u64> + '_>> {
        Box::pin(async {
            (&mut interval.sleep).await;
            let Sleep::Elapsed(tick) = interval.sleep else {
                unreachable!()
            };
            let missed = (Model::now() - tick) / interval.period;
            let next = u128::from(tick) + u128::from(interval.period) * u128::from(missed + 1);
            interval.sleep.reset(u64::try_from(next).ok());
            tick
        })
    }

    fn join<T: 'static>(a: Boxed<T>, b: Boxed<T>) -> Boxed<(T, T)> {
        let mut both = (MaybeDone::Running(a), MaybeDone::Running(b));
        Box::pin(poll_fn(move |cx| {
            let (a, b) = &mut both;
            match (a.poll(cx), b.poll(cx)) {
                (true, true) => Poll::Ready((a.take(), b.take())),
                _ => Poll::Pending,
            }
        }))
    }

    fn join_all<T: 'static>(futures: Vec<Boxed<T>>) -> Boxed<Vec<T>> {
        let mut all: Vec<_> = futures.into_iter().map(MaybeDone::Running).collect();
        let children = Rc::new(Children::default());
        children.woken.replace((0..all.len()).collect());
        children.queued.replace(vec![true; all.len()]);
        let forgets = Forgets(children);
        Box::pin(poll_fn(move |cx| {
            let Forgets(children) = &forgets;
            let outer = waiter();
            children.parent.replace(None);
            for index in children.woken.take() {
                if let MaybeDone::Done(_) = all[index] {
                    continue;
                }
                children.queued.borrow_mut()[index] = false;
                executor().current.replace(Some(Waiter {
                    task: outer.task,
                    child: Some((children.clone(), index)),
                }));
                all[index].poll(cx);
            }
            executor().current.replace(Some(outer.clone()));
            if all.iter().all(|one| matches!(one, MaybeDone::Done(_))) {
                return Poll::Ready(all.iter_mut().map(MaybeDone::take).collect());
            }
            match children.woken.borrow().is_empty() {
                true => drop(children.parent.replace(Some(outer))),
                false => executor().wake(outer),
            }
            Poll::Pending
        }))
    }

    fn race<T: 'static>(a: Boxed<T>, b: Boxed<T>) -> Boxed<T> {
        let mut both = Some((a, b));
        Box::pin(poll_fn(move |cx| {
            let (a, b) = both.as_mut().expect("it is not over");
            let winner = match a.as_mut().poll(cx) {
                Poll::Pending => b.as_mut().poll(cx),
                ready => ready,
            };
            if winner.is_ready() {
                both = None;
            }
            winner
        }))
    }

    fn set() -> Set {
        Set {
            handles: BTreeMap::new(),
            ended: Rc::default(),
        }
    }

    fn set_spawn(set: &mut Set, future: Boxed<Out<Self>>) {
        Model::set_insert(set, Model::spawn(future));
    }

    fn set_insert(set: &mut Set, handle: Handle) {
        match Model::is_finished(&handle) {
            true => set.ended.push(handle.id),
            false => executor().with(handle.id, |task| {
                task.joiner = Some(Joiner::Set(set.ended.clone()));
            }),
        }
        set.handles.insert(handle.id, handle);
    }

    fn set_next<'a>(set: &'a mut Set) -> Pin<Box<dyn Future<Output = Joined<Self>> + 'a>> {
        let waits = WaitsForSet(set);
        Box::pin(poll_fn(move |_| {
            let set = &mut *waits.0;
            let outcome = Model::set_try_next(set);
            if outcome.is_some() || set.handles.is_empty() {
                return Poll::Ready(outcome);
            }
            set.ended.waiter.replace(Some(waiter()));
            Poll::Pending
        }))
    }

    fn set_try_next(set: &mut Set) -> Joined<Self> {
        let id = set.ended.ids.borrow_mut().pop_front()?;
        match set.handles.remove(&id) {
            Some(mut handle) => handle.take(),
            None => Model::set_try_next(set),
        }
    }

    fn set_abort_all(set: &Set) {
        set.handles.values().for_each(Model::abort);
    }

    fn set_detach_all(set: &mut Set) {
        set.ended.ids.take();
        drop(mem::take(&mut set.handles));
    }

    fn set_len(set: &Set) -> usize {
        set.handles.len()
    }

    fn waiter(_: &Context<'_>) -> Waiter {
        waiter()
    }

    fn wake(waiter: Waiter) {
        executor().wake(waiter);
    }
}

/// What the tasks see when the model runs a program.
pub(crate) fn run(phases: &[Phase]) -> Vec<String> {
    let executor = Rc::new(Executor::default());
    CURRENT.set(Some(executor.clone()));
    let world = World::<Model>::new();
    // As on the real executor, where a first task asks for the time.
    let nothing = world.nothing();
    assert!(executor.block_on(Box::pin(async { nothing })).is_ok());
    let say = |what: String| world.log.borrow_mut().push(what);
    for phase in phases {
        let ran = catch_unwind(AssertUnwindSafe(|| match phase {
            Phase::BlockOn(body) => match executor.block_on(world.clone().main(body)) {
                Ok(Ok(_)) => say("done".to_owned()),
                Ok(Err(error)) => say(error.replace("the task panicked", "panics")),
                Err(stuck) => {
                    let ids = stuck.iter().map(Id::to_string).collect::<Vec<_>>();
                    say(format!("stalled: {ids:?}"));
                }
            },
            Phase::Spawn(slot, body) => {
                let task = world.clone().task(body.clone());
                world.keep_new(*slot, Model::spawn(task));
            }
            Phase::RunUntilIdle => while executor.step() {},
        }));
        if let Err(panic) = ran {
            let message = panic.downcast_ref::<String>().expect("a text");
            say(format!("panics: {message}"));
        }
    }
    let clear = world.clone();
    let cleared = executor.block_on(Box::pin(async move {
        clear.clear();
        clear.nothing()
    }));
    if let Ok(Err(_)) = cleared {
        say("clearing panics".to_owned());
    }
    executor.end();
    world.over.set(true);
    world.clear();
    CURRENT.set(None);
    world.log.take()
}
