//! Every leaf tells the file, the line and the column of the user's `.await` that polls it.

mod common;

use std::future::pending;
use std::pin::{Pin, pin};

use common::{ms, recorded, secs};
use watchglass::trace::{Event, WaitsOn};
use watchglass::{
    Executor, JoinSet, interval, join, join_all, now, race, sleep, sleep_until, spawn, timeout,
    yield_now,
};

type Program = Pin<Box<dyn Future<Output = ()>>>;

/// Runs until it first waits; gives what it waits for, and the code in front of that `await`.
fn waits(program: Program) -> Vec<(WaitsOn, String)> {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    drop(executor.spawn(program));
    executor.step();
    let place = |event| match event {
        Event::Waits { on, at, .. } => {
            assert_eq!(at.file(), file!());
            let line = include_str!("await_places.rs")
                .lines()
                .nth(at.line() as usize - 1);
            let (before, after) = line.unwrap().split_at(at.column() as usize - 1);
            assert!(after.starts_with("await"), "{at}: {after}");
            Some((on, before.trim_start().to_owned()))
        }
        _ => None,
    };
    recording.events().into_iter().filter_map(place).collect()
}

#[test]
#[rustfmt::skip]
fn each_leaf_tells_the_place_of_its_await() {
    let programs: [(&str, Program); 11] = [
        ("sleep(secs(1)).", Box::pin(async {
            sleep(secs(1)).await;
        })),
        ("sleep_until(now() + secs(1)).", Box::pin(async {
            sleep_until(now() + secs(1)).await;
        })),
        ("timeout(secs(1), async {}).await.unwrap(); timeout(secs(2), sleep(secs(1))).", Box::pin(async {
            timeout(secs(1), async {}).await.unwrap(); timeout(secs(2), sleep(secs(1))).await.unwrap();
        })),
        ("interval(secs(1)).tick().", Box::pin(async {
            interval(secs(1)).tick().await;
        })),
        ("spawn(async {}).", Box::pin(async {
            spawn(async {}).await.unwrap();
        })),
        ("set.join_next().", Box::pin(async {
            let mut set = JoinSet::new();
            set.spawn(async {});
            set.join_next().await;
        })),
        ("yield_now().", Box::pin(async {
            yield_now().await;
        })),
        ("join(yield_now(), sleep(secs(1))).", Box::pin(async {
            join(yield_now(), sleep(secs(1))).await;
        })),
        ("join_all([sleep(secs(1))]).", Box::pin(async {
            join_all([sleep(secs(1))]).await;
        })),
        ("race(yield_now(), sleep(secs(1))).", Box::pin(async {
            race(yield_now(), sleep(secs(1))).await;
        })),
        ("sleep(std::time::Duration::MAX).", Box::pin(async {
            sleep(std::time::Duration::MAX).await;
        })),
    ];
    for (code, program) in programs {
        let places = waits(program);
        assert!(!places.is_empty(), "{code} says that it waits");
        for (on, place) in places {
            assert_eq!(place, code, "{on:?}");
        }
    }
}

#[test]
fn a_leaf_tells_what_it_waits_for() {
    let kinds = |program: Program| -> Vec<String> {
        let waits = waits(program).into_iter();
        waits.map(|(on, _)| on.to_string()).collect()
    };
    let joined = Box::pin(async {
        join_all([sleep(secs(1)), sleep(secs(2))]).await;
    });
    assert_eq!(kinds(joined), ["timer 0", "timer 1", "2 joined futures"]);
    let raced = Box::pin(async {
        race(yield_now(), sleep(std::time::Duration::MAX)).await;
    });
    let expected = ["its next turn", "a deadline that never comes"];
    assert_eq!(kinds(raced), expected);
    let handle = Box::pin(async {
        spawn(async {}).await.unwrap();
    });
    assert_eq!(kinds(handle), ["#1 to end"]);
}

#[test]
fn an_await_inside_an_async_fn_is_told_not_the_one_outside() {
    async fn inner() {
        sleep(secs(1)).await;
    }
    async fn outer() {
        inner().await;
    }
    assert_eq!(waits(Box::pin(outer()))[0].1, "sleep(secs(1)).");
}

/// The standard library's futures for `&mut F` and `Box<F>` do not pass the place on, and a future
/// that is the whole task is polled by the executor.
#[test]
fn a_place_that_is_not_in_the_program_is_not_shown() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        let naps = async {
            Box::pin(sleep(ms(1))).await;
            let mut nap = pin!(sleep(ms(1)));
            nap.as_mut().await;
            Box::pin(timeout(secs(1), sleep(ms(1)))).await.unwrap();
            Box::pin(interval(ms(1)).tick()).await;
            Box::pin(join_all([sleep(ms(1))])).await;
            Box::pin(join(sleep(ms(1)), yield_now())).await;
        };
        let mut naps = spawn(naps);
        (&mut naps).await.unwrap();
        let whole: Program = Box::pin(sleep(ms(1)));
        spawn(whole).await.unwrap();
        spawn(sleep(std::time::Duration::MAX));
        let mut stuck = spawn(pending::<()>());
        (&mut stuck).await.unwrap();
    });
    let events = recording.events();
    let waits: Vec<String> = events
        .iter()
        .filter(|event| matches!(event, Event::Waits { .. }))
        .map(Event::to_string)
        .collect();
    let here = format!(" at {}:", file!());
    let shown = waits.iter().filter(|wait| wait.contains(&here));
    assert_eq!(
        shown.count(),
        1,
        "only `spawn(whole).await` is in this file: {waits:?}"
    );
    let stalled = stalled.unwrap_err().to_string();
    assert!(stalled.contains("waits for #"), "{stalled}");
    for text in [
        waits.join("\n"),
        stalled,
        recording.story(),
        recording.svg(),
    ] {
        for not_ours in ["/core/", "/alloc/", "src/"] {
            assert!(!text.contains(not_ours), "{not_ours} is in\n{text}");
        }
    }
    let page = recording.html("hidden");
    assert!(page.contains("a_place_that_is_not_in_the_program_is_not_shown"));
    let sources = |folder| page.contains(&format!("\"{folder}/await_places.rs\":["));
    assert!(sources("tests"));
    for ours in ["task", "time", "time/timeout", "time/interval", "join_all"] {
        assert!(
            !page.contains(&format!("\"src/{ours}.rs\":[")),
            "our own source is none of the program's"
        );
    }
}
