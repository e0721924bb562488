//! Every combination of what can go wrong with one task, each held against a small model: what comes
//! of it, and how often everything is polled, made and dropped.

mod common;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use common::virtual_executor;
use watchglass::{Executor, JoinError, JoinHandle, spawn, spawn_named, yield_now};

/// One way in which things go.
#[derive(Clone, Copy, Debug)]
struct Case {
    poll_panics: bool,
    future_drop_panics: bool,
    output_drop_panics: bool,
    abort: Abort,
    handle: Handle,
    spawned: Spawned,
}

/// When the task is aborted. Its future is pending in its first poll, and ends in its second.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Abort {
    Never,
    BeforeItsFirstPoll,
    InItsFirstPoll,
    BetweenItsPolls,
    InItsLastPoll,
    AfterItsEnd,
}

/// What becomes of the handle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Handle {
    Awaited,
    /// As soon as the task has been aborted, or spawned if it never is.
    DroppedEarly,
    DroppedAtTheEnd,
    Leaked,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Spawned {
    OutsideAndStepped,
    OutsideBeforeBlockOn,
    InsideBlockOn,
    InsideAndNamed,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let booleans = [false, true];
    use Abort::*;
    let aborts = [
        Never,
        BeforeItsFirstPoll,
        InItsFirstPoll,
        BetweenItsPolls,
        InItsLastPoll,
        AfterItsEnd,
    ];
    let handles = [
        Handle::Awaited,
        Handle::DroppedEarly,
        Handle::DroppedAtTheEnd,
        Handle::Leaked,
    ];
    use Spawned::*;
    let places = [
        OutsideAndStepped,
        OutsideBeforeBlockOn,
        InsideBlockOn,
        InsideAndNamed,
    ];
    for poll_panics in booleans {
        for future_drop_panics in booleans {
            for output_drop_panics in booleans {
                for abort in aborts {
                    for handle in handles {
                        cases.extend(places.map(|spawned| Case {
                            poll_panics,
                            future_drop_panics,
                            output_drop_panics,
                            abort,
                            handle,
                            spawned,
                        }));
                    }
                }
            }
        }
    }
    cases
}

/// What can be seen of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    polls: usize,
    future_drops: usize,
    outputs_made: usize,
    output_drops: usize,
    /// What the handle gave, if it was awaited.
    outcome: Option<Outcome>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Output,
    Cancelled,
    Panicked(String),
}

/// The model: what should be seen.
fn expected(case: Case) -> Seen {
    let aborted_in_time = match case.abort {
        Abort::BeforeItsFirstPoll => Some(0),
        Abort::InItsFirstPoll | Abort::BetweenItsPolls => Some(1),
        // Who is done, or panics, in the poll in which it is aborted, has ended by that.
        Abort::Never | Abort::InItsLastPoll | Abort::AfterItsEnd => None,
    };
    let polls = aborted_in_time.unwrap_or(2);
    let panicked = |message: &str| Outcome::Panicked(message.to_owned());
    let outcome = if aborted_in_time.is_none() && case.poll_panics {
        panicked("in poll")
    } else if case.future_drop_panics {
        panicked("in the future's drop")
    } else if aborted_in_time.is_some() {
        Outcome::Cancelled
    } else {
        Outcome::Output
    };
    let outputs_made = usize::from(aborted_in_time.is_none() && !case.poll_panics);
    // Leaked with its handle, an output is never dropped; but without one, it is not the handle's.
    let leaked = case.handle == Handle::Leaked && outcome == Outcome::Output;
    Seen {
        polls,
        future_drops: 1,
        outputs_made,
        output_drops: if leaked { 0 } else { outputs_made },
        outcome: (case.handle == Handle::Awaited).then_some(outcome),
    }
}

/// What is counted while a case runs, and the handle, so that the task can abort itself.
#[derive(Default)]
struct Counts {
    polls: Cell<usize>,
    future_drops: Cell<usize>,
    outputs_made: Cell<usize>,
    output_drops: Cell<usize>,
    handle: RefCell<Option<JoinHandle<Output>>>,
}

impl Counts {
    fn add(counter: &Cell<usize>) -> usize {
        counter.set(counter.get() + 1);
        counter.get()
    }

    /// Aborts, if it is time, and lets go of the handle if it is not needed any more.
    fn now_is(&self, now: Abort, case: Case) {
        if now == case.abort {
            // Cloned out of the cell: nothing is borrowed while the executor works.
            let handle = self.handle.take();
            if let Some(handle) = handle.as_ref().filter(|_| now != Abort::Never) {
                handle.abort();
            }
            if case.handle != Handle::DroppedEarly {
                self.handle.replace(handle);
            }
        }
    }
}

struct Subject {
    case: Case,
    counts: Rc<Counts>,
}

struct Output {
    case: Case,
    counts: Rc<Counts>,
}

impl Future for Subject {
    type Output = Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        let Subject { case, counts } = &*self;
        if Counts::add(&counts.polls) == 1 {
            counts.now_is(Abort::InItsFirstPoll, *case);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        counts.now_is(Abort::InItsLastPoll, *case);
        assert!(!case.poll_panics, "in poll");
        Counts::add(&counts.outputs_made);
        Poll::Ready(Output {
            case: *case,
            counts: counts.clone(),
        })
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        Counts::add(&self.counts.future_drops);
        assert!(!self.case.future_drop_panics, "in the future's drop");
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        Counts::add(&self.counts.output_drops);
        assert!(!self.case.output_drop_panics, "in the output's drop");
    }
}

/// Everything up to the first poll.
fn begin(case: Case, counts: &Counts, spawned: JoinHandle<Output>) {
    counts.handle.replace(Some(spawned));
    counts.now_is(Abort::Never, case);
    counts.now_is(Abort::BeforeItsFirstPoll, case);
}

/// Everything from there on, with a turn between one moment and the next.
async fn go_on(case: Case, counts: &Counts, turn: Turn<'_>) -> Option<Outcome> {
    // Spawned before `block_on`, the task stands before `block_on`'s own future in the queue.
    if case.spawned != Spawned::OutsideBeforeBlockOn {
        turn.take().await;
    }
    counts.now_is(Abort::BetweenItsPolls, case);
    turn.take().await;
    counts.now_is(Abort::AfterItsEnd, case);
    turn.take().await;
    let handle = counts.handle.take();
    assert_eq!(handle.is_none(), case.handle == Handle::DroppedEarly);
    match case.handle {
        Handle::Awaited => return Some(outcome(handle.unwrap().await)),
        Handle::DroppedEarly | Handle::DroppedAtTheEnd => drop(handle),
        Handle::Leaked => std::mem::forget(handle),
    }
    None
}

fn outcome(outcome: Result<Output, JoinError>) -> Outcome {
    match outcome {
        Ok(output) => {
            // The one who takes an output gets its panic too.
            let panics = output.case.output_drop_panics;
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(output)));
            assert_eq!(dropped.is_err(), panics);
            Outcome::Output
        }
        Err(error) if error.is_cancelled() => Outcome::Cancelled,
        Err(error) => Outcome::Panicked(error.panic_message().unwrap()),
    }
}

/// How time passes for a case: by a step from outside, or a turn from inside.
#[derive(Clone, Copy)]
enum Turn<'a> {
    Step(&'a Executor),
    Yield,
}

impl Turn<'_> {
    async fn take(self) {
        match self {
            Turn::Step(executor) => _ = executor.step(),
            Turn::Yield => yield_now().await,
        }
    }
}

/// Runs a case to its end. Whatever panics out of this would be a bug.
fn seen(case: Case) -> Seen {
    let counts = Rc::new(Counts::default());
    let subject = Subject {
        case,
        counts: counts.clone(),
    };
    let executor = virtual_executor();
    let outcome = match case.spawned {
        Spawned::OutsideAndStepped => {
            begin(case, &counts, executor.spawn(subject));
            let ended = pin!(go_on(case, &counts, Turn::Step(&executor)));
            match ended.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => panic!("{case:?}: the task has not ended"),
            }
        }
        Spawned::OutsideBeforeBlockOn => {
            begin(case, &counts, executor.spawn(subject));
            executor.block_on(go_on(case, &counts, Turn::Yield))
        }
        Spawned::InsideBlockOn | Spawned::InsideAndNamed => executor.block_on(async {
            let task = match case.spawned {
                Spawned::InsideAndNamed => spawn_named("subject", subject),
                _ => spawn(subject),
            };
            begin(case, &counts, task);
            go_on(case, &counts, Turn::Yield).await
        }),
    };
    drop(executor);
    Seen {
        polls: counts.polls.get(),
        future_drops: counts.future_drops.get(),
        outputs_made: counts.outputs_made.get(),
        output_drops: counts.output_drops.get(),
        outcome,
    }
}

/// Keeps the thousand panics that are on purpose from being printed.
fn quietly(test: impl FnOnce()) {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        let on_purpose = info
            .payload_as_str()
            .is_some_and(|text| text.starts_with("in "));
        if !on_purpose {
            usual(info);
        }
    }));
    test();
}

#[test]
fn every_combination_of_panics_aborts_and_handles_does_what_the_model_says() {
    quietly(|| {
        let cases = cases();
        assert_eq!(cases.len(), 768);
        for case in cases {
            assert_eq!(seen(case), expected(case), "{case:?}");
        }
    });
}

#[test]
fn every_combination_of_panics_in_block_on_s_own_future_goes_to_its_caller_once() {
    quietly(|| {
        for bits in 0..8 {
            let case = Case {
                poll_panics: bits & 1 != 0,
                future_drop_panics: bits & 2 != 0,
                output_drop_panics: bits & 4 != 0,
                abort: Abort::Never,
                handle: Handle::Awaited,
                spawned: Spawned::InsideBlockOn,
            };
            let counts = Rc::new(Counts::default());
            let subject = Subject {
                case,
                counts: counts.clone(),
            };
            let executor = virtual_executor();
            let given = catch_unwind(AssertUnwindSafe(|| executor.block_on(subject)));
            let outcome = match given {
                Ok(output) => outcome(Ok(output)),
                Err(payload) => {
                    Outcome::Panicked(payload.downcast_ref::<&str>().unwrap().to_string())
                }
            };
            let expected = expected(case);
            assert_eq!(Some(outcome), expected.outcome, "{case:?}");
            assert_eq!(counts.polls.get(), expected.polls, "{case:?}");
            assert_eq!(counts.future_drops.get(), 1, "{case:?}");
            assert_eq!(counts.output_drops.get(), expected.output_drops, "{case:?}");
            assert_eq!(executor.block_on(async { 7 }), 7);
        }
    });
}
