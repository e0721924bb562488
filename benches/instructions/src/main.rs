//! Small programs whose instructions `scripts/instructions` counts:
//! `watchglass-instructions PROGRAM ROUNDS`.
//!
//! Every round does the same again, so that the count of 2 N rounds less the count of N rounds is
//! the cost of N rounds, without the start of the process. No program waits, looks at the real
//! clock or starts a thread: what it executes does not depend on how busy the machine is.

use std::env;
use std::future::{pending, ready};
use std::time::Duration;

use watchglass::{Executor, race, sleep, spawn, timeout, yield_now};

/// So many operations are one round: the script divides by it.
const OPERATIONS_A_ROUND: u64 = 1000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [program, rounds] = &arguments[..] else {
        panic!(
            "usage: watchglass-instructions yield|spawn_and_join|large_output|sleep|race|timeout|block_on ROUNDS"
        );
    };
    let rounds = rounds.parse().expect("ROUNDS is a number");
    match program.as_str() {
        "yield" => yield_loop(rounds),
        "spawn_and_join" => spawn_and_join(rounds),
        "large_output" => large_outputs(rounds),
        "sleep" => sleeps_under_virtual_time(rounds),
        "race" => races(rounds),
        "timeout" => timeouts(rounds),
        "block_on" => entries(rounds),
        other => panic!("there is no program {other}"),
    }
}

/// One task that yields: a wake and a poll each time.
fn yield_loop(rounds: u64) {
    Executor::new().block_on(async move {
        spawn(async move {
            for _ in 0..rounds * OPERATIONS_A_ROUND {
                yield_now().await;
            }
        })
        .await
        .expect("it does not panic");
    });
}

/// A thousand tasks are spawned, then each is awaited.
fn spawn_and_join(rounds: u64) {
    Executor::new().block_on(async move {
        for _ in 0..rounds {
            let handles: Vec<_> = (0..OPERATIONS_A_ROUND)
                .map(|i| spawn(async move { i }))
                .collect();
            for (i, handle) in (0..).zip(handles) {
                assert_eq!(handle.await.expect("it does not panic"), i);
            }
        }
    });
}

/// A task gives 3,000 bytes to whoever awaits it.
fn large_outputs(rounds: u64) {
    Executor::new().block_on(async move {
        for i in 0..rounds * OPERATIONS_A_ROUND {
            let output = spawn(async move { [i as u8; 3000] }).await;
            assert_eq!(output.expect("it does not panic")[0], i as u8);
        }
    });
}

/// A thousand tasks sleep to different instants, up to a second away: arm, park, fire, wake, poll,
/// and what spawning them costs.
fn sleeps_under_virtual_time(rounds: u64) {
    let executor = Executor::builder().virtual_time().build();
    for _ in 0..rounds {
        for i in 0..OPERATIONS_A_ROUND {
            // Scattered, and the same in every run: 611 and 1000 have no divisor in common.
            let duration = Duration::from_millis(i * 611 % OPERATIONS_A_ROUND);
            executor.spawn(sleep(duration));
        }
        executor.run_until_idle();
    }
}

/// A race in which one side is ready at once, and the other never. (No `yield_now` in it, which would then not be
/// compiled into the one task that yields.)
fn races(rounds: u64) {
    Executor::new().block_on(async move {
        for i in 0..rounds * OPERATIONS_A_ROUND {
            assert_eq!(race(pending(), ready(i)).await, i);
        }
    });
}

/// A future that is ready at once has a minute's time.
fn timeouts(rounds: u64) {
    Executor::builder()
        .virtual_time()
        .build()
        .block_on(async move {
            for i in 0..rounds * OPERATIONS_A_ROUND {
                assert_eq!(timeout(Duration::from_secs(60), ready(i)).await, Ok(i));
            }
        });
}

/// One executor is entered again and again, with a future that is ready at once.
fn entries(rounds: u64) {
    let executor = Executor::new();
    for i in 0..rounds * OPERATIONS_A_ROUND {
        assert_eq!(executor.block_on(async move { i }), i);
    }
}
