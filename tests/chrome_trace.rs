//! The Chrome trace, held against the rules of its format and of Perfetto, which reads it: slices on a
//! track nest and take some time, arrows have two ends and both lie in slices, every track has one
//! name, a counter goes forward in time.

mod common;
mod programs;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;

use common::{OnDrop, altered, leaves_its_waker, ms, poll_once, recorded, secs};
use programs::{Channel, act, run};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use watchglass::trace::{Event, Observer, Record, Recording};
use watchglass::{
    Builder, Executor, join, join_all, sleep, spawn, spawn_blocking, spawn_named, yield_now,
};

async fn everything() {
    let tasks = (1..4).map(|n| {
        spawn(async move {
            sleep(ms(n * 3)).await;
            yield_now().await;
            spawn_blocking(move || thread::sleep(ms(n))).await.unwrap();
        })
    });
    join_all(tasks).await;
    let aborted = spawn(sleep(secs(60)));
    yield_now().await;
    aborted.abort();
    let _ = aborted.await;
    drop(spawn(sleep(secs(60))));
    yield_now().await;
}

#[test]
fn a_log_that_begins_anywhere_can_be_drawn() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_blocking(|| ()).await.unwrap() });
    let records = recording.take();
    for begin in 0..records.len() {
        records[begin..]
            .iter()
            .for_each(|record| recording.observe(record));
        events(&recording);
        recording.take();
    }
}

fn trace(builder: Builder) -> Vec<Value> {
    let (executor, recording) = recorded(builder);
    executor.block_on(everything());
    events(&recording)
}

fn events(recording: &Recording) -> Vec<Value> {
    let json: Value = serde_json::from_str(&recording.chrome_json()).unwrap();
    json["traceEvents"].as_array().unwrap().clone()
}

/// In nanoseconds: the format's microseconds are not whole.
fn ns(value: &Value) -> u64 {
    (value.as_f64().unwrap() * 1_000.0).round() as u64
}

fn track(event: &Value) -> u64 {
    assert_eq!(event["pid"], 1);
    event["tid"].as_u64().unwrap()
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Slice {
    from: u64,
    until: u64,
    name: String,
}

fn slices(events: &[Value]) -> HashMap<u64, Vec<Slice>> {
    let mut slices: HashMap<u64, Vec<Slice>> = HashMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let from = ns(&event["ts"]);
        slices.entry(track(event)).or_default().push(Slice {
            from,
            until: from + ns(&event["dur"]),
            name: event["name"].as_str().unwrap().to_owned(),
        });
    }
    slices
}

/// Gives the number of arrows.
fn assert_valid(events: &[Value]) -> usize {
    let slices = slices(events);
    for (track, slices) in &slices {
        for (at, a) in slices.iter().enumerate() {
            assert!(a.from < a.until, "on track {track} {a:?} takes no time");
            for b in &slices[at + 1..] {
                let apart = a.until <= b.from || b.until <= a.from;
                let nested = (a.from <= b.from && b.until <= a.until)
                    || (b.from <= a.from && a.until <= b.until);
                assert!(apart || nested, "on track {track} {a:?} and {b:?} overlap");
            }
        }
    }
    let mut named = HashSet::new();
    let mut ends: HashMap<u64, Vec<(&str, u64)>> = HashMap::new();
    let mut counted = 0;
    for event in events {
        match event["ph"].as_str().unwrap() {
            "M" => {
                assert!(!event["args"]["name"].as_str().unwrap().is_empty());
                let is_new = match event["name"].as_str().unwrap() {
                    "process_name" => events[0] == *event,
                    "thread_name" => named.insert(track(event)),
                    other => panic!("unknown metadata: {other}"),
                };
                assert!(is_new, "a track is named twice: {event}");
            }
            phase @ ("s" | "f") => {
                let at = ns(&event["ts"]);
                // Perfetto drops what is not between a slice's first moment and its last.
                let mut around = slices[&track(event)].iter();
                let inside = around.any(|s| s.from <= at && at < s.until);
                assert!(inside, "an arrow hangs in the air: {event}");
                // An arrow's two ends are found by all three.
                assert_eq!(
                    (&event["cat"], &event["name"]),
                    (&json!("wake"), &json!("wake"))
                );
                ends.entry(event["id"].as_u64().unwrap())
                    .or_default()
                    .push((phase, at));
            }
            "C" => {
                assert_eq!(event["name"], "ready queue");
                assert!(event["args"]["tasks"].is_u64());
                let at = ns(&event["ts"]);
                assert!(counted <= at, "a counter goes back in time: {event}");
                counted = at;
            }
            "i" => assert_eq!((&event["s"], track(event)), (&json!("t"), 1)),
            "X" => {
                assert!(event["args"].is_object() && !event["name"].as_str().unwrap().is_empty())
            }
            other => panic!("an unknown phase: {other}"),
        }
    }
    assert!(
        slices.keys().all(|track| named.contains(track)),
        "a track has no name"
    );
    for (id, ends) in &ends {
        let [("s", from), ("f", until)] = ends[..] else {
            panic!("arrow {id} has the ends {ends:?}");
        };
        assert!(from < until, "arrow {id} goes back in time");
    }
    ends.len()
}

#[test]
fn random_programs_are_valid_and_every_view_shows_them() {
    let mut runner = TestRunner::deterministic();
    let programs = (
        prop::collection::vec(act(), 0..8),
        prop::option::of(any::<u64>()),
    );
    let mut arrows = 0;
    for _ in 0..100 {
        let (acts, seed) = programs.new_tree(&mut runner).unwrap().current();
        let builder = Executor::builder().virtual_time().closed_world(false);
        let builder = seed.into_iter().fold(builder, Builder::seed);
        let (executor, recording) = recorded(builder);
        let (sender, receiver) = async_channel::unbounded();
        executor.block_on(run(acts, Channel { sender, receiver }));
        // With what it has left behind, and then without.
        arrows += assert_valid(&events(&recording));
        drop(executor);
        assert_valid(&events(&recording));
        // None of the views panics, and each knows the main task.
        let views = [recording.story(), recording.timeline(), recording.svg()];
        assert!(views.iter().all(|view| view.contains("run")));
        assert!(recording.html("").contains("run is given to block_on at"));
    }
    assert!(arrows > 100, "{arrows} arrows");
}

#[test]
fn a_run_that_stalls_is_valid_and_tells_what_was_found() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        sleep(secs(1)).await;
        spawn(pending::<()>()).await.unwrap();
    });
    stalled.unwrap_err();
    let events = events(&recording);
    assert_valid(&events);
    let found: Vec<&Value> = events.iter().filter(|event| event["ph"] == "i").collect();
    assert_eq!(found.len(), 2, "{found:?}");
    let says = |event: &Value| event["name"].as_str().unwrap().to_owned();
    assert!(says(found[0]).contains("nobody holds its waker"));
    assert!(says(found[1]).starts_with("nothing can ever happen again"));
    let is_then = |event: &&Value| ns(&event["ts"]) >= 1_000_000_000;
    assert!(found.iter().all(is_then), "{found:?}");
}

#[test]
fn a_task_that_never_had_its_turn_is_found() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { drop(spawn_named("saves", pending::<()>())) });
    drop(executor);
    let events = events(&recording);
    assert_valid(&events);
    let found: Vec<&Value> = events.iter().filter(|event| event["ph"] == "i").collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["cat"], "found");
    let says = found[0]["name"].as_str().unwrap();
    assert!(
        says.starts_with("saves, spawned at ")
            && says.contains(", is dropped and was never polled"),
        "{says}"
    );
}

#[test]
fn a_run_that_goes_on_is_valid() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let _naps = join_all((1..4).map(|n| spawn(sleep(secs(n))))).await;
        drop(spawn(sleep(secs(60))));
        yield_now().await;
        assert_valid(&events(&recording));
    });
}

#[test]
fn a_run_on_the_virtual_clock_is_valid() {
    assert!(assert_valid(&trace(Executor::builder().virtual_time())) > 0);
}

#[test]
fn a_run_on_the_real_clock_is_valid_and_has_all_its_tracks() {
    let events = trace(Executor::builder());
    assert!(assert_valid(&events) > 0, "no wake is drawn");
    let slices = slices(&events);
    let names = |track: u64| -> HashSet<&str> {
        slices[&track]
            .iter()
            .map(|slice| slice.name.as_str())
            .collect()
    };
    assert!(names(1).contains("parked"));
    assert!(names(1).contains("everything #0"));
    let on_threads = of_closures(&slices).len();
    assert_eq!(on_threads, 3, "closures that ran on threads");
    let lengths: HashSet<u64> = events
        .iter()
        .filter(|event| event["ph"] == "C")
        .map(|event| event["args"]["tasks"].as_u64().unwrap())
        .collect();
    assert!(lengths.contains(&0) && lengths.contains(&3), "{lengths:?}");
}

#[test]
fn waits_are_slices_and_an_arrow_leads_from_a_task_s_end() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_named("sleeper", sleep(ms(20))).await.unwrap() });
    let events = events(&recording);
    let slices = slices(&events);
    let lasts = |words: &str| {
        let all = slices.values().flatten();
        let named = all.filter(|slice| slice.name.contains(words));
        named.map(|slice| slice.until - slice.from).max()
    };
    for wait in ["its timer for 0.020 s", "sleeper to end"] {
        assert!(lasts(wait).unwrap() >= 19_999_000, "{wait}: {slices:?}");
    }
    // Its life, on a track of its own. Track 1 is the executor's.
    let (track, life) = slices
        .iter()
        .filter(|(track, _)| **track != 1)
        .find_map(|(track, slices)| {
            let life = slices.iter().find(|slice| slice.name == "sleeper");
            Some((*track, life?))
        })
        .unwrap();
    let begins_at_its_end = |event: &Value| {
        event["ph"] == "s" && self::track(event) == track && ns(&event["ts"]) + 1 >= life.until
    };
    assert!(events.iter().any(begins_at_its_end), "{events:#?}");
}

#[test]
fn each_poll_says_why_as_the_story_does_and_an_arrow_leads_to_who_woke_itself() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(yield_now());
    let events = events(&recording);
    let polls = events.iter().filter(|event| event["ph"] == "X");
    let polls = polls.filter(|event| track(event) == 1);
    let why: Vec<&str> = polls
        .filter_map(|poll| poll["args"]["why"].as_str())
        .collect();
    let story = recording.story();
    let told = story.lines().filter_map(|line| line.split_once(" s  "));
    let told = told.map(|(_, sentence)| sentence);
    let told: Vec<&str> = told
        .filter(|sentence| sentence.contains(" polled (poll "))
        .collect();
    assert_eq!(told.len(), 2, "{story}");
    assert_eq!(why, told);
    assert_eq!(assert_valid(&events), 1, "{events:#?}");
}

#[test]
fn a_log_that_ends_while_the_thread_is_parked_shows_that() {
    let recording = Recording::new();
    let event = Event::Parked { until: None };
    let (seq, time) = (0, ms(1));
    recording.observe(&Record { seq, time, event });
    let events = events(&recording);
    assert_valid(&events);
    assert_eq!(slices(&events)[&1][0].name, "parked");
}

#[test]
fn a_park_says_why_it_has_ended() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(sleep(ms(20)));
    let parked = |event: &&Event| matches!(event, Event::Parked { .. });
    let parks = recording.events().iter().filter(parked).count();
    let events = events(&recording);
    let why = events.iter().filter(|event| event["name"] == "parked");
    let why: Vec<&str> = why
        .filter_map(|park| park["args"]["why"].as_str())
        .collect();
    assert_eq!(why.len(), parks);
    let says = |why: &&str| why.starts_with("the thread runs again: ");
    assert!(why.iter().all(says), "{why:?}");
}

/// The slices of closures, on all threads.
fn of_closures(slices: &HashMap<u64, Vec<Slice>>) -> Vec<&Slice> {
    let on_threads = slices.iter().filter(|(track, _)| **track >= 1_000_000_000);
    on_threads.flat_map(|(_, slices)| slices).collect()
}

/// The slice around an arrow's end.
fn around<'s>(slices: &'s HashMap<u64, Vec<Slice>>, end: &Value) -> &'s Slice {
    let at = ns(&end["ts"]);
    let around = slices[&track(end)].iter();
    let around = around.filter(|slice| slice.from <= at && at < slice.until);
    around.min_by_key(|slice| slice.until - slice.from).unwrap()
}

#[test]
fn an_arrow_leads_from_the_last_cause_and_a_second_wake_has_none() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let woken = Rc::new(RefCell::new(None));
        let left = woken.clone();
        let receiver = spawn_named("receiver", async move { leaves_its_waker(&left).await });
        yield_now().await;
        let waker: Waker = woken.take().unwrap();
        let wakes = spawn_named("wakes", async move {
            waker.wake_by_ref();
            waker.wake();
        });
        let aborts = spawn_named("aborts", async move { receiver.abort() });
        join(wakes, aborts).await.0.unwrap();
    });
    let events = events(&recording);
    assert_valid(&events);
    let slices = slices(&events);
    let of_phase = |phase| events.iter().filter(move |event| event["ph"] == phase);
    let is_dropped = |why: &str| why.starts_with("receiver dropped, not polled");
    let drop_begins =
        of_phase("X").find(|slice| slice["args"]["why"].as_str().is_some_and(is_dropped));
    let drop_begins = ns(&drop_begins.unwrap()["ts"]);
    let end = of_phase("f")
        .find(|end| ns(&end["ts"]) == drop_begins)
        .unwrap();
    let begin = of_phase("s")
        .find(|begin| begin["id"] == end["id"])
        .unwrap();
    assert_eq!(around(&slices, begin).name, "aborts");
}

#[test]
fn who_was_woken_during_its_own_poll_or_has_lost_its_timer_does_not_wait_for_it() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let nap = Rc::new(RefCell::new(Some(Box::pin(sleep(secs(5))))));
        let sleeper = spawn_named("sleeper", {
            let nap = nap.clone();
            poll_fn(move |cx| {
                let mut nap = nap.borrow_mut();
                nap.as_mut()
                    .map_or(Poll::Pending, |nap| nap.as_mut().poll(cx))
            })
        });
        let eager = async {
            let mut nap = pin!(sleep(secs(1)));
            assert!(poll_once(nap.as_mut()).await.is_pending());
            yield_now().await;
        };
        spawn_named("eager", eager).await.unwrap();
        sleep(secs(1)).await;
        drop(nap.take());
        sleep(secs(1)).await;
        sleeper.abort();
        sleeper.await.unwrap_err();
    });
    let events = events(&recording);
    assert_valid(&events);
    let slices = slices(&events);
    let slices: Vec<&Slice> = slices.values().flatten().collect();
    let waits = slices
        .iter()
        .filter(|slice| slice.name.starts_with("waits for "));
    let waits: Vec<(&str, u64)> = waits
        .map(|slice| (&slice.name[..], slice.until / 1_000_000_000))
        .collect();
    assert!(
        waits.contains(&("waits for its timer for 5.000 s", 1)),
        "{waits:?}"
    );
    assert!(
        !waits.iter().any(|(name, _)| name.contains("1.000 s and")),
        "{waits:?}"
    );
    let timeline = recording.timeline();
    assert!(
        timeline.contains("= sleep until 5.000 s =============-"),
        "{timeline}"
    );
}

#[test]
fn a_wake_of_who_has_ended_and_is_queued_is_no_arrow() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let lent = Rc::new(RefCell::new(None));
        let left = lent.clone();
        // It ends and is in the queue, for it has woken itself.
        spawn(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            *left.borrow_mut() = Some(cx.waker().clone());
            Poll::Ready(())
        }));
        let wakes = async move { Waker::wake(lent.take().unwrap()) };
        spawn(wakes).await.unwrap();
    });
    assert_valid(&events(&recording));
}

#[test]
fn a_closure_has_run_between_what_is_told_of_it() {
    for _ in 0..50 {
        let (executor, recording) = recorded(Executor::builder().blocking_threads(1));
        executor.block_on(async { spawn_blocking(|| ()).await.unwrap() });
        let mut started = None;
        for record in recording.records() {
            match record.event {
                Event::BlockingStarted { .. } => started = Some(record.time),
                Event::BlockingDone { queued, took, .. } => {
                    assert!(started.unwrap() + queued + took <= record.time);
                }
                _ => {}
            }
        }
        assert!(started.is_some());
    }
}

#[test]
fn who_has_no_waker_waits_for_nothing_and_who_has_left_a_timer_for_that() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        drop(spawn_named("forgets", pending::<()>()));
        let mut nap = Box::pin(sleep(secs(2)));
        let mut polls = 0;
        let keeps = poll_fn(move |cx| {
            polls += 1;
            // The timer of the first poll ends the wait of the second.
            if polls == 2 {
                return Poll::Pending;
            }
            cx.waker().wake_by_ref();
            nap.as_mut().poll(cx)
        });
        let keeps = spawn_named("keeps", keeps);
        keeps.await.unwrap();
    });
    let events = events(&recording);
    let slices = slices(&events);
    let names: HashSet<&str> = slices
        .values()
        .flatten()
        .map(|slice| &slice.name[..])
        .collect();
    assert!(
        names.contains("waits, and nobody has its waker"),
        "{names:?}"
    );
    assert!(
        names.contains("waits for what it has waited for before"),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.contains("not watchglass's")),
        "{names:?}"
    );
}

#[test]
fn closures_of_one_thread_lie_one_after_the_other() {
    let (executor, recording) = recorded(Executor::builder().virtual_time().blocking_threads(1));
    executor.block_on(async { drop(join_all([(); 2].map(|()| spawn_blocking(|| ()))).await) });
    // As if each had run for 10 ms, and none had waited for the other.
    let mut ran = ms(0);
    let altered = altered(&recording, |record| {
        if let Event::BlockingDone { took, .. } = &mut record.event {
            *took = ms(10);
            ran += *took;
        }
        record.time += ran;
    });
    let slices = slices(&events(&altered));
    let closures = of_closures(&slices);
    let [first, second] = &closures[..] else {
        panic!("{closures:?}");
    };
    assert!(first.until <= second.from, "{closures:?}");
}

#[test]
fn a_closure_s_slice_begins_when_a_thread_has_taken_it() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_blocking(|| ()).await.unwrap() });
    // As if it had waited for 30 ms, and this thread had asked late.
    let mut at = ms(0);
    let waited = altered(&recording, |record| {
        if let Event::BlockingDone { queued, took, .. } = &mut record.event {
            (*queued, *took) = (ms(30), ms(10));
            at = ms(100);
        }
        record.time = at;
    });
    let slices = slices(&events(&waited));
    let closure = of_closures(&slices)[0];
    assert_eq!(closure.from / 1_000_000, 30, "{closure:?}");
}

#[test]
fn a_closure_is_a_slice_for_as_long_as_it_ran() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { spawn_blocking(|| thread::sleep(ms(15))).await.unwrap() });
    // As if this thread had lost its processor between the two clocks that are read when it hands the closure over.
    let late = altered(&recording, |record| {
        if let Event::BlockingDone { queued, .. } = &mut record.event {
            *queued += ms(5);
        }
    });
    let slices = slices(&events(&late));
    let closure = of_closures(&slices)[0];
    assert!(closure.until - closure.from >= 15_000_000, "{closure:?}");
}

#[test]
fn a_drop_with_the_executor_holds_the_thread_as_a_slice() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async {
        drop(spawn_named("left", async {
            let _held = OnDrop(|| thread::sleep(ms(20)));
            sleep(secs(60)).await;
        }));
        yield_now().await;
    });
    drop(executor);
    let events = events(&recording);
    assert_valid(&events);
    let is_drop = |event: &&Value| {
        let why = event["args"]["why"].as_str();
        event["ph"] == "X" && why.is_some_and(|why| why.starts_with("left is dropped unfinished"))
    };
    let drops: Vec<&Value> = events.iter().filter(is_drop).collect();
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert!(ns(&drops[0]["dur"]) >= 20_000_000, "{drops:?}");
    // Meanwhile it waits no more.
    let slices = slices(&events);
    let mut slices = slices.values().flatten();
    let waits = slices.find(|slice| slice.name.starts_with("waits for its timer for "));
    assert!(waits.unwrap().until <= ns(&drops[0]["ts"]), "{waits:?}");
}

#[test]
fn closures_of_one_thread_come_in_the_order_of_their_runs() {
    let (executor, recording) = recorded(Executor::builder().virtual_time().blocking_threads(1));
    executor.block_on(join_all(
        [1, 2].map(|_| executor.spawn(async { spawn_blocking(|| ()).await.unwrap() })),
    ));
    // As if the executor had looked at 100 ms, at the last one first, which is so where the order is shuffled.
    let (mut starts, mut now) = ([10, 0].into_iter(), ms(0));
    let shuffled = altered(&recording, |record| {
        if let Event::BlockingDone { queued, took, .. } = &mut record.event {
            (*queued, *took) = (ms(starts.next().unwrap()), ms(10));
            now = ms(100);
        }
        record.time = now;
    });
    let slices = slices(&events(&shuffled));
    let closures = of_closures(&slices);
    let mut ran: Vec<_> = closures
        .iter()
        .map(|run| (run.from / 1_000_000, run.until / 1_000_000))
        .collect();
    ran.sort_unstable();
    assert_eq!(ran, [(0, 10), (10, 20)]);
}
