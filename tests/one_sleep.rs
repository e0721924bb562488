//! The life of one sleep: the program of `examples/one_sleep.rs`, and everything that happens in it.

mod common;

use std::time::Duration;

use common::{recorded, sentences};
use watchglass::{Executor, sleep, spawn};

async fn task_async() -> &'static str {
    sleep(Duration::from_millis(100)).await;
    "slept"
}

fn program(executor: &Executor) {
    let output = executor.block_on(async { spawn(task_async()).await });
    assert_eq!(output.unwrap(), "slept");
}

#[test]
fn one_sleep_is_these_events_and_no_others() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    program(&executor);
    #[rustfmt::skip]
    let expected = [
        // 1. block_on enters the executor and polls main.
        "#0 `program` was given to block_on at tests/one_sleep.rs:16:27",
        "#0 goes to the back of the ready queue: it is new",
        "#0 is polled: it is new",
        // 2. spawn puts the future in its slot and its id at the back of the ready queue.
        "#1 `task_async` was spawned at tests/one_sleep.rs:16:44",
        "#1 goes to the back of the ready queue: it is new",
        "#0 waits for #1 to end at tests/one_sleep.rs:16:64",
        "#0 returned Pending",
        // 3. The executor pops the id and polls the future.
        "#1 is polled: it is new",
        // 4. The sleep leaves its deadline in the timer wheel.
        "timer 0 was armed to wake #1 at 0.100 s, and put in level 4, slot 5 of the wheel",
        "#1 waits for timer 0 at tests/one_sleep.rs:11:39",
        "#1 returned Pending",
        // 5. Nothing is ready: here the real clock would make it park.
        "virtual time jumped from 0.000 s to 0.100 s",
        // 6. The wheel hands the expired timer out, which queues the id again.
        "timer 0 moved to the list of those that are due",
        "timer 0 fired: it was due at 0.100 s, 0ns ago",
        "#1 was woken: timer 0 fired; it goes to the back of the ready queue",
        // 7. The second poll is Ready, and the output waits for the handle.
        "#1 is polled: timer 0 fired",
        "#1 returned Ready",
        "#1 is done",
        // 8. Whoever awaits the handle is queued, and takes the output.
        "#0 was woken: #1, which it awaits, has ended; it goes to the back of the ready queue",
        "#0 is polled: #1, which it awaits, has ended",
        "#0 returned Ready",
        "#0 is done",
    ];
    assert_eq!(sentences(&recording), expected);
}

#[test]
fn a_second_run_differs_only_in_the_ids_that_are_never_used_again() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    program(&executor);
    let first = sentences(&recording);
    program(&executor);
    let second = sentences(&recording);
    assert_eq!(first.len(), second.len());
    assert!(second[0].starts_with("#0.1 `program`"), "{}", second[0]);
    assert!(second[3].starts_with("#1.1 `task_async`"), "{}", second[3]);
}

#[test]
fn events_are_numbered_without_a_gap_and_time_never_goes_back() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    program(&executor);
    let records = recording.take();
    let numbers: Vec<u64> = records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (0..records.len() as u64).collect::<Vec<_>>());
    assert!(records.is_sorted_by_key(|record| record.time));
    let last = records.last().unwrap();
    assert_eq!(last.to_string(), "0.100 s  #0 is done");
}
