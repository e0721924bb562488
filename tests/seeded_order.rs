//! `Builder::seed` shuffles the tasks of each turn, the same for the same seed; and a program that is
//! right stays right.

mod common;

use std::cell::RefCell;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use common::{Log, OnDrop, recorded, secs, sentences};
use watchglass::{
    Builder, Executor, JoinSet, join_all, now, race, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

const SEEDS: std::ops::Range<u64> = 0..200;

fn seeded(seed: u64) -> Builder {
    Executor::builder().virtual_time().seed(seed)
}

/// In which order twenty tasks are polled, for three turns.
fn order(builder: Builder) -> Vec<(u32, usize)> {
    let executor = builder.build();
    let log = Log::new();
    for n in 0..20 {
        let log = log.clone();
        drop(executor.spawn(async move {
            for turn in 0..3 {
                log.push((turn, n));
                yield_now().await;
            }
        }));
    }
    executor.run_until_idle();
    log.take()
}

#[test]
fn a_seed_gives_one_order_and_another_seed_another() {
    let fifo = order(Executor::builder().virtual_time());
    assert!(fifo.is_sorted());
    let first = order(seeded(1));
    assert_eq!(first, order(seeded(1)));
    assert_ne!(first, order(seeded(2)));
    assert_ne!(first, fifo);
    let in_turn = |order: &[(u32, usize)]| order.iter().map(|&(_, n)| n).collect::<Vec<_>>();
    assert_ne!(
        in_turn(&first[..20]),
        in_turn(&first[20..40]),
        "each turn is shuffled anew"
    );
}

#[test]
fn a_seed_gives_the_same_order_on_every_machine() {
    let first_turn: Vec<usize> = order(seeded(7))[..20].iter().map(|&(_, n)| n).collect();
    let expected = [
        7, 15, 2, 14, 3, 5, 18, 4, 13, 17, 8, 6, 11, 16, 0, 1, 19, 10, 9, 12,
    ];
    assert_eq!(first_turn, expected);
}

#[test]
fn every_task_is_polled_once_a_turn_under_every_seed() {
    let fifo = order(Executor::builder().virtual_time());
    for seed in SEEDS {
        let mut order = order(seeded(seed));
        assert!(
            order.is_sorted_by_key(|&(turn, _)| turn),
            "seed {seed}: {order:?}"
        );
        order.sort_unstable();
        assert_eq!(order, fifo, "seed {seed}");
    }
}

#[test]
fn every_first_task_of_three_comes_first_under_some_seed() {
    let firsts: std::collections::HashSet<_> = SEEDS.map(|seed| order(seeded(seed))[0].1).collect();
    assert_eq!(firsts.len(), 20);
}

#[test]
fn the_whole_trace_is_the_same_for_the_same_seed() {
    let trace = |seed| {
        let (executor, recording) = recorded(seeded(seed));
        executor.block_on(program(seed));
        drop(executor);
        sentences(&recording)
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

/// Everything that holds whatever the order of the tasks within a turn is.
async fn program(seed: u64) {
    let start = now();
    let dropped = Log::new();
    let guard = |n| {
        let dropped = dropped.clone();
        OnDrop(move || dropped.push(n))
    };
    // Sleeps end exactly at their deadlines.
    let sleepers = (0..30u64).map(|n| {
        let guard = guard(n);
        spawn(async move {
            let _guard = guard;
            sleep(secs(n % 7)).await;
            (now() - start).as_secs()
        })
    });
    let ended = join_all(sleepers).await;
    let seconds: Vec<u64> = ended.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        seconds,
        (0..30).map(|n| n % 7).collect::<Vec<_>>(),
        "seed {seed}"
    );
    assert_eq!(dropped.take().len(), 30, "seed {seed}");
    // A set gives each outcome once, in the order of the ends.
    let mut set = JoinSet::new();
    for n in 0..10u64 {
        set.spawn(async move {
            sleep(secs(n / 2)).await;
            n / 2
        });
    }
    let mut ends = Vec::new();
    while let Some(end) = set.join_next().await {
        ends.push(end.unwrap());
    }
    assert_eq!(ends, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], "seed {seed}");
    // A channel keeps the order of each sender, and loses nothing.
    let (send, receive) = async_channel::bounded(2);
    for sender in 0..3 {
        let send = send.clone();
        drop(spawn(async move {
            for n in 0..5 {
                send.send((sender, n)).await.unwrap();
            }
        }));
    }
    drop(send);
    let mut received = Vec::new();
    while let Ok(message) = receive.recv().await {
        received.push(message);
    }
    received.sort_by_key(|&(sender, _)| sender);
    let sent: Vec<_> = (0..3)
        .flat_map(|sender| (0..5).map(move |n| (sender, n)))
        .collect();
    assert_eq!(received, sent, "seed {seed}");
    // An aborted task is dropped, a panic stays in its task, a loser is dropped.
    let aborted = spawn(sleep(Duration::MAX));
    aborted.abort();
    assert!(aborted.await.unwrap_err().is_cancelled(), "seed {seed}");
    let shared = Rc::new(RefCell::new(0));
    let panics = spawn({
        let shared = shared.clone();
        async move {
            *shared.borrow_mut() += 1;
            yield_now().await;
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    });
    assert!(panics.await.unwrap_err().is_panic(), "seed {seed}");
    assert_eq!(*shared.borrow(), 1, "seed {seed}");
    let won = race(sleep(secs(2)), async {
        let _guard = guard(0);
        sleep(secs(1)).await;
    });
    won.await;
    assert!(
        timeout(secs(1), sleep(secs(2))).await.is_err(),
        "seed {seed}"
    );
    assert_eq!(dropped.take(), [0], "seed {seed}");
    assert_eq!(now() - start, secs(6 + 4 + 1 + 1), "seed {seed}");
}

#[test]
fn what_does_not_depend_on_the_order_holds_under_200_seeds() {
    for seed in SEEDS {
        let executor = seeded(seed).build();
        executor.block_on(program(seed));
        assert_eq!(
            executor.block_on(async { spawn_blocking(|| 5).await.unwrap() }),
            5
        );
        executor.run_until_idle();
        assert_eq!(executor.next_deadline(), None, "seed {seed}");
    }
}

/// Not a test: the program that the test below runs.
#[test]
#[ignore = "run by another test"]
fn a_program_that_panics_in_some_order() {
    for seed in 5..8 {
        let executor = Executor::builder().virtual_time().seed(seed).build();
        match seed {
            5 => executor.block_on(async {}),
            6 => drop(catch_unwind(AssertUnwindSafe(|| {
                executor.block_on(pending::<()>())
            }))),
            _ => executor.block_on(async { panic!("on purpose") }),
        }
    }
}

#[test]
fn where_block_on_panics_the_seed_is_told() {
    // Where these tests are a part of a larger program, with the modules that they are in.
    let name = concat!(module_path!(), "::a_program_that_panics_in_some_order");
    let (_, name) = name.split_once("::").unwrap();
    let program = ["--ignored", "--nocapture", "--exact", name];
    let output = Command::new(std::env::current_exe().unwrap())
        .args(program)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let told: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("watchglass:"))
        .collect();
    let seed = |seed: u64| format!("watchglass: the tasks were polled in the order of seed {seed}");
    assert_eq!(told, [seed(6), seed(7)]);
}

#[test]
fn a_view_says_where_a_task_is_polled_out_of_its_turn() {
    let out_of_turn = |builder: Builder| {
        let (executor, recording) = recorded(builder);
        (0..9).for_each(|_| drop(executor.spawn(async {})));
        executor.run_until_idle();
        let story = recording.story();
        let says = "polled (poll 1): it is new, out of turn: the order is shuffled\n";
        (
            story.matches(says).count(),
            story.matches(" polled ").count(),
        )
    };
    assert_eq!(out_of_turn(Executor::builder().virtual_time()), (0, 9));
    let (times, polls) = out_of_turn(seeded(1));
    assert!(times > 0 && polls == 9, "{times}");
}
