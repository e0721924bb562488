//! An async function and its hand-written twin do the same things in the same order.

use std::fmt::Debug;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

#[path = "../examples/shared/leaf.rs"]
mod leaf;
#[path = "../examples/shared/twins.rs"]
mod twins;

use twins::{both, first_word, task_async, ticks};
use twins::{both_by_hand, first_word_by_hand, task_async_by_hand, ticks_by_hand};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn task_async_and_its_twin_leave_the_same_log() {
    for seconds in 0..4 {
        let make = || task_async("Task A", seconds * SECOND);
        let make_twin = || task_async_by_hand("Task A", seconds * SECOND);
        let polls = same_life_and_same_cancellations(make, make_twin);
        assert_eq!(
            polls,
            seconds as usize + 1,
            "one poll to start, and one a second"
        );
    }
}

#[test]
fn a_borrow_across_two_awaits_and_its_twin_leave_the_same_log() {
    for text in ["round and round", "once", "äöü ß"] {
        let make = || first_word(text.to_string());
        let make_twin = || first_word_by_hand(text.to_string());
        assert_eq!(same_life_and_same_cancellations(make, make_twin), 4);
    }
}

#[test]
fn a_loop_and_its_twin_leave_the_same_log() {
    for count in 0..4 {
        let polls = same_life_and_same_cancellations(|| ticks(count), || ticks_by_hand(count));
        assert_eq!(polls, count as usize + 1);
    }
}

#[test]
fn a_join_and_its_twin_leave_the_same_log() {
    assert_eq!(same_life_and_same_cancellations(both, both_by_hand), 3);
}

#[test]
fn a_panic_leaves_both_unusable_with_the_same_message() {
    // `say` refuses a line without a name, so the first poll panics.
    let log = life(task_async("", SECOND), 3);
    assert_eq!(log, life(task_async_by_hand("", SECOND), 3));
    assert_eq!(
        log,
        [
            "call",
            "poll",
            "panicked: a line needs a name",
            "poll",
            "panicked: `async fn` resumed after panicking",
            "poll",
            "panicked: `async fn` resumed after panicking",
            "drop",
        ]
    );
    // An empty first word: here the panic comes in the second poll, with a sleep behind it.
    let log = life(first_word(" x".to_string()), 3);
    assert_eq!(log, life(first_word_by_hand(" x".to_string()), 3));
    assert!(log.contains(&"panicked: a line needs a name".to_string()));
}

#[test]
fn a_twin_names_its_states_as_the_compiler_does() {
    let mut twin = task_async_by_hand("Task A", SECOND);
    assert_eq!(
        format!("{twin:?}"),
        r#"Unresumed { name: "Task A", delay: 1s }"#
    );
    for expected in [r#"Suspend0 { name: "Task A", sleep }"#, "Returned"] {
        let _ = Pin::new(&mut twin).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(format!("{twin:?}"), expected);
    }
    let mut twin = task_async_by_hand("", SECOND);
    let poll = || Pin::new(&mut twin).poll(&mut Context::from_waker(Waker::noop()));
    assert!(catch_unwind(AssertUnwindSafe(poll)).is_err());
    assert_eq!(format!("{twin:?}"), "Panicked");
}

/// Holds the logs equal for a whole life and two polls too many, and for a life that is cut off
/// after any number of polls. Returns how many polls a life takes.
fn same_life_and_same_cancellations<T: Debug, A, B>(
    make: impl Fn() -> A,
    make_twin: impl Fn() -> B,
) -> usize
where
    A: Future<Output = T>,
    B: Future<Output = T>,
{
    let whole = life(make(), 20);
    let polls = whole
        .iter()
        .position(|line| line.starts_with("Ready"))
        .expect("it ends");
    let polls = whole[..polls].iter().filter(|line| *line == "poll").count();
    for cut in 0..=polls + 2 {
        assert_eq!(
            life(make(), cut),
            life(make_twin(), cut),
            "after {cut} polls"
        );
    }
    polls
}

/// Everything that can be seen of a future that is polled so many times and then dropped.
fn life<T: Debug>(future: impl Future<Output = T>, polls: usize) -> Vec<String> {
    let mut future = Box::pin(future);
    let mut seen = vec!["call".to_string()];
    seen.extend(leaf::take_log());
    for _ in 0..polls {
        seen.push("poll".to_string());
        let poll = || {
            future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
        };
        let result = catch_unwind(AssertUnwindSafe(poll));
        seen.extend(leaf::take_log());
        seen.push(match result {
            Ok(poll) => format!("{poll:?}"),
            Err(payload) => format!("panicked: {}", message(&*payload)),
        });
    }
    seen.push("drop".to_string());
    drop(future);
    seen.extend(leaf::take_log());
    seen
}

fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("?")
}
