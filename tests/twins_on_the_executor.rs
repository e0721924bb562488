//! The executor cannot tell an async function from its hand-written twin.
//!
//! `examples/shared/twins.rs` is compiled once more here, with the real `sleep` and `join`. Each async
//! function and its twin run under virtual time, for a whole life and for lives that are aborted after
//! any number of steps, and all that happens is compared: every poll and its cause, every timer and
//! its place in the wheel, every wait, every line that is said.

use std::cell::RefCell;
use std::panic::Location;
use std::time::Duration;

use watchglass::trace::{Event, Record};
use watchglass::{Executor, Step};

/// What the twins wait on and write to: the real thing.
mod leaf {
    pub(crate) use watchglass::time::Sleep;
    pub(crate) use watchglass::{join, sleep};

    pub(crate) fn say(name: &str, what: &str) {
        assert!(!name.is_empty(), "a line needs a name");
        super::LOG.with_borrow_mut(|log| log.push(format!("{name} {what}")));
    }
}
#[path = "../examples/shared/twins.rs"]
mod twins;

use twins::{both, first_word, task_async, ticks};
use twins::{both_by_hand, first_word_by_hand, task_async_by_hand, ticks_by_hand};

const SECOND: Duration = Duration::from_secs(1);

thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn task_async_and_its_twin_leave_the_same_events() {
    let life = same_lives(
        || task_async("Task A", 2 * SECOND),
        || task_async_by_hand("Task A", 2 * SECOND),
    );
    let polls = |line: &&String| line.contains("is polled");
    let polls: Vec<&String> = life.iter().filter(polls).collect();
    assert_eq!(
        polls,
        [
            "0.000 s  #0 is polled: it is new",
            "2.000 s  #0 is polled: timer 0 fired"
        ]
    );
}

#[test]
fn a_borrow_across_two_awaits_and_its_twin_leave_the_same_events() {
    let text = || "round and round".to_string();
    same_lives(|| first_word(text()), || first_word_by_hand(text()));
}

#[test]
fn a_loop_and_its_twin_leave_the_same_events() {
    same_lives(|| ticks(3), || ticks_by_hand(3));
}

#[test]
fn a_join_and_its_twin_leave_the_same_events() {
    let life = same_lives(both, both_by_hand);
    let said: Vec<&String> = life.iter().filter(|l| l.starts_with("Task")).collect();
    assert_eq!(
        said,
        [
            "Task A starting",
            "Task B starting",
            "Task B done",
            "Task A done"
        ]
    );
}

#[test]
fn a_panic_leaves_the_same_events() {
    let make = || first_word(" x".to_string());
    let make_twin = || first_word_by_hand(" x".to_string());
    let life = same_lives(make, make_twin);
    assert!(
        life.iter()
            .any(|line| line.contains("panicked: a line needs a name"))
    );
}

/// Holds the logs equal, and returns that of the whole life.
fn same_lives<T: 'static, A, B>(make: impl Fn() -> A, make_twin: impl Fn() -> B) -> Vec<String>
where
    A: Future<Output = T> + 'static,
    B: Future<Output = T> + 'static,
{
    for steps in 0.. {
        let (cut_off, life) = life(make(), steps);
        assert_eq!(
            life,
            self::life(make_twin(), steps).1,
            "aborted after {steps} steps"
        );
        if !cut_off {
            assert!(steps > 3, "there is something to compare");
            return life;
        }
    }
    unreachable!("a life comes to its end")
}

/// All that happens to a task that is aborted after so many steps, and whether that cut it off.
fn life<F: Future + 'static>(future: F, steps: usize) -> (bool, Vec<String>) {
    let note = |record: &Record| {
        let record = Record {
            event: without_what_differs(&record.event),
            ..record.clone()
        };
        LOG.with_borrow_mut(|log| log.push(record.to_string()));
    };
    let executor = Executor::builder().virtual_time().observer(note).build();
    let handle = executor.spawn(future);
    let idle = (0..steps).any(|_| executor.step() == Step::Idle);
    if !idle {
        handle.abort();
        executor.run_until_idle();
    }
    drop(handle);
    drop(executor);
    (!idle, LOG.take())
}

/// The name of the future's type, how long a poll took by the real clock, and the line at which it
/// waits: an `.await` in the one, a call of `poll` in the other.
fn without_what_differs(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::Spawned { name, .. } => *name = "twin".into(),
        Event::PollEnded { took, .. } => *took = Duration::ZERO,
        Event::Waits { at, .. } => {
            assert!(at.file().ends_with("twins.rs"), "it waits in its own code");
            *at = Location::caller();
        }
        _ => {}
    }
    event
}
