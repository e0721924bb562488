//! What is wrong with a program is told: as events, and as findings at the end of the story.

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{
    OnDrop, altered, calm, leaves_its_waker, ms, own_waker, poll_once, recorded, recorded_and, secs,
};
use serde_json::Value;
use watchglass::trace::{Cause, Event, LongPoll, Observer, Record, Recording};
use watchglass::{
    Builder, Executor, JoinHandle, JoinSet, join, join_all, now, race, sleep, sleep_until, spawn,
    spawn_blocking, spawn_named, timeout, yield_now,
};

fn findings(recording: &Recording) -> Vec<String> {
    let story = recording.story();
    let found = story
        .split_once("\nfound:\n")
        .map_or("", |(_, found)| found);
    found.lines().map(str::to_owned).collect()
}

fn long_polls(recording: &Recording) -> Vec<LongPoll> {
    let events = recording.events().into_iter();
    let long = events.filter_map(|event| match event {
        Event::LongPoll(poll) => Some(*poll),
        _ => None,
    });
    long.collect()
}

fn holds_the_thread() -> Recording {
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(30)));
    executor.block_on(async {
        let late = spawn_named("late", sleep(ms(30)));
        let ready = spawn_named("ready", async {
            yield_now().await;
            yield_now().await;
        });
        yield_now().await;
        thread::sleep(ms(90));
        late.await.unwrap();
        ready.await.unwrap();
    });
    recording
}

#[test]
fn a_long_poll_is_told_with_whom_it_delayed() {
    // On a machine that stands still meanwhile other polls are long, too, or the timer is due before.
    let run = (0..50).find_map(|_| {
        let recording = holds_the_thread();
        match &long_polls(&recording)[..] {
            // Nor is its own time all in one stretch.
            [poll] if poll.timers == 1 && poll.until.is_some() => Some((poll.clone(), recording)),
            _ => None,
        }
    });
    let (poll, recording) = run.expect("once in fifty times nothing comes in between");
    assert!(poll.took >= ms(90));
    let [from, until] = [poll.after, poll.until].map(|place| place.unwrap().line());
    assert_eq!(until, from + 2, "{poll}");
    for (between, of_it) in [(60, ", 60ms of it from "), (85, ", from ")] {
        let mut poll = poll.clone();
        (poll.took, poll.between) = (ms(90), ms(between));
        assert!(poll.to_string().contains(of_it), "{poll}");
    }
    assert_eq!(poll.delayed.len(), 2, "{poll}");
    assert!(
        poll.late >= ms(55) && poll.late <= poll.took,
        "{:?}",
        poll.late
    );
    let found = findings(&recording);
    assert!(
        found[0].contains("holds_the_thread held the thread"),
        "{found:?}"
    );
    assert!(
        found[0].contains("it delayed late and ready; 1 timer had"),
        "{found:?}"
    );
    assert!(
        found[0].contains("from the await at tests/diagnosis.rs:"),
        "{found:?}"
    );
}

#[test]
fn who_was_woken_by_another_thread_is_delayed_too_and_woken_all_the_same() {
    let builder = Executor::builder().virtual_time().long_poll(ms(20));
    let (executor, recording) = recorded(builder);
    let (waits, ids) = executor.block_on(async {
        let (senders, waits): (Vec<_>, Vec<_>) = [1, 2]
            .map(|_| {
                let (sender, receiver) = async_channel::unbounded();
                (sender, spawn(async move { receiver.recv().await }))
            })
            .into_iter()
            .unzip();
        yield_now().await;
        let sends = move || {
            senders
                .iter()
                .for_each(|sender| sender.try_send(7).unwrap())
        };
        thread::spawn(sends).join().unwrap();
        thread::sleep(ms(20));
        let ids: Vec<_> = waits.iter().map(JoinHandle::id).collect();
        (join_all(waits).await, ids)
    });
    assert!(waits.into_iter().all(|received| received.unwrap() == Ok(7)));
    // On a busy machine other polls may be long, too.
    let polls = long_polls(&recording);
    assert!(polls.iter().any(|poll| poll.delayed == ids), "{polls:?}");
    let is_woken = |event: &Event| match event {
        Event::Woken { task, by, .. } => *by == Cause::OtherThread && ids.contains(task),
        _ => false,
    };
    let wakes = recording
        .events()
        .iter()
        .filter(|event| is_woken(event))
        .count();
    assert_eq!(wakes, 2);
}

/// The classic bug of a future that has room for one waker: the second who waits takes the place of the first.
#[test]
fn who_has_lost_its_waker_to_another_is_named_while_the_program_runs_in_an_open_world() {
    let (executor, recording) = recorded(Executor::builder());
    let place: Rc<RefCell<Option<Waker>>> = Rc::default();
    let waits = || {
        let place = place.clone();
        poll_fn(move |cx| {
            *place.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
    };
    let (sender, receiver) = async_channel::bounded(1);
    let main = async {
        let first = spawn(waits());
        let _second = spawn(waits());
        let sends = thread::spawn(move || {
            thread::sleep(ms(20));
            sender.send_blocking(()).unwrap();
        });
        receiver.recv().await.unwrap();
        sends.join().unwrap();
        first.id()
    };
    let first = executor.block_on(main);
    let events = recording.events();
    let told: Vec<_> = events
        .iter()
        .filter(|event| matches!(event, Event::ForgottenWaker { .. } | Event::Parked { .. }))
        .collect();
    let lost = Event::ForgottenWaker { task: first };
    assert_eq!(told[0], &lost, "{told:?}");
    let again = told[1..].iter().any(|event| **event == lost);
    assert!(told.len() > 1 && !again, "it is told once: {told:?}");
}

/// Nobody comes back after the park: then it must have been told.
#[test]
fn who_loses_its_waker_last_of_all_is_named_before_the_program_falls_silent() {
    for tasks in [0, 10, 140] {
        let (executor, recording) = recorded(Executor::builder());
        let place: Rc<RefCell<Option<Waker>>> = Rc::default();
        let (sender, receiver) = async_channel::bounded(1);
        let (ends, ended) = async_channel::bounded::<()>(1);
        for _ in 0..tasks {
            let ended = ended.clone();
            drop(executor.spawn(async move { ended.recv().await.unwrap_err() }));
        }
        let left = place.clone();
        let waits = executor.spawn(poll_fn(move |cx| {
            *left.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        drop(executor.spawn(async move {
            receiver.recv().await.unwrap();
            place.take();
            pending::<()>().await;
        }));
        let told = recording.clone();
        let sends = thread::spawn(move || {
            thread::sleep(ms(20));
            sender.send_blocking(()).unwrap();
            thread::sleep(ms(100));
            drop(ends);
        });
        executor.block_on(ended.recv()).unwrap_err();
        sends.join().unwrap();
        // Before the second park, and so before the end wakes all.
        let mut parks = 0;
        let is_told = told.events().iter().any(|event| {
            parks += usize::from(matches!(event, Event::Parked { .. }));
            parks == 1 && *event == Event::ForgottenWaker { task: waits.id() }
        });
        assert!(is_told, "{tasks}: {}", told.story());
    }
}

/// Such a poll is not told: so nobody knows that the task waits for a set by then.
#[test]
fn who_was_polled_by_an_observer_is_not_said_to_have_lost_its_waker() {
    let runs: Rc<RefCell<Weak<Executor>>> = Rc::default();
    let steps = runs.clone();
    let (executor, recording) = recorded_and(Executor::builder().virtual_time(), move |told| {
        if let Event::Woken { by, .. } = told.event
            && by == Cause::Spawned
            && let Some(executor) = steps.borrow().upgrade()
        {
            // Within `block_on` it may not.
            let _ = catch_unwind(AssertUnwindSafe(|| executor.step()));
        }
    });
    let executor = Rc::new(executor);
    runs.replace(Rc::downgrade(&executor));
    let mut set = JoinSet::from_iter([executor.spawn(sleep(ms(50)))]);
    let awaits = executor.spawn(async move { set.join_next().await.unwrap().unwrap() });
    executor.block_on(awaits).unwrap();
    let events = recording.events();
    let is_told = |event: &Event| matches!(event, Event::ForgottenWaker { .. });
    assert!(!events.iter().any(is_told), "{events:#?}");
}

/// It is told in virtual time, which must not jump past what the observer does then.
#[test]
fn an_observer_may_act_when_it_is_told_of_a_lost_waker() {
    let place: Rc<RefCell<Option<Waker>>> = Rc::default();
    let lost = place.clone();
    let (executor, recording) = recorded_and(Executor::builder().virtual_time(), move |told| {
        if let Event::ForgottenWaker { .. } = told.event {
            let waker = lost.take();
            drop(spawn_named("armed by the observer", sleep(Duration::ZERO)));
            waker.unwrap().wake();
        }
    });
    let waits = |times| {
        let place = place.clone();
        let mut polls = 0;
        poll_fn(move |cx| {
            *place.borrow_mut() = Some(cx.waker().clone());
            polls += 1;
            match polls > times {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
    };
    let _first = executor.spawn(waits(9));
    let second = executor.spawn_named("second", waits(1));
    executor.block_on(async {
        sleep(secs(1)).await;
        assert!(second.is_finished(), "its waker was used at once");
    });
    let story = recording.story();
    assert!(
        story.contains("0.000 s  second polled (poll 2): "),
        "{story}"
    );
}

/// Its sleep was over before it was aborted, but it does not go on there.
#[test]
fn of_a_long_drop_no_await_is_named() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(100)));
        executor.block_on(async {
            let dropped = spawn(async {
                let _slow = OnDrop(|| thread::sleep(ms(150)));
                sleep(ms(20)).await;
            });
            yield_now().await;
            thread::sleep(ms(40));
            // Now the timer fires, and queues it behind this one.
            yield_now().await;
            dropped.abort();
            drop(dropped.await);
        });
        (long_polls(&recording), recording)
    };
    // If the machine stands still in between, it is done before it is aborted.
    let is_calm = |(long, _): &(Vec<LongPoll>, Recording)| long.len() == 1 && long[0].is_drop;
    let (long, recording) = calm(run, is_calm);
    let fired = |event: &Event| matches!(event, Event::TimerFired { .. });
    assert!(recording.events().iter().any(fired), "{recording:?}");
    assert_eq!(long[0].after, None);
}

/// It is lost while a timer is armed, or while somebody is always ready, and nobody asks again before that is the end.
#[test]
fn who_has_lost_its_waker_is_named_at_the_end_of_block_on_and_nobody_who_was_woken() {
    for sleeps in [false, true] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let places: [Rc<RefCell<Option<Waker>>>; 3] = Default::default();
        let waits = |place: &Rc<RefCell<Option<Waker>>>| {
            let place = place.clone();
            spawn(async move { leaves_its_waker(&place).await })
        };
        let (lost, waits, woken) = executor.block_on(async {
            let [lost, waits, woken] = places.each_ref().map(waits);
            let awaits_it = spawn(woken);
            match sleeps {
                true => sleep(secs(1)).await,
                false => yield_now().await,
            }
            places[0].take();
            places[2].take().unwrap().wake();
            (lost, waits, awaits_it)
        });
        let told = recording
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::ForgottenWaker { task } => Some(task),
                _ => None,
            });
        assert_eq!(told.collect::<Vec<_>>(), [lost.id()]);
        executor.run_until_idle();
        assert!(woken.is_finished() && !waits.is_finished());
    }
}

/// So many are not looked at for the few events since the last look, and there is no other.
#[test]
fn of_very_many_all_that_lose_their_wakers_last_of_all_are_named_before_the_verdict() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let place: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let stalled = executor.try_block_on(async {
        for _ in 0..500 {
            let left = place.clone();
            drop(spawn(poll_fn(move |cx| {
                left.borrow_mut().push(cx.waker().clone());
                Poll::<()>::Pending
            })));
        }
        sleep(ms(1)).await;
        place.take();
        pending::<()>().await;
    });
    let stalled = stalled.unwrap_err().tasks().len();
    let events = recording.events();
    let verdict = |event: &&Event| !matches!(event, Event::Stalled { .. });
    let before = events.iter().take_while(verdict);
    let told = before.filter(|event| matches!(event, Event::ForgottenWaker { .. }));
    assert_eq!((stalled, told.count()), (501, 501));
}

#[test]
fn who_was_woken_at_the_end_of_a_long_poll_was_not_delayed_by_it() {
    let clocks: [fn() -> Builder; 2] = [Executor::builder, || Executor::builder().virtual_time()];
    for builder in clocks {
        let run = || {
            let (executor, recording) = recorded(builder().long_poll(ms(100)));
            let (early, woken_early) = async_channel::bounded(1);
            let (late, woken_late) = async_channel::bounded(1);
            executor.block_on(async {
                let waits = spawn_named("early", async move { woken_early.recv().await.unwrap() });
                let too = spawn_named("late", async move { woken_late.recv().await.unwrap() });
                watchglass::yield_now().await;
                early.try_send(()).unwrap();
                thread::sleep(ms(200));
                late.try_send(()).unwrap();
                spawn_named("born after it", async {}).await.unwrap();
                waits.await.unwrap();
                too.await.unwrap();
            });
            recording
        };
        let recording = calm(run, |recording| long_polls(recording).len() == 1);
        let [found] = &findings(&recording)[..] else {
            panic!("{}", recording.story());
        };
        assert!(found.ends_with("; it delayed early"), "{found}");
    }
}

#[test]
fn whose_timer_came_due_at_the_end_of_a_long_poll_was_not_delayed_by_it() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(100)));
        executor.block_on(async {
            let naps = spawn(sleep(ms(195)));
            yield_now().await;
            thread::sleep(ms(200));
            naps.await.unwrap();
        });
        recording
    };
    let is_late_a_little = |recording: &Recording| {
        let polls = long_polls(recording);
        matches!(&polls[..], [poll] if poll.timers == 1 && poll.late < poll.took / 10)
    };
    let recording = calm(run, is_late_a_little);
    assert_eq!(long_polls(&recording)[0].delayed, []);
}

#[test]
fn a_hundred_milliseconds_are_long_unless_told_otherwise() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { thread::sleep(ms(101)) });
    assert_eq!(findings(&recording).len(), 1);
}

/// One keeps its waker until 1 s with somebody else. That the other, which is `block_on`'s own future, has cloned its
/// own is known, but not how often.
#[test]
fn a_waker_that_is_dropped_later_is_said_to_be_forgotten_then_and_not_at_the_poll() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let kept: Rc<RefCell<Vec<Waker>>> = Rc::default();
    let keeps = {
        let kept = kept.clone();
        async move {
            let waker = own_waker().await;
            kept.borrow_mut().push(waker);
            pending::<()>().await;
        }
    };
    let _waits = executor.spawn_named("waits", keeps);
    let main = async {
        let waker = own_waker().await;
        kept.borrow_mut().push(waker);
        sleep(secs(1)).await;
        kept.take();
        pending::<()>().await;
    };
    // Its timer would wake it until 2 s.
    let nap = Rc::new(RefCell::new(Some(sleep(secs(9)))));
    let naps = {
        let nap = nap.clone();
        poll_fn(move |cx| match nap.borrow_mut().as_mut() {
            Some(nap) => Pin::new(nap).poll(cx),
            None => Poll::Pending,
        })
    };
    let _naps = executor.spawn_named("naps", naps);
    let _last = executor.spawn_named("last", async move {
        sleep(secs(2)).await;
        drop(nap.take());
        sleep(secs(1)).await;
    });
    executor.try_block_on(main).unwrap_err();
    let found = findings(&recording);
    let expected = [
        (
            "1.000 s  waits, ",
            ", waits, and whoever had its waker has dropped it: it can never be polled again",
        ),
        (
            "1.000 s  a_waker",
            ", waits, and nobody holds its waker: it can never be polled again",
        ),
        (
            "2.000 s  naps, ",
            ", waits, and nobody holds its waker: it can never be polled again",
        ),
        ("3.000 s  nothing can ever happen again", ""),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, (who, says)) in found.iter().zip(expected) {
        assert!(found.starts_with(who) && found.contains(says), "{found}");
    }
    let story = recording.story();
    assert!(
        !story.contains("has its waker, too"),
        "nobody knows: {story}"
    );
    // Until then it waited as it was told at its poll.
    let picture = recording.svg();
    let bars = |waited| picture.matches(&format!("<title>{waited}</title>")).count();
    assert_eq!(
        bars("a future that is not watchglass&#39;s"),
        2,
        "{picture}"
    );
    assert_eq!(bars("nobody has its waker"), 3, "{picture}");
    let log: Value = serde_json::from_str(&recording.chrome_json()).unwrap();
    let mut slices = log["traceEvents"].as_array().unwrap().iter();
    let waited = slices.find(|slice| {
        slice["name"] == "waits for a future that is not watchglass's"
            && (9e5..2e6).contains(&slice["dur"].as_f64().unwrap())
    });
    assert!(waited.is_some(), "{log}");
    // Of the nap's task it was not so until the nap was gone, and then it was.
    let nobody = slices.find(|slice| {
        slice["name"] == "waits, and nobody has its waker" && slice["dur"].as_f64().unwrap() > 9e5
    });
    assert!(nobody.is_some(), "{log}");
}

#[test]
fn a_drop_with_the_executor_that_holds_the_thread_is_told_and_delays_nobody() {
    for builder in [Executor::builder(), Executor::builder().virtual_time()] {
        let (executor, recording) = recorded(builder.long_poll(ms(20)));
        let guard = OnDrop(|| thread::sleep(ms(25)));
        let slow = executor.spawn_named("slow", async move {
            let _guard = guard;
            sleep(secs(60)).await;
        });
        let late = executor.spawn(sleep(ms(10)));
        executor.block_on(sleep(ms(1)));
        let _ready = executor.spawn(async {});
        drop(executor);
        let polls = long_polls(&recording);
        // On a busy machine its poll may be long, too.
        let is_its_drop = |poll: &&LongPoll| poll.task == slow.id() && poll.is_drop;
        let poll = polls.iter().find(is_its_drop).unwrap();
        assert!(poll.took >= ms(25), "{poll}");
        assert_eq!(
            (poll.after, poll.until, poll.between),
            (None, None, poll.took)
        );
        assert_eq!((poll.delayed.len(), poll.timers, poll.late), (0, 0, ms(0)));
        assert!(
            poll.to_string().ends_with(", while it was dropped"),
            "{poll}"
        );
        // It has room for its letter, also where no time goes by.
        let timeline = recording.timeline();
        let row = timeline.lines().find(|line| line.starts_with("slow"));
        assert!(row.unwrap().contains('d'), "{timeline}");
        let picture = recording.svg();
        assert!(
            picture.contains("for its executor is dropped; it took "),
            "{picture}"
        );
        assert!(picture.contains(">d</text>"), "{picture}");
        drop(late);
    }
}

/// Its drop after the verdict was short.
#[test]
fn a_long_poll_is_not_taken_for_the_drop_before_it() {
    // On a machine that stands still meanwhile the drop is long, too.
    let run = (0..50).find_map(|_| {
        let builder = Executor::builder().virtual_time().long_poll(ms(20));
        let (executor, recording) = recorded(builder);
        executor.try_block_on(pending::<()>()).unwrap_err();
        executor.block_on(async { thread::sleep(ms(25)) });
        let polls = long_polls(&recording);
        (polls.len() == 1).then_some(recording)
    });
    let recording = run.expect("once in fifty times nothing comes in between");
    let timeline = recording.timeline();
    assert!(!timeline.contains("d never done"), "{timeline}");
    let picture = recording.svg();
    // And what it means.
    assert_eq!(
        picture.matches("<rect class=\"long\"").count(),
        2,
        "{picture}"
    );
}

#[test]
fn no_poll_is_long_on_the_virtual_clock_unless_asked_for() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { thread::sleep(ms(110)) });
    assert_eq!(findings(&recording), [""; 0]);
    let asked = Executor::builder().virtual_time().long_poll(ms(20));
    let (executor, recording) = recorded(asked);
    executor.block_on(async { thread::sleep(ms(30)) });
    assert_eq!(findings(&recording).len(), 1);
}

#[test]
fn a_task_that_yields_to_itself_is_told_of_once_a_thousand_polls() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        for _ in 0..2_500 {
            yield_now().await;
        }
    });
    let spinning = |event: &Event| match event {
        Event::Spinning { polls, .. } => Some(*polls),
        _ => None,
    };
    let events = recording.events();
    assert_eq!(
        events.iter().filter_map(spinning).collect::<Vec<_>>(),
        [1_000, 2_000]
    );
    let found = findings(&recording);
    assert_eq!(found.len(), 1, "it is one fault: {found:?}");
    assert!(found[0].contains("has been polled 2000 times"), "{found:?}");
    assert!(found[0].contains("thousand_polls, given to block_on at tests/"));
}

/// Virtual time does not move meanwhile, so no limit ends it.
#[test]
fn a_task_that_sleeps_for_no_time_again_and_again_spins() {
    let zero = async || loop {
        sleep(Duration::ZERO).await;
    };
    let passed = async || loop {
        sleep_until(now()).await;
    };
    let reset = async || {
        let mut nap = sleep(Duration::MAX);
        loop {
            nap.reset(now());
            (&mut nap).await;
        }
    };
    let programs: [Pin<Box<dyn Future<Output = ()>>>; 3] =
        [Box::pin(zero()), Box::pin(passed()), Box::pin(reset())];
    for program in programs {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        let limited = executor.spawn(timeout(secs(1), program));
        for _ in 0..2_100 {
            executor.step();
        }
        assert!(!limited.is_finished());
        let found = findings(&recording);
        let spins = |line: &String| line.contains("polled 1000 times");
        assert!(found.iter().any(spins), "{found:?}");
    }
}

#[test]
fn who_arms_a_timer_that_is_due_and_then_waits_for_another_does_not_spin() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        for _ in 0..1_100 {
            race(sleep(Duration::ZERO), async {}).await;
            sleep(ms(1)).await;
        }
        for _ in 0..1_100 {
            let mut nap = sleep(Duration::ZERO);
            assert!(poll_once(Pin::new(&mut nap)).await.is_pending());
            nap.reset(now() + ms(1));
            nap.await;
        }
    });
    assert_eq!(findings(&recording), [""; 0]);
}

#[test]
fn a_task_that_spins_twice_is_found_twice() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        for _ in 0..2 {
            for _ in 0..1_100 {
                yield_now().await;
            }
            sleep(ms(1)).await;
        }
    });
    let found = findings(&recording);
    let spins = |line: &String| line.contains("has been polled 1000 times");
    assert!(found.len() == 2 && found.iter().all(spins), "{found:?}");
}

#[test]
fn a_task_that_is_woken_by_others_does_not_spin() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        for _ in 0..10 {
            for _ in 0..500 {
                yield_now().await;
            }
            sleep(ms(1)).await;
        }
    });
    assert_eq!(findings(&recording), [""; 0]);
}

#[test]
fn a_forgotten_waker_and_the_stall_are_found() {
    let (executor, recording) = recorded(Executor::builder().long_poll(Duration::MAX));
    let stalled = executor.try_block_on(async { spawn(pending::<()>()).await });
    assert_eq!(stalled.unwrap_err().cycle(), []);
    let found = findings(&recording);
    assert!(
        found[0].contains("Pending, spawned at tests/diagnosis.rs:"),
        "{found:?}"
    );
    assert!(found[0].contains("nobody holds its waker"), "{found:?}");
    assert!(
        found[1].contains("the_stall_are_found, given to block_on at"),
        "{found:?}"
    );
    assert!(
        found[1].contains("waits for Pending to end at tests/diagnosis.rs:"),
        "{found:?}"
    );
}

#[test]
fn the_future_of_block_on_too_is_named_when_it_forgets_its_waker() {
    let builder = || Executor::builder().long_poll(Duration::MAX);
    let (executor, recording) = recorded(builder());
    executor.try_block_on(pending::<()>()).unwrap_err();
    let found = findings(&recording);
    assert!(found[0].contains("nobody holds its waker"), "{found:?}");
    let (executor, recording) = recorded(builder());
    executor.try_block_on(async { yield_now().await }).unwrap();
    assert_eq!(findings(&recording), [""; 0]);
}

#[test]
fn tasks_that_wait_for_each_other_are_told_as_a_circle() {
    type Place = Rc<RefCell<Option<JoinHandle<()>>>>;
    async fn awaits(place: Place) {
        yield_now().await;
        let handle = place.take();
        handle.unwrap().await.unwrap();
    }
    let (executor, recording) = recorded(Executor::builder());
    let stalled = executor.try_block_on(async {
        let (a, b) = (Place::default(), Place::default());
        *b.borrow_mut() = Some(spawn_named("left", awaits(a.clone())));
        *a.borrow_mut() = Some(spawn_named("right", awaits(b)));
        pending::<()>().await;
    });
    let stalled = stalled.unwrap_err();
    assert_eq!(stalled.cycle().len(), 2);
    assert!(
        stalled
            .to_string()
            .ends_with("and they wait in a circle: #1 → #2 → #1")
    );
    let found = findings(&recording);
    let [_, deadlock, verdict] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert!(deadlock.contains("left → right → left"), "{found:#?}");
    assert!(verdict.contains("nothing can ever happen again"));
}

/// A task that is woken twice before its turn comes.
async fn is_woken_twice() {
    let waker = Rc::new(RefCell::new(None));
    let keeps_its_waker = {
        let waker = waker.clone();
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            waker.replace(Some(cx.waker().clone()));
            if polls == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    };
    let woken = spawn_named("woken", keeps_its_waker);
    yield_now().await;
    let waker: Waker = waker.take().unwrap();
    waker.wake_by_ref();
    waker.wake_by_ref();
    woken.await.unwrap();
}

#[test]
fn wakes_that_did_nothing_are_shown_and_counted() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(is_woken_twice());
    let says = "a wake of woken does nothing, for it is in the ready queue already: is_woken_twice";
    assert_in_every_view_but_the_timeline(&recording, says);
    let timeline = recording.timeline();
    let (rows, _) = timeline.split_once("\n\n").unwrap();
    assert_eq!(rows.matches('*').count(), 1, "it has a mark: {rows}");
    assert!(recording.story().contains("(1 did nothing)"));
    assert_eq!(findings(&recording), [""; 0]);
}

#[test]
fn an_abort_of_a_task_in_the_queue_is_no_wake_that_did_nothing() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let task = spawn_named("aborted", async {});
        task.abort();
        task.await.unwrap_err();
    });
    let story = recording.story();
    assert!(story.contains("aborted will be dropped when its turn comes: it was aborted\n"));
    assert!(story.contains("(0 did nothing)"), "{story}");
}

#[track_caller]
fn assert_in_every_view_but_the_timeline(recording: &Recording, says: &str) {
    for (view, text) in [
        ("story", recording.story()),
        ("svg", recording.svg()),
        ("html", recording.html("a page")),
        ("chrome", recording.chrome_json()),
        ("json", recording.json()),
    ] {
        assert!(text.contains(says), "{view} does not say {says:?}:\n{text}");
    }
}

#[test]
fn what_is_wrong_is_in_every_view() {
    async fn yields(times: usize) {
        for _ in 0..times {
            yield_now().await;
        }
    }
    async fn holds() {
        thread::sleep(ms(25));
    }
    async fn forgets() {
        spawn(pending::<()>()).await.unwrap();
    }
    type Program = Pin<Box<dyn Future<Output = ()>>>;
    let programs: [(Program, &[&str]); 3] = [
        (
            Box::pin(yields(1_000)),
            &["has been polled 1000 times in a row only because it woke"],
        ),
        (Box::pin(holds()), &["held the thread "]),
        (
            Box::pin(forgets()),
            &[
                "returned Pending but nobody holds its waker",
                "nothing can ever happen again; ",
            ],
        ),
    ];
    for (program, says) in programs {
        let (executor, recording) = recorded(Executor::builder().virtual_time().long_poll(ms(20)));
        let _ = executor.try_block_on(program);
        for says in says {
            assert_in_every_view_but_the_timeline(&recording, says);
            assert!(
                recording.timeline().contains(says),
                "{}",
                recording.timeline()
            );
        }
    }
}

/// The mistake that everybody makes once: each poll makes a new sleep, which is dropped with it.
#[test]
fn a_timer_that_is_gone_when_the_poll_ends_is_a_forgotten_waker() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let forgets = executor.spawn(poll_fn(|cx| pin!(sleep(ms(1))).poll(cx)));
    let mut other = Some(executor.spawn(sleep(Duration::MAX)));
    let also = executor.spawn(poll_fn(move |cx| {
        let mut other = other.take().expect("one poll");
        Pin::new(&mut other).poll(cx).map(drop)
    }));
    let joined = executor.spawn(join_all([pending::<()>()]));
    let limited = executor.spawn(timeout(Duration::MAX, pending::<()>()));
    let ids = [forgets.id(), also.id(), joined.id(), limited.id()];
    // These wait for what is neither a timer nor a task, and another timer is gone.
    executor.spawn(async {
        let mut never = pin!(sleep(Duration::MAX));
        poll_fn(|cx| {
            assert!(never.as_mut().poll(cx).is_pending());
            pin!(sleep(ms(1))).poll(cx)
        })
        .await;
    });
    executor.spawn(async {
        let mut set = JoinSet::new();
        set.spawn(sleep(Duration::MAX));
        let mut next = set.join_next();
        poll_fn(|cx| {
            assert!(Pin::new(&mut next).poll(cx).is_pending());
            pin!(sleep(ms(1))).poll(cx)
        })
        .await;
    });
    executor.run_until_idle();
    let forgotten = |event: Event| match event {
        Event::ForgottenWaker { task } => Some(task),
        _ => None,
    };
    let found: Vec<_> = recording
        .events()
        .into_iter()
        .filter_map(forgotten)
        .collect();
    assert_eq!(found, ids);
}

#[test]
fn a_timer_of_an_earlier_poll_is_a_waker_that_was_not_forgotten() {
    assert_waits_for_what_it_polled_first(sleep(ms(2)));
    assert_waits_for_what_it_polled_first(async { spawn(sleep(ms(2))).await.unwrap() });
    let nested = || async { drop(join_all([sleep(ms(2))]).await) };
    assert_waits_for_what_it_polled_first(nested());
    assert_waits_for_what_it_polled_first(async move { drop(join_all([nested()]).await) });
}

fn assert_waits_for_what_it_polled_first(timer: impl Future<Output = ()> + 'static) {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.spawn(async {
        let mut timer = pin!(timer);
        let mut first = spawn(yield_now());
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            match polls {
                1 => {
                    assert!(timer.as_mut().poll(cx).is_pending());
                    Pin::new(&mut first).poll(cx).map(drop)
                }
                // Woken by the task that has ended. Nothing is polled now, but the timer is armed.
                2 => Poll::Pending,
                _ => timer.as_mut().poll(cx),
            }
        })
        .await;
    });
    executor.run_until_idle();
    let events = recording.events();
    let forgotten = |event: &Event| matches!(event, Event::ForgottenWaker { .. });
    assert!(!events.iter().any(forgotten));
    assert!(matches!(events.last(), Some(Event::Completed { .. })));
}

/// A failed `assert_eq!` has a message of three lines, and a name may hold anything.
#[test]
fn an_event_stays_on_its_line_whatever_it_tells() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        let fails = spawn_named("a\nb\u{1b}[31m\u{202e}", async {
            panic!("left: 1\n right: 2")
        });
        fails.await.unwrap_err();
        spawn_named("c\nd", pending::<()>()).await
    });
    let (story, timeline) = (recording.story(), recording.timeline());
    let told = stalled.unwrap_err().to_string();
    let events: Vec<String> = recording.records().iter().map(|r| r.to_string()).collect();
    for text in [&story, &timeline, &told, &events.concat()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(
            text.lines().all(|line| !line.starts_with(['b', 'd'])),
            "{text}"
        );
    }
    let name = "  a\\nb\\u{1b}[31m\\u{202e}, spawned at ";
    let says =
        |line: &str| line.contains(name) && line.ends_with(", panicked: left: 1\\n right: 2");
    assert!(story.lines().any(says), "{story}");
    assert!(events.iter().all(|event| event.lines().count() == 1));
}

#[test]
fn the_sums_count_what_is_aborted_and_what_panics() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        spawn_blocking(|| ()).abort();
        spawn(async { panic!("on purpose") }).await.unwrap_err();
        let aborted = spawn(pending::<()>());
        aborted.abort();
        aborted.await.unwrap_err();
        sleep(Duration::from_secs(10)).await;
    });
    let story = recording.story();
    // The main task's four, and that of the one that panics.
    let tasks = "\n4 tasks (2 dropped unfinished), 5 polls, ";
    assert!(story.contains(tasks), "{story}");
    // Whether the closure has begun nobody knows.
    assert!(!story.contains("on another thread"), "{story}");
    assert!(story.contains(", 1 closure given up\n"), "{story}");
    let cancelled =
        " is cancelled: nobody waits for it any more; if it has begun, it runs to its end\n";
    assert_eq!(story.matches(cancelled).count(), 1, "{story}");
    let sums = "10.000 s of sleep in 10.000 s: 0.000 s overlapped (without what was given up)\n";
    assert!(story.contains(sums), "{story}");
}

#[test]
fn what_overlapped_is_counted_without_limits_that_nobody_needed() {
    fn sums(program: impl Future<Output = ()>) -> String {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        executor.block_on(program);
        let story = recording.story();
        let line = story.lines().find(|line| line.contains(" overlapped"));
        line.unwrap_or_default().to_owned()
    }
    let limited = async {
        for _ in 0..2 {
            let slept = timeout(Duration::from_secs(10), sleep(Duration::from_secs(1)));
            slept.await.unwrap();
        }
    };
    assert_eq!(
        sums(limited),
        "2.000 s of sleep in 2.000 s: 0.000 s overlapped"
    );
    let up = async {
        let slept = timeout(Duration::from_secs(1), sleep(Duration::from_secs(10)));
        slept.await.unwrap_err();
    };
    assert_eq!(sums(up), "", "nobody slept to the end");
    let raced = async { watchglass::race(sleep(secs(10)), sleep(secs(1))).await };
    assert_eq!(
        sums(raced),
        "1.000 s of sleep in 1.000 s: 0.000 s overlapped (without what was given up)"
    );
    // Three that overlap in part, and one by itself.
    let nested = async {
        let naps = [(0, 4), (1, 2), (3, 2)].map(|(from, nap)| async move {
            sleep(Duration::from_secs(from)).await;
            sleep(Duration::from_secs(nap)).await;
        });
        join_all(naps).await;
        sleep(Duration::from_secs(5)).await;
    };
    assert_eq!(
        sums(nested),
        "17.000 s of sleep in 10.000 s: 7.000 s overlapped"
    );
    let reset = async {
        let mut slept = Box::pin(sleep(secs(9)));
        assert!(poll_once(slept.as_mut()).await.is_pending());
        sleep(secs(1)).await;
        slept.reset(now() + secs(1));
        slept.await;
    };
    assert_eq!(
        sums(reset),
        "3.000 s of sleep in 2.000 s: 1.000 s overlapped",
        "it slept until its reset, too"
    );
    let reset_and_dropped = async {
        let mut slept = Box::pin(sleep(secs(9)));
        assert!(poll_once(slept.as_mut()).await.is_pending());
        sleep(secs(1)).await;
        slept.reset(now() + secs(1));
    };
    assert_eq!(
        sums(reset_and_dropped),
        "1.000 s of sleep in 1.000 s: 0.000 s overlapped (without what was given up)"
    );
    assert_eq!(sums(async {}), "");
}

#[test]
fn who_holds_the_thread_and_panics_is_told_of_and_so_is_a_drop() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(ms(20));
        }
    }
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(20)));
    let run = executor.try_block_on(async {
        let bomb = spawn_named("bomb", async {
            yield_now().await;
            thread::sleep(ms(20));
            panic!("on purpose");
        });
        bomb.await.unwrap_err();
        let slow = spawn_named("slow to go", async {
            let _slow = Slow;
            pending::<()>().await
        });
        yield_now().await;
        slow.abort();
        slow.await.unwrap_err();
    });
    run.unwrap();
    let main = catch_unwind(AssertUnwindSafe(|| {
        executor.block_on(async {
            thread::sleep(ms(20));
            panic!("on purpose");
        });
    }));
    main.unwrap_err();
    // Another poll may be long, too, on a busy machine.
    let events = recording.events();
    let is_end = |event: &Event| matches!(event, Event::Panicked { .. } | Event::Cancelled { .. });
    let ends = events.windows(2).filter(|pair| is_end(&pair[0]));
    let long: Vec<bool> = ends
        .map(|pair| matches!(pair[1], Event::LongPoll(_)))
        .collect();
    assert_eq!(long, [true, true, true]);
    let found = findings(&recording);
    for held in ["bomb held the thread ", "slow to go held the thread "] {
        assert!(found.iter().any(|found| found.contains(held)), "{found:?}");
    }
    let places = long_polls(&recording).into_iter();
    assert!(places.filter(|poll| poll.after.is_some()).count() >= 1);
}

#[test]
fn that_the_events_of_two_executors_are_mixed_is_found() {
    let recording = Recording::new();
    for _ in 0..2 {
        let builder = Executor::builder().virtual_time();
        let executor = builder.observer(recording.clone()).build();
        executor.block_on(yield_now());
    }
    let found = findings(&recording);
    let told = "0.000 s  the events of another executor begin here, ";
    assert!(found.len() == 1 && found[0].starts_with(told), "{found:?}");
}

#[test]
fn the_busiest_poll_may_be_one_that_panics() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let bomb = executor.spawn_named("bomb", async { panic!("on purpose") });
    let _: Result<(), _> = executor.block_on(bomb);
    let at = |record: &Record| match record.event {
        Event::Panicked { .. } => ms(30),
        _ => record.time,
    };
    let slow = Recording::new();
    recording.records().into_iter().for_each(|record| {
        let time = at(&record);
        slow.observe(&Record { time, ..record });
    });
    let busiest = "the busiest poll: bomb, 30.0 ms, at 0.000 s\n";
    assert!(slow.story().contains(busiest), "{}", slow.story());
}

#[test]
fn of_many_who_are_delayed_some_are_named_and_the_others_counted() {
    let run = || {
        let builder = Executor::builder().virtual_time();
        let (executor, recording) = recorded(builder.long_poll(ms(50)));
        executor.block_on(async {
            (0..30).for_each(|_| drop(spawn(async {})));
            thread::sleep(ms(50));
        });
        recording
    };
    // On a machine that stands still meanwhile those who are spawned after that were not delayed.
    let recording = calm(run, |recording| long_polls(recording)[0].more_delayed == 10);
    let poll = &long_polls(&recording)[0];
    assert_eq!((poll.delayed.len(), poll.more_delayed), (20, 10));
    assert!(poll.to_string().ends_with(" #20 and 10 more"), "{poll}");
    let found = findings(&recording);
    assert!(found[0].ends_with(" and 10 more"), "{found:?}");
}

#[test]
fn nobody_sleeps_after_a_deadline() {
    // On a machine that stands still meanwhile the nap is over before it has begun.
    let run = || {
        let (executor, recording) = recorded(Executor::builder());
        executor.block_on(async {
            let nap = spawn(sleep(Duration::from_millis(20)));
            yield_now().await;
            thread::sleep(Duration::from_millis(100));
            nap.await.unwrap();
        });
        recording.story()
    };
    let story = calm(run, |story| story.contains(" s of sleep in "));
    let (before, all) = story.split_once(" s of sleep in ").unwrap();
    let slept: f64 = before.lines().last().unwrap().parse().unwrap();
    let all: f64 = all.split_once(' ').unwrap().0.parse().unwrap();
    assert!(slept <= 0.020 && all >= 0.100, "{story}");
}

#[test]
fn the_busiest_poll_is_told_with_when_it_began() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_named("long", yield_now()).await.unwrap() });
    // As if the polls had taken so long, and nothing else any time.
    let (mut took_ms, mut at) = ([20, 70, 30, 10].into_iter(), Duration::ZERO);
    let busy = altered(&recording, |record| {
        if let Event::PollEnded { took, .. } = &mut record.event {
            *took = ms(took_ms.next().unwrap());
            at += *took;
        }
        record.time = at;
    });
    let story = busy.story();
    let last = story.lines().last().unwrap();
    assert_eq!(last, "the busiest poll: long, 70.0 ms, at 0.020 s");
}

#[test]
fn a_closure_counts_while_it_runs_and_not_while_it_waits_or_nobody_asks() {
    let (executor, recording) = recorded(Executor::builder().blocking_threads(1));
    executor.block_on(async {
        let nap = || thread::sleep(Duration::from_millis(20));
        drop(join_all([spawn_blocking(nap), spawn_blocking(nap)]).await);
    });
    // As if this thread had asked a second late. One runs for 2 s and a bit, and then the other for 1 s.
    let mut ran = Duration::ZERO;
    let late = altered(&recording, |record| {
        if let Event::BlockingDone { queued, took, .. } = &mut record.event {
            *queued = ran;
            *took = Duration::from_micros(if ran.is_zero() { 2_000_900 } else { 1_000_000 });
            ran += *took;
            record.time = ran + Duration::from_secs(1);
        }
    });
    let story = late.story();
    assert!(
        story.contains("\n3.001 s of sleep and closures in "),
        "it is rounded: {story}"
    );
    assert!(story.contains(": 0.000 s overlapped\n"), "{story}");
}

#[test]
fn a_set_that_was_polled_in_an_earlier_poll_is_no_forgotten_waker() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut set = JoinSet::new();
        set.spawn(sleep(Duration::from_secs(5)));
        let mut next = pin!(set.join_next());
        let mut nap = pin!(sleep(Duration::from_secs(1)));
        let mut polls = 0;
        let waits_for_both = poll_fn(|cx| {
            polls += 1;
            if polls != 2 && next.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            // The nap is over in the second poll, and the set is not polled.
            if polls < 3 {
                assert_eq!(nap.as_mut().poll(cx).is_ready(), polls == 2);
            }
            Poll::Pending
        });
        waits_for_both.await;
        let set = |seconds| async move {
            let mut set = JoinSet::new();
            set.spawn(sleep(Duration::from_secs(seconds)));
            set.join_next().await.unwrap().unwrap();
        };
        join_all([set(1), set(2)]).await;
    });
    assert_eq!(findings(&recording), [""; 0]);
}

/// What the first long poll says of timers.
fn late_timers(recording: &Recording) -> (usize, Duration) {
    let first = &long_polls(recording)[0];
    (first.timers, first.late)
}

#[test]
fn a_timer_that_was_due_when_the_poll_armed_it_has_not_waited_for_it() {
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(10)));
    executor.block_on(async {
        let start = now();
        thread::sleep(ms(30));
        sleep_until(start).await;
    });
    assert_eq!(late_timers(&recording), (0, Duration::ZERO));
    // One that came due in the poll that armed it has.
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(10)));
    executor.block_on(join(sleep(ms(10)), async { thread::sleep(ms(30)) }));
    let (timers, late) = late_timers(&recording);
    assert!(timers == 1 && late >= ms(15), "{timers} {late:?}");
    // Virtual time stands still in a poll.
    let builder = Executor::builder().virtual_time();
    let (executor, recording) = recorded(builder.long_poll(ms(10)));
    executor.block_on(async {
        sleep(ms(10_000)).await;
        let then = now() - ms(5_000);
        let sleeps = spawn(sleep_until(then));
        spawn(async { thread::sleep(ms(30)) }).await.unwrap();
        sleeps.await.unwrap();
    });
    assert_eq!(late_timers(&recording), (0, Duration::ZERO));
}

#[test]
fn a_timer_that_was_due_before_a_long_poll_counts_from_its_beginning() {
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(20)));
    executor.block_on(async {
        let slept = spawn(sleep(ms(10)));
        yield_now().await;
        // Both are of the same turn, and the timer is due in the first.
        let blocks = || spawn(async { thread::sleep(ms(30)) });
        for task in [blocks(), blocks()] {
            task.await.unwrap();
        }
        slept.await.unwrap();
    });
    let polls = long_polls(&recording);
    assert!(polls.len() >= 2, "{polls:?}");
    assert!(polls.iter().all(|poll| poll.late <= poll.took), "{polls:?}");
}

#[test]
fn a_timer_that_the_poll_has_moved_to_the_past_has_not_waited_for_it() {
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(10)));
    executor.block_on(async {
        let start = now();
        let mut slept = Box::pin(sleep(ms(10_000)));
        assert!(poll_once(slept.as_mut()).await.is_pending());
        thread::sleep(ms(30));
        slept.reset(start);
        slept.await;
    });
    assert_eq!(late_timers(&recording), (0, Duration::ZERO));
}

#[test]
fn a_timer_that_was_due_when_an_earlier_poll_armed_it_has_waited() {
    let (executor, recording) = recorded(Executor::builder().long_poll(ms(20)));
    let (sleeps, blocks) = executor.block_on(async {
        let sleeps = spawn(sleep(ms(0)));
        let blocks = spawn(async { thread::sleep(ms(20)) });
        let ids = (sleeps.id(), blocks.id());
        drop(join(sleeps, blocks).await);
        ids
    });
    let polls = long_polls(&recording);
    let poll = polls.iter().find(|poll| poll.task == blocks).unwrap();
    assert_eq!((poll.timers, &poll.delayed[..]), (1, &[sleeps][..]));
}

#[test]
fn who_is_delayed_twice_over_is_named_once_and_who_has_ended_is_not() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(20)));
        let id = executor.block_on(async {
            let both = spawn(join(sleep(ms(1)), yield_now()));
            let id = both.id();
            drop(spawn(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::Ready(())
            })));
            yield_now().await;
            // The one is ready and its timer comes due; the other has ended and is in the queue still; and so is
            // this task, which delays nobody by itself.
            thread::sleep(ms(20));
            yield_now().await;
            both.await.unwrap();
            id
        });
        (id, long_polls(&recording))
    };
    // On a machine that stands still meanwhile other polls are long, too, and this one more so elsewhere.
    let (id, polls) = calm(run, |(_, polls)| {
        polls.len() == 1 && polls[0].after.is_some()
    });
    assert_eq!(polls[0].delayed, [id]);
}

#[test]
fn a_long_poll_is_not_said_to_end_at_an_await_that_it_did_not_come_to() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(20)));
        // It outlives the task that has polled it.
        let mut slept = Box::pin(sleep(secs(9)));
        executor.block_on(async {
            assert!(poll_once(slept.as_mut()).await.is_pending());
            thread::sleep(ms(20));
        });
        let waker = Rc::new(RefCell::new(None));
        let kept = waker.clone();
        executor.block_on(async {
            drop(spawn(async move {
                let waker: Waker = kept.take().unwrap();
                waker.wake();
            }));
            assert!(poll_once(pin!(sleep(secs(9)))).await.is_pending());
            thread::sleep(ms(20));
            leaves_its_waker(&waker).await;
        });
        long_polls(&recording)
    };
    // On a machine that stands still meanwhile, the time may have gone by before what it came to.
    calm(run, |polls| {
        polls.len() == 2 && polls.iter().all(|poll| poll.until.is_none())
    });
}

#[test]
fn a_long_poll_is_not_said_to_end_where_it_gave_up_to_wait() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(200)));
        let waker = Rc::new(RefCell::new(None));
        let kept = waker.clone();
        executor.spawn(async move {
            yield_now().await;
            let wake: Waker = kept.take().unwrap();
            wake.wake();
        });
        executor.block_on(async {
            race(sleep(secs(5)), std::future::ready(())).await;
            thread::sleep(ms(250));
            // What is not watchglass's.
            leaves_its_waker(&waker).await;
            sleep(ms(1)).await;
            thread::sleep(ms(250));
            yield_now().await;
            let mut set = JoinSet::new();
            set.insert(spawn(sleep(ms(1))));
            thread::sleep(ms(250));
            set.join_next().await;
        });
        // On a busy machine other polls may be long, too.
        let mut polls = long_polls(&recording);
        polls.retain(|poll| poll.took >= ms(250));
        let polls = polls.into_iter();
        let polls = polls.map(|poll| (poll.after.is_some(), poll.until.is_some(), poll));
        polls.collect::<Vec<_>>()
    };
    let is_so = |polls: &Vec<_>| {
        matches!(
            polls[..],
            [(true, false, _), (true, true, _), (true, true, _)]
        )
    };
    let polls = calm(run, is_so);
    let [(_, _, first), (_, _, second), _] = &polls[..] else {
        unreachable!()
    };
    assert!(first.to_string().contains(" on"), "{first}");
    assert!(second.to_string().contains(", from tests/"), "{second}");
}

#[test]
fn a_long_poll_is_told_between_the_two_awaits_where_its_time_went() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder().long_poll(ms(200)));
        let waker = Rc::new(RefCell::new(None));
        let kept = waker.clone();
        executor.spawn(async move {
            while kept.borrow().is_none() {
                sleep(ms(1)).await;
            }
            let wake: Waker = kept.take().unwrap();
            wake.wake();
        });
        let line = line!();
        executor.block_on(async {
            sleep(ms(1)).await;

            race(sleep(secs(5)), std::future::ready(())).await;
            thread::sleep(ms(250));
            race(sleep(secs(5)), std::future::ready(())).await;
            leaves_its_waker(&waker).await;
        });
        let mut polls = long_polls(&recording);
        polls.retain(|poll| poll.took >= ms(250));
        let places = polls.iter().map(|poll| [poll.after, poll.until]);
        let places = places.map(|places| places.map(|at| at.map(|at| at.line() - line)));
        places.collect::<Vec<_>>()
    };
    // On a busy machine other polls may be long, too, or this one elsewhere.
    calm(run, |places| *places == [[Some(4), Some(6)]]);
}

/// Where a branch blocks, another branch is not blamed, nor is the join: the place before it is told if it is known.
#[test]
fn a_branch_that_blocks_is_told_from_its_own_await_or_from_none() {
    let line = line!();
    async fn loads() {
        sleep(ms(20)).await;
        thread::sleep(ms(250));
        sleep(ms(1)).await;
    }
    async fn awaits() {
        spawn(sleep(ms(20))).await.unwrap();
        thread::sleep(ms(250));
        let mut set = JoinSet::new();
        set.spawn(sleep(ms(1)));
        set.join_next().await;
        thread::sleep(ms(250));
        let slow = async { sleep(ms(2)).await };
        timeout(ms(1), slow).await.unwrap_err();
        thread::sleep(ms(250));
    }
    async fn beats(at: Duration) {
        sleep(at).await;
        sleep(ms(60)).await;
    }
    async fn both<A: Future, B: Future>(first: A, second: B) {
        join(first, second).await;
    }
    type Program = Pin<Box<dyn Future<Output = ()>>>;
    let (own, next, none) = (Some(2), Some(4), None);
    fn many(waits: usize) -> Program {
        match waits {
            1 => Box::pin(loads()),
            _ => Box::pin(both(beats(ms(30)), many(waits - 1))),
        }
    }
    let programs = || -> [(Program, Option<u32>); 9] {
        [
            (Box::pin(both(loads(), beats(ms(30)))), own),
            (Box::pin(both(beats(ms(30)), loads())), own),
            // Both go on in that poll, and it is woken for one of them.
            (Box::pin(both(loads(), beats(ms(20)))), none),
            (Box::pin(both(beats(ms(20)), loads())), none),
            // What it waits for was told in an earlier poll.
            (
                Box::pin(async {
                    let (first, second) = (beats(ms(10)), loads());
                    let both: [Program; 2] = [Box::pin(first), Box::pin(second)];
                    join_all(both).await;
                }),
                none,
            ),
            // That is not kept of so many.
            (many(21), none),
            // Of a join it is not known who waits.
            (
                Box::pin(async {
                    let twice = async {
                        sleep(ms(10)).await;
                        sleep(ms(10)).await;
                    };
                    let both: [Program; 2] = [Box::pin(loads()), Box::pin(twice)];
                    join_all(both).await;
                }),
                none,
            ),
            // It is woken for two things, and polled for the first.
            (
                Box::pin(async {
                    let mut set = JoinSet::new();
                    set.spawn(sleep(ms(20)));
                    // That one's timer is armed before ours.
                    yield_now().await;
                    let waits = async {
                        set.join_next().await;
                        thread::sleep(ms(250));
                    };
                    join(waits, beats(ms(20))).await;
                }),
                none,
            ),
            // Something that is not watchglass's has woken it.
            (
                Box::pin(async {
                    let waker = Rc::default();
                    let kept: Rc<RefCell<Option<Waker>>> = Rc::clone(&waker);
                    spawn(async move {
                        yield_now().await;
                        kept.take().unwrap().wake();
                    });
                    let blocks = async {
                        leaves_its_waker(&waker).await;
                        thread::sleep(ms(250));
                        loads().await;
                    };
                    race(blocks, sleep(ms(5))).await;
                }),
                none,
            ),
        ]
    };
    let places = |program: Program| -> Vec<[Option<u32>; 2]> {
        let builder = Executor::builder().virtual_time().long_poll(ms(200));
        let (executor, recording) = recorded(builder);
        executor.block_on(program);
        let mut polls = long_polls(&recording);
        polls.retain(|poll| poll.took >= ms(250));
        let places = polls.iter().map(|poll| [poll.after, poll.until]);
        places
            .map(|places| places.map(|at| at.map(|at| at.line() - line)))
            .collect()
    };
    // On a busy machine other polls may be long, too, or these elsewhere.
    const TRIES: usize = 10;
    for at in 0..9 {
        let mut last = Vec::new();
        let is_so = (0..TRIES).any(|_| {
            let (program, after) = programs().into_iter().nth(at).unwrap();
            last = places(program);
            let until = match at {
                7 => last[0][1], // that of the other branch
                8 => own,
                _ => next,
            };
            last == [[after, until]]
        });
        assert!(is_so, "program {at}: {last:?}");
    }
    let expected = [[Some(7), Some(11)], [Some(11), Some(13)], [Some(14), None]];
    assert!((0..TRIES).any(|_| places(Box::pin(awaits())) == expected));
}

#[test]
fn a_wait_that_was_given_up_is_not_drawn_or_told_as_going_on() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        timeout(secs(1), sleep(secs(5))).await.unwrap_err();
        pending::<()>().await;
    });
    stalled.unwrap_err();
    let found = findings(&recording);
    assert!(
        !found.last().unwrap().contains("waits for timer"),
        "{found:?}"
    );
    let timeline = recording.timeline();
    assert!(
        timeline.lines().nth(1).unwrap().contains("t#--"),
        "{timeline}"
    );
}

/// The lane of the main task.
fn first_lane(recording: &Recording) -> String {
    let timeline = recording.timeline();
    timeline.lines().nth(1).unwrap().to_owned()
}

/// The main task sleeps last, and waits for nothing else meanwhile.
#[track_caller]
fn assert_only_sleeps_until(recording: &Recording, time: &str) {
    let lane = first_lane(recording);
    assert!(lane.contains(&format!("= sleep until {time} =")), "{lane}");
}

fn count(recording: &Recording, is_such: fn(&Event) -> bool) -> usize {
    recording
        .events()
        .iter()
        .filter(|event| is_such(event))
        .count()
}

#[test]
fn a_handle_that_was_given_up_is_not_awaited_any_more() {
    fn quick() -> JoinHandle<()> {
        spawn(sleep(secs(3)))
    }
    let by_timeout = async {
        timeout(secs(1), quick()).await.unwrap_err();
        sleep(secs(5)).await;
    };
    let by_race = async {
        race(async { quick().await.unwrap() }, sleep(secs(1))).await;
        sleep(secs(5)).await;
    };
    let by_reference = async {
        let mut handle = quick();
        timeout(secs(1), &mut handle).await.unwrap_err();
        sleep(secs(5)).await;
    };
    // What another crate's `select!` does.
    let by_drop = async {
        let (mut handle, mut polls) = (Some(quick()), 0);
        poll_fn(|cx| {
            if let Some(mut awaited) = handle.take() {
                assert!(Pin::new(&mut awaited).poll(cx).is_pending());
                polls += 1;
                handle = (polls < 2).then_some(awaited);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        sleep(secs(6)).await;
    };
    type Program = Pin<Box<dyn Future<Output = ()>>>;
    let programs: [(Program, bool); 4] = [
        (Box::pin(by_timeout), true),
        (Box::pin(by_race), true),
        (Box::pin(by_reference), false),
        (Box::pin(by_drop), true),
    ];
    for (program, is_detached) in programs {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        executor.block_on(program);
        drop(executor);
        assert_only_sleeps_until(&recording, "6.000 s");
        let story = recording.story();
        assert!(
            story.contains("gives up waiting for Sleep to end\n"),
            "{story}"
        );
        let detached = "Sleep is detached: its handle is dropped, and nobody awaits it any more\n";
        assert_eq!(story.contains(detached), is_detached, "{story}");
    }
}

#[test]
fn a_handle_that_a_sibling_drops_is_given_up_once() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let handle = RefCell::new(Some(spawn(sleep(secs(3)))));
        let awaits = poll_fn(|cx| match &mut *handle.borrow_mut() {
            Some(handle) => Pin::new(handle).poll(cx).map(drop),
            None => Poll::Ready(()),
        });
        let drops = poll_fn(|cx| {
            drop(handle.take());
            cx.waker().wake_by_ref();
            Poll::Ready(())
        });
        join(awaits, race(drops, pending())).await;
    });
    assert_eq!(
        count(&recording, |event| matches!(event, Event::GaveUp { .. })),
        1
    );
}

#[test]
fn only_what_was_said_in_this_poll_is_given_up_and_only_once() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut early = spawn(sleep(secs(3)));
        assert!(poll_once(Pin::new(&mut early)).await.is_pending());
        yield_now().await;
        drop(early);
        let dropped_inside = poll_fn(|cx| {
            assert!(Pin::new(&mut spawn(sleep(secs(3)))).poll(cx).is_pending());
            Poll::Ready(())
        });
        timeout(secs(1), dropped_inside).await.unwrap();
    });
    assert_eq!(
        count(&recording, |event| matches!(event, Event::GaveUp { .. })),
        1
    );
}

#[test]
fn what_was_said_before_a_race_keeps_its_place_when_a_handle_is_dropped_inside() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let (mut first, mut second) = (Some(spawn(sleep(secs(5)))), spawn(sleep(secs(5))));
        assert!(
            poll_once(Pin::new(first.as_mut().unwrap()))
                .await
                .is_pending()
        );
        let inside = poll_fn(|cx| {
            drop(first.take());
            Pin::new(&mut second).poll(cx).map(drop)
        });
        race(inside, std::future::ready(())).await;
        sleep(secs(2)).await;
    });
    assert_only_sleeps_until(&recording, "2.000 s");
}

#[test]
fn who_polls_a_handle_twice_gives_it_up_as_often() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut handle = spawn(sleep(secs(5)));
        for _ in 0..2 {
            assert!(poll_once(Pin::new(&mut handle)).await.is_pending());
        }
        drop(handle);
        sleep(secs(2)).await;
    });
    assert_only_sleeps_until(&recording, "2.000 s");
}

#[test]
fn while_an_executor_is_dropped_nobody_gives_up_or_is_detached() {
    let (executor, recording) = recorded(Executor::builder());
    drop(executor.spawn(async {
        let inner = spawn(pending::<()>());
        inner.await.unwrap();
    }));
    // The outer one waits, and was the last to be polled.
    executor.step();
    recording.take();
    drop(executor);
    let gives_up = |event: &Event| matches!(event, Event::GaveUp { .. } | Event::Detached { .. });
    assert!(
        !recording.events().iter().any(gives_up),
        "{}",
        recording.story()
    );
}

#[test]
fn what_an_observer_polls_does_not_move_the_place_of_a_task() {
    let kept = Rc::new(RefCell::new(None));
    let meddles = {
        let kept = kept.clone();
        move |record: &Record| {
            if let Event::GaveUp { .. } | Event::Waits { .. } = record.event {
                let mut sleep = Box::pin(sleep(secs(9)));
                let _ = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                kept.replace(Some(sleep)); // the one before goes
            }
        }
    };
    let executor = Executor::builder().virtual_time().observer(meddles).build();
    let stalled = executor.try_block_on(async {
        race(pending(), sleep(secs(1))).await;
        let mut handle = spawn(pending::<()>());
        race(
            poll_fn(|cx| Pin::new(&mut handle).poll(cx).map(drop)),
            async {},
        )
        .await;
        kept.replace(None);
        pending::<()>().await;
    });
    let stalled = stalled.unwrap_err();
    assert_eq!(stalled.tasks()[0].waits_at, None, "{stalled}");
}

#[test]
fn what_an_observer_polls_is_not_where_the_task_waits() {
    let polls_too = |record: &Record| {
        if let Event::Waits { .. } = record.event {
            let _ = pin!(sleep(Duration::MAX)).poll(&mut Context::from_waker(Waker::noop()));
        }
    };
    let executor = Executor::builder().observer(polls_too).build();
    let awaits = line!() + 1;
    let never = async { sleep(Duration::MAX).await };
    let stalled = executor.try_block_on(never).unwrap_err();
    let waits_at = stalled.tasks()[0].waits_at.unwrap();
    assert_eq!(waits_at.line(), awaits, "{stalled}");
}

#[test]
fn a_handle_that_is_polled_with_a_waker_of_nobody_wakes_nobody() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let forgets = async {
        let mut handle = spawn(pending::<()>());
        poll_fn(|_| Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()))).await
    };
    drop(executor.try_block_on(forgets).unwrap_err());
    assert_eq!(
        count(&recording, |event| matches!(
            event,
            Event::ForgottenWaker { .. }
        )),
        2
    );
}

#[test]
fn a_handle_that_is_dropped_after_an_abort_or_the_end_detaches_nobody() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let aborted = spawn(pending::<()>());
        aborted.abort();
        drop(aborted);
        let ended = spawn(async {});
        yield_now().await;
        drop(ended);
        let mut set = JoinSet::new();
        set.insert(spawn(pending::<()>()));
        drop(set);
        drop(spawn(async {}));
        yield_now().await;
    });
    assert_eq!(
        count(&recording, |event| matches!(event, Event::Detached { .. })),
        1
    );
}

#[test]
fn of_many_ends_that_of_the_run_is_kept() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        for _ in 0..7 {
            spawn(async { panic!("on purpose") }).await.unwrap_err();
        }
        pending::<()>().await;
    });
    stalled.unwrap_err();
    let picture = recording.svg();
    assert!(picture.contains("nothing can ever happen again"));
    assert!(picture.contains(">and 3 more, each told in the story at its place</text>"));
}

#[test]
fn of_many_findings_the_ends_are_kept_and_the_others_are_counted() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        for _ in 0..120 {
            drop(spawn(pending::<()>()));
        }
        spawn_named("fails", async { panic!("on purpose") })
            .await
            .unwrap_err();
        pending::<()>().await;
    });
    stalled.unwrap_err();
    let found = findings(&recording);
    let [.., panic, verdict, more] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(found.len(), 101);
    assert!(
        panic.contains("  fails, spawned at ") && panic.ends_with(", panicked: on purpose"),
        "{panic}"
    );
    assert!(
        verdict.contains("nothing can ever happen again"),
        "{verdict}"
    );
    // 120 tasks and block_on's future have forgotten their wakers.
    assert_eq!(more, "and 23 more, each told in the story at its place");
    let picture = recording.svg();
    assert!(picture.contains(", panicked: on purpose</text>"));
    assert!(picture.contains(">and 117 more, each told in the story at its place</text>"));
}

#[test]
fn a_task_that_never_had_its_turn_is_found_and_those_dropped_unfinished_are_counted() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        drop(spawn_named("waits", pending::<()>()));
        yield_now().await;
        drop(spawn_named("saves", async {}));
    });
    let aborted = executor.spawn_named("aborted", async {});
    aborted.abort();
    drop(executor);
    let found = findings(&recording);
    let [forgot, never] = &found[..] else {
        panic!("{found:?}");
    };
    assert!(forgot.contains("  waits, spawned at"), "{forgot}");
    assert!(
        never.contains("  saves, spawned at ")
            && never.ends_with(
                ", is dropped and was never polled: its executor is dropped before its first turn"
            ),
        "{never}"
    );
    let story = recording.story();
    assert!(
        story.contains("\n4 tasks (3 dropped unfinished), "),
        "{story}"
    );
}

#[test]
fn whose_sleep_was_reset_to_never_is_not_forgotten() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let idle = Rc::new(RefCell::new(sleep(secs(9))));
        let kept = Rc::new(RefCell::new(None));
        let polls_it_once = {
            let (idle, kept, mut is_first) = (idle.clone(), kept.clone(), true);
            poll_fn(move |cx| {
                if !mem::take(&mut is_first) {
                    return Poll::Pending;
                }
                kept.replace(Some(cx.waker().clone()));
                Pin::new(&mut *idle.borrow_mut()).poll(cx)
            })
        };
        let _task = spawn(polls_it_once);
        yield_now().await;
        idle.borrow_mut().reset(now() + secs(1 << 40));
        kept.take().unwrap().wake();
        yield_now().await;
    });
    assert_eq!(findings(&recording), [""; 0]);
}
