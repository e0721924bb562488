//! A random program: what it is, how it is made of bytes, and how a runtime runs it.
//!
//! The program knows its runtime only by the trait [`Runtime`], so the very same code runs on the
//! real executor and on the model. Everything that a task can see (the time, the order, the
//! outcomes) goes into one log.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::{Debug, Display};
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread;

/// The handles and the channels that all tasks of a program share.
const HANDLES: usize = 6;
const CHANNELS: usize = 2;
/// A duration or deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

pub(crate) type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What a program asks of an executor. Times are nanoseconds since the start.
pub(crate) trait Runtime: Sized + 'static {
    type Handle: Future<Output = Result<Out<Self>, Self::Error>> + Unpin;
    type Error: Display;
    type Sleep: Future<Output = ()> + Unpin;
    type Interval;
    type Set;
    /// Whom to wake.
    type Waiter;

    fn now() -> u64;
    fn spawn(future: Boxed<Out<Self>>) -> Self::Handle;
    fn name_of(handle: &Self::Handle) -> String;
    fn abort(handle: &Self::Handle);
    fn is_finished(handle: &Self::Handle) -> bool;

    fn yield_now() -> Boxed<()>;
    fn sleep(duration: u64) -> Self::Sleep;
    fn sleep_until(deadline: u64) -> Self::Sleep;
    fn reset(sleep: &mut Self::Sleep, deadline: u64);
    fn is_elapsed(sleep: &Self::Sleep) -> bool;
    fn timeout<'a, T: 'a>(
        duration: u64,
        future: impl Future<Output = T> + 'a,
    ) -> Pin<Box<dyn Future<Output = Option<T>> + 'a>>;
    fn interval(period: u64) -> Self::Interval;
    fn tick(interval: &mut Self::Interval) -> Pin<Box<dyn Future<Output = u64> + '_>>;

    fn join<T: 'static>(a: Boxed<T>, b: Boxed<T>) -> Boxed<(T, T)>;
    fn join_all<T: 'static>(futures: Vec<Boxed<T>>) -> Boxed<Vec<T>>;
    fn race<T: 'static>(a: Boxed<T>, b: Boxed<T>) -> Boxed<T>;

    fn set() -> Self::Set;
    fn set_spawn(set: &mut Self::Set, future: Boxed<Out<Self>>);
    fn set_insert(set: &mut Self::Set, handle: Self::Handle);
    fn set_next<'a>(set: &'a mut Self::Set) -> Pin<Box<dyn Future<Output = Joined<Self>> + 'a>>;
    fn set_try_next(set: &mut Self::Set) -> Joined<Self>;
    fn set_abort_all(set: &Self::Set);
    fn set_detach_all(set: &mut Self::Set);
    fn set_len(set: &Self::Set) -> usize;

    fn waiter(cx: &Context<'_>) -> Self::Waiter;
    fn wake(waiter: Self::Waiter);
}

pub(crate) type Joined<R> = Option<Result<Out<R>, <R as Runtime>::Error>>;

/// What one step outside of the tasks is: a call on the executor itself.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    BlockOn(Rc<Body>),
    Spawn(usize, Rc<Body>),
    RunUntilIdle,
}

/// What a task or a part of one does, and what its output does when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) number: usize,
    operations: Vec<Operation>,
    output: Action,
}

#[derive(Clone, Debug)]
enum Operation {
    Yield,
    Sleep(u64),
    SleepUntil(u64),
    /// Polls a sleep, perhaps, and moves it before it is awaited.
    Reset {
        first: u64,
        poll: bool,
        then: u64,
    },
    /// Awaits a sleep, then moves and awaits it again.
    ResetAfter(u64, u64),
    Timeout(u64, Rc<Body>),
    Interval {
        period: u64,
        work: Vec<u64>,
    },
    Spawn(usize, Rc<Body>),
    Await(usize),
    /// Awaits a handle for so long, and keeps it if that was too short.
    AwaitFor(usize, u64),
    Abort(usize),
    IsFinished(usize),
    DropHandle(usize),
    Join(Rc<Body>, Rc<Body>),
    JoinAll(Vec<Rc<Body>>),
    Race(Rc<Body>, Rc<Body>),
    Set(Vec<SetOperation>),
    Send(usize),
    Receive(usize),
    OnDrop(Action),
    Panic,
}

#[derive(Clone, Debug)]
enum SetOperation {
    Spawn(Rc<Body>),
    Insert(usize),
    Next,
    NextFor(u64),
    TryNext,
    AbortAll,
    DetachAll,
    Sleep(u64),
}

/// What is done when something is dropped.
#[derive(Clone, Debug)]
enum Action {
    Nothing,
    Log,
    Spawn(usize, Rc<Body>),
    Abort(usize),
    DropHandle(usize),
    Send(usize),
    Panic,
}

// ---- of bytes, a program

/// Makes the program that these bytes stand for. Every string of bytes is one; where it ends, the
/// program ends soon after.
pub(crate) fn program(bytes: &[u8]) -> Vec<Phase> {
    let mut source = Source {
        bytes,
        bodies: 0,
        left: 400,
    };
    let phases = 1 + source.below(3);
    (0..phases)
        .map(|_| match source.below(6) {
            0 => Phase::RunUntilIdle,
            1 => Phase::Spawn(source.handle(), source.body(0)),
            _ => Phase::BlockOn(source.body(0)),
        })
        .collect()
}

struct Source<'a> {
    bytes: &'a [u8],
    bodies: usize,
    /// How many operations more there may be.
    left: usize,
}

impl Source<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        usize::from(*first) % bound
    }

    fn handle(&mut self) -> usize {
        self.below(HANDLES)
    }

    fn channel(&mut self) -> usize {
        self.below(CHANNELS)
    }

    /// Often the same few times, so that much happens at once, and sometimes far apart, so that
    /// timers cascade.
    fn time(&mut self) -> u64 {
        const UNITS: [u64; 6] = [1, 1, 1, 63, 1_000, 1 << 37];
        match self.below(40) {
            39 => NEVER,
            _ => self.below(5) as u64 * UNITS[self.below(UNITS.len())],
        }
    }

    fn many<T>(&mut self, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let many = self.below(most + 1).min(self.left);
        (0..many).map(|_| one(self)).collect()
    }

    fn body(&mut self, depth: usize) -> Rc<Body> {
        let number = self.bodies;
        self.bodies += 1;
        let most = [8, 6, 4, 3].get(depth).copied().unwrap_or(2);
        Rc::new(Body {
            number,
            operations: self.many(most, |source| source.operation(depth + 1)),
            output: match self.below(4) {
                0 => self.action(depth + 1),
                _ => Action::Nothing,
            },
        })
    }

    fn operation(&mut self, depth: usize) -> Operation {
        self.left = self.left.saturating_sub(1);
        // What holds a body is left out when it is nested deep enough.
        let kinds = if depth < 5 { 28 } else { 16 };
        match self.below(kinds) {
            0 => Operation::Yield,
            1 | 2 => Operation::Sleep(self.time()),
            3 => Operation::SleepUntil(self.time()),
            4 => Operation::Reset {
                first: self.time(),
                poll: self.below(3) > 0,
                then: self.time(),
            },
            5 => Operation::ResetAfter(self.time(), self.time()),
            6 => Operation::Interval {
                period: self.time().clamp(1, NEVER - 1),
                work: self.many(4, Source::time),
            },
            7 => Operation::Await(self.handle()),
            8 => Operation::AwaitFor(self.handle(), self.time()),
            9 => Operation::Abort(self.handle()),
            10 => Operation::IsFinished(self.handle()),
            11 => Operation::DropHandle(self.handle()),
            12 => Operation::Send(self.channel()),
            13 => Operation::Receive(self.channel()),
            14 => Operation::OnDrop(self.action(depth)),
            15 => match self.below(4) {
                0 => Operation::Panic,
                _ => Operation::Yield,
            },
            16..20 => Operation::Spawn(self.handle(), self.body(depth)),
            20 => Operation::Timeout(self.time(), self.body(depth)),
            21 => Operation::Join(self.body(depth), self.body(depth)),
            22 | 23 => Operation::JoinAll(self.many(5, |source| source.body(depth))),
            24 => Operation::Race(self.body(depth), self.body(depth)),
            25 | 26 => Operation::Set(self.many(8, |source| source.set_operation(depth))),
            // More at once than one turn polls or fires.
            _ => {
                let body = Rc::new(Body {
                    number: self.bodies,
                    operations: vec![Operation::Sleep(self.time())],
                    output: Action::Nothing,
                });
                let many = 1 + self.below(90).saturating_sub(20);
                Operation::JoinAll(vec![body; many])
            }
        }
    }

    fn set_operation(&mut self, depth: usize) -> SetOperation {
        match self.below(10) {
            0..3 => SetOperation::Spawn(self.body(depth)),
            3 => SetOperation::Insert(self.handle()),
            4 | 5 => SetOperation::Next,
            6 => SetOperation::NextFor(self.time()),
            7 => SetOperation::TryNext,
            8 => SetOperation::Sleep(self.time()),
            _ => match self.below(2) {
                0 => SetOperation::AbortAll,
                _ => SetOperation::DetachAll,
            },
        }
    }

    fn action(&mut self, depth: usize) -> Action {
        match self.below(8) {
            0..3 => Action::Log,
            3 if depth < 5 => Action::Spawn(self.handle(), self.body(depth + 1)),
            4 => Action::Abort(self.handle()),
            5 => Action::DropHandle(self.handle()),
            6 => Action::Send(self.channel()),
            7 => Action::Panic,
            _ => Action::Nothing,
        }
    }
}

// ---- running it

/// What the tasks of one run share.
pub(crate) struct World<R: Runtime> {
    pub(crate) log: RefCell<Vec<String>>,
    handles: [RefCell<Option<R::Handle>>; HANDLES],
    channels: [Channel<R>; CHANNELS],
    /// No executor is there any more.
    pub(crate) over: Cell<bool>,
    /// How many operations may still be done: spawns in drops in spawns might never end.
    left: Cell<usize>,
}

struct Channel<R: Runtime> {
    letters: Cell<usize>,
    waiting: RefCell<VecDeque<R::Waiter>>,
}

/// What a task gives: the number of its body, and something that is noticed when it is dropped.
pub(crate) struct Out<R: Runtime> {
    number: usize,
    _guard: Guard<R>,
}

struct Guard<R: Runtime> {
    world: Rc<World<R>>,
    number: usize,
    action: Action,
}

impl<R: Runtime> World<R> {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(World {
            log: RefCell::default(),
            handles: Default::default(),
            channels: std::array::from_fn(|_| Channel {
                letters: Cell::new(0),
                waiting: RefCell::default(),
            }),
            over: Cell::new(false),
            left: Cell::new(3000),
        })
    }

    pub(crate) fn say(&self, number: usize, what: impl Display) {
        let line = match self.over.get() {
            true => format!("body {number}: {what}"),
            false => format!("{} body {number}: {what}", R::now()),
        };
        self.log.borrow_mut().push(line);
    }

    /// Keeps a handle; what was kept there is dropped, with nothing borrowed.
    fn keep(&self, slot: usize, handle: R::Handle) {
        drop(self.handles[slot].replace(Some(handle)));
    }

    /// Keeps the handle of a task that has not run yet, unless another is kept there. So no drop
    /// runs where there is no executor.
    pub(crate) fn keep_new(&self, slot: usize, handle: R::Handle) {
        let place = &mut *self.handles[slot].borrow_mut();
        if place.is_none() {
            *place = Some(handle);
        }
    }

    fn take(&self, slot: usize) -> Option<R::Handle> {
        self.handles[slot].take()
    }

    /// Drops all that is still kept.
    pub(crate) fn clear(&self) {
        for handle in &self.handles {
            drop(handle.take());
        }
    }

    fn with_handle(&self, slot: usize, look: impl FnOnce(&R::Handle)) {
        if let Some(handle) = &*self.handles[slot].borrow() {
            look(handle);
        }
    }

    fn spawn(self: &Rc<Self>, slot: usize, body: &Rc<Body>, by: usize) {
        let handle = R::spawn(self.clone().task(body.clone()));
        self.say(
            by,
            format!("spawns body {} as {}", body.number, R::name_of(&handle)),
        );
        self.keep(slot, handle);
    }

    fn send(&self, channel: usize) {
        let channel = &self.channels[channel];
        channel.letters.set(channel.letters.get() + 1);
        let waiting = channel.waiting.take();
        waiting.into_iter().for_each(R::wake);
    }

    async fn receive(&self, channel: usize) {
        let channel = &self.channels[channel];
        poll_fn(|cx| match channel.letters.get() {
            0 => {
                let waiter = R::waiter(cx);
                channel.waiting.borrow_mut().push_back(waiter);
                Poll::Pending
            }
            letters => {
                channel.letters.set(letters - 1);
                Poll::Ready(())
            }
        })
        .await;
    }

    pub(crate) fn task(self: Rc<Self>, body: Rc<Body>) -> Boxed<Out<R>> {
        Box::pin(async move {
            let mut guards = Vec::new();
            self.say(body.number, "starts");
            for operation in &body.operations {
                if self.left.get() == 0 {
                    break;
                }
                self.left.set(self.left.get() - 1);
                self.operate(body.number, operation, &mut guards).await;
            }
            self.say(body.number, "ends");
            // Before there is an output: the compiler forgets to drop a value that is being returned
            // when a local's drop panics.
            drop(guards);
            Out {
                number: body.number,
                _guard: self.guard(body.number, &body.output),
            }
        })
    }

    /// The future for `block_on`: it drops the output itself, for outside nothing may be spawned.
    pub(crate) fn main(self: Rc<Self>, body: &Rc<Body>) -> Boxed<Out<R>> {
        let task = self.clone().task(body.clone());
        Box::pin(async move {
            drop(task.await);
            self.nothing()
        })
    }

    pub(crate) fn nothing(self: &Rc<Self>) -> Out<R> {
        Out {
            number: 0,
            _guard: self.guard(0, &Action::Nothing),
        }
    }

    fn guard(self: &Rc<Self>, number: usize, action: &Action) -> Guard<R> {
        Guard {
            world: self.clone(),
            number,
            action: action.clone(),
        }
    }

    async fn operate(
        self: &Rc<Self>,
        number: usize,
        operation: &Operation,
        guards: &mut Vec<Guard<R>>,
    ) {
        match operation {
            Operation::Yield => {
                R::yield_now().await;
                self.say(number, "has yielded");
            }
            Operation::Sleep(duration) => {
                R::sleep(*duration).await;
                self.say(number, format!("has slept {duration}"));
            }
            Operation::SleepUntil(deadline) => {
                R::sleep_until(*deadline).await;
                self.say(number, format!("has slept until {deadline}"));
            }
            Operation::Reset { first, poll, then } => {
                let mut sleep = R::sleep(*first);
                if *poll {
                    let polled = poll_once(&mut sleep).await;
                    self.say(number, format!("polled {polled:?}"));
                    R::yield_now().await;
                }
                self.say(number, format!("elapsed {}", R::is_elapsed(&sleep)));
                R::reset(&mut sleep, *then);
                self.say(number, format!("elapsed {}", R::is_elapsed(&sleep)));
                sleep.await;
                self.say(number, format!("has slept {first} reset to {then}"));
            }
            Operation::ResetAfter(first, then) => {
                let mut sleep = R::sleep(*first);
                (&mut sleep).await;
                self.say(number, format!("elapsed {}", R::is_elapsed(&sleep)));
                R::reset(&mut sleep, *then);
                (&mut sleep).await;
                self.say(number, format!("has slept {first}, then until {then}"));
            }
            Operation::Timeout(duration, body) => {
                let out = R::timeout(*duration, self.clone().task(body.clone())).await;
                let out = out.map(|out| out.number);
                self.say(number, format!("timeout {duration} gives {out:?}"));
            }
            Operation::Interval { period, work } => {
                let mut interval = R::interval(*period);
                for work in work {
                    let tick = R::tick(&mut interval).await;
                    self.say(number, format!("tick {tick}"));
                    R::sleep(*work).await;
                }
            }
            Operation::Spawn(slot, body) => self.spawn(*slot, body, number),
            Operation::Await(slot) => {
                if let Some(handle) = self.take(*slot) {
                    self.say(number, format!("awaits {}", R::name_of(&handle)));
                    let outcome = handle.await;
                    self.say_outcome(number, Some(outcome));
                }
            }
            Operation::AwaitFor(slot, duration) => {
                if let Some(mut handle) = self.take(*slot) {
                    self.say(number, format!("awaits {}", R::name_of(&handle)));
                    match R::timeout(*duration, &mut handle).await {
                        Some(outcome) => self.say_outcome(number, Some(outcome)),
                        None => {
                            self.say(number, "awaited for too short a time");
                            self.keep(*slot, handle);
                        }
                    }
                }
            }
            Operation::Abort(slot) => self.with_handle(*slot, R::abort),
            Operation::IsFinished(slot) => self.with_handle(*slot, |handle| {
                self.say(number, format!("finished {}", R::is_finished(handle)));
            }),
            Operation::DropHandle(slot) => drop(self.take(*slot)),
            Operation::Join(a, b) => {
                let (a, b) = (self.clone().task(a.clone()), self.clone().task(b.clone()));
                let (a, b) = R::join(a, b).await;
                self.say(number, format!("joined {} and {}", a.number, b.number));
            }
            Operation::JoinAll(bodies) => {
                let tasks = bodies.iter().map(|body| self.clone().task(body.clone()));
                let outs = R::join_all(tasks.collect()).await;
                self.say(number, format!("joined all {}", outs.len()));
            }
            Operation::Race(a, b) => {
                let (a, b) = (self.clone().task(a.clone()), self.clone().task(b.clone()));
                let winner = R::race(a, b).await;
                self.say(number, format!("{} won", winner.number));
            }
            Operation::Set(operations) => {
                let mut set = R::set();
                for operation in operations {
                    self.operate_set(number, operation, &mut set).await;
                }
                self.say(number, format!("drops a set of {}", R::set_len(&set)));
            }
            Operation::Send(channel) => self.send(*channel),
            Operation::Receive(channel) => {
                self.receive(*channel).await;
                self.say(number, format!("received from {channel}"));
            }
            Operation::OnDrop(action) => guards.push(self.guard(number, action)),
            Operation::Panic => resume_unwind(Box::new(format!("body {number} panics"))),
        }
    }

    async fn operate_set(
        self: &Rc<Self>,
        number: usize,
        operation: &SetOperation,
        set: &mut R::Set,
    ) {
        match operation {
            SetOperation::Spawn(body) => R::set_spawn(set, self.clone().task(body.clone())),
            SetOperation::Insert(slot) => {
                if let Some(handle) = self.take(*slot) {
                    R::set_insert(set, handle);
                }
            }
            SetOperation::Next => {
                let outcome = R::set_next(set).await;
                self.say_outcome(number, outcome);
            }
            SetOperation::NextFor(duration) => {
                match R::timeout(*duration, R::set_next(set)).await {
                    Some(outcome) => self.say_outcome(number, outcome),
                    None => self.say(number, "no outcome in time"),
                }
            }
            SetOperation::TryNext => {
                let outcome = R::set_try_next(set);
                self.say_outcome(number, outcome);
            }
            SetOperation::AbortAll => R::set_abort_all(set),
            SetOperation::DetachAll => R::set_detach_all(set),
            SetOperation::Sleep(duration) => R::sleep(*duration).await,
        }
        self.say(number, format!("has a set of {}", R::set_len(set)));
    }

    fn say_outcome(&self, number: usize, outcome: Joined<R>) {
        match outcome {
            Some(Ok(out)) => self.say(number, format!("gets the output of {}", out.number)),
            Some(Err(error)) => self.say(number, format!("gets: {error}")),
            None => self.say(number, "gets nothing"),
        }
    }
}

impl<R: Runtime> Drop for Guard<R> {
    fn drop(&mut self) {
        let (world, number) = (self.world.clone(), self.number);
        if let Action::Nothing = self.action {
            return;
        }
        world.say(number, "a drop");
        if world.over.get() || world.left.get() == 0 {
            return;
        }
        world.left.set(world.left.get() - 1);
        match &self.action {
            Action::Nothing | Action::Log => {}
            Action::Spawn(slot, body) => world.spawn(*slot, body, number),
            Action::Abort(slot) => world.with_handle(*slot, R::abort),
            Action::DropHandle(slot) => drop(world.take(*slot)),
            Action::Send(channel) => world.send(*channel),
            Action::Panic if thread::panicking() => {}
            Action::Panic => resume_unwind(Box::new(format!("a drop of body {number} panics"))),
        }
    }
}

/// Polls once and gives the result of that.
async fn poll_once<F: Future + Unpin>(mut future: F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut future).poll(cx))).await
}
