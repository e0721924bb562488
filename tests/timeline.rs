//! What the timeline and its picture draw, where it is easy to draw something else.
#![cfg(feature = "view")]

mod common;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{OnDrop, altered, calm, leaves_its_waker, ms, own_waker, recorded, secs};
use watchglass::time::Sleep;
use watchglass::trace::{Cause, Event, Observer, Record, Recording, UnparkCause};
use watchglass::{
    Builder, Executor, JoinHandle, JoinSet, Step, interval, join, join_all, now, race, sleep,
    sleep_until, spawn, spawn_blocking, spawn_named, timeout, yield_now,
};

/// Runs it, and gives its timeline and its picture.
fn drawn(builder: Builder, run: impl Future<Output = ()>) -> (String, String) {
    let (executor, recording) = recorded(builder);
    drop(executor.try_block_on(run));
    (recording.timeline(), recording.svg())
}

/// The row of a task, and those below it without a name.
fn rows<'a>(timeline: &'a str, name: &str) -> Vec<&'a str> {
    let mut rows = timeline.lines().skip_while(|line| !line.starts_with(name));
    let first = rows
        .next()
        .unwrap_or_else(|| panic!("no {name}: {timeline}"));
    let others = rows.take_while(|line| line.starts_with(' '));
    [first].into_iter().chain(others).collect()
}

/// The sleep has been polled once when this is done.
async fn armed(sleep: &mut Pin<Box<Sleep>>) {
    let mut sleep = sleep.as_mut();
    poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

#[test]
fn the_last_row_shows_where_the_thread_is_parked_or_time_jumps() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(sleep(secs(1)));
    let parks = Recording::new();
    for record in recording.records() {
        let Event::ClockAdvanced { from, to } = record.event else {
            parks.observe(&record);
            continue;
        };
        let by = UnparkCause::Deadline;
        for (time, event) in [
            (from, Event::Parked { until: Some(to) }),
            (to, Event::Unparked { by }),
        ] {
            let seq = record.seq;
            parks.observe(&Record { seq, time, event });
        }
    }
    for recording in [recording, parks] {
        let timeline = recording.timeline();
        assert_eq!(
            rows(&timeline, "idle")[0].matches(':').count(),
            74,
            "{timeline}"
        );
        let picture = recording.svg();
        assert_eq!(
            picture.matches("<title>nothing is ready</title>").count(),
            1,
            "{picture}"
        );
    }
}

#[test]
fn each_poll_has_the_letter_of_its_cause() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let id = executor.block_on(async {
        yield_now().await;
        spawn_named("other", async {}).id()
    });
    for (cause, letter) in [
        (Cause::Spawned, 'n'),
        (Cause::Task(id), 'w'),
        (Cause::Joined(id), 'j'),
        (Cause::Itself, 's'),
        (Cause::OtherThread, 'o'),
        (Cause::NotRunning, 'o'),
        (Cause::Outside, 'o'),
        (Cause::Aborted, 'a'),
    ] {
        let altered = altered(&recording, |record| {
            if let Event::PollStarted {
                why: why @ Cause::Itself,
                ..
            } = &mut record.event
            {
                *why = cause;
            }
        });
        let timeline = altered.timeline();
        let last = rows(&timeline, "each_poll")[0]
            .trim_end_matches('#')
            .chars()
            .last();
        assert_eq!(last, Some(letter), "{cause:?}: {timeline}");
    }
}

#[test]
fn what_is_polled_again_and_again_is_named_once() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        let mut set = JoinSet::new();
        set.spawn(sleep(secs(1)));
        let mut nap = sleep(secs(2));
        poll_fn(|cx| {
            for _ in 0..3 {
                if Pin::new(&mut nap).poll(cx).is_ready() || set.poll_join_next(cx).is_ready() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
        .await;
    });
    let waits = "sleep until 2.000 s and any task of its set to end";
    assert!(timeline.contains(&format!("- {waits} -")), "{timeline}");
    assert!(
        picture.contains(&format!("<title>{waits}</title>")),
        "{picture}"
    );
}

#[test]
fn two_sets_and_two_joins_that_look_the_same_are_not_taken_for_one() {
    let (_, sets) = drawn(Executor::builder().virtual_time(), async {
        let [mut first, mut second] = [1, 2].map(|_| JoinSet::new());
        first.spawn(sleep(secs(1)));
        second.spawn(sleep(secs(2)));
        let (first, second) = (async { first.join_next().await }, async {
            second.join_next().await
        });
        race(first, second).await.unwrap().unwrap();
    });
    let any = "any task of its set to end";
    assert!(
        sets.contains(&format!("<title>{any} and {any}</title>")),
        "{sets}"
    );
    let (_, joins) = drawn(Executor::builder().virtual_time(), async {
        let naps = |until: [u64; 2]| join_all(until.map(|at| sleep(secs(at))));
        join(naps([1, 2]), join(sleep(secs(9)), naps([3, 4]))).await;
    });
    assert!(joins.contains("<title>2 joined futures</title>"), "{joins}");
    assert!(!joins.contains("joined futures and "), "{joins}");
}

/// Names that differ in the middle, which is cut out where there is no room.
#[test]
fn no_two_lanes_have_one_name() {
    let (text, picture) = drawn(Executor::builder().virtual_time(), async {
        let connection = |n| {
            spawn_named(
                format!("the connection {n} that goes to the server"),
                sleep(ms(n)),
            )
        };
        for task in (1..4).map(connection).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    for id in ["#1", "#2", "#3"] {
        let is_id = |line: &&str| line.split_whitespace().any(|word| word == id);
        assert_eq!(text.lines().filter(is_id).count(), 1, "{text}");
        let in_picture = format!(" {id}<title>the connection ");
        assert_eq!(picture.matches(&in_picture).count(), 1, "{picture}");
    }
}

#[test]
fn a_deadline_that_never_comes_is_a_sleep() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        drop(spawn_named("sleeper", sleep(Duration::MAX)));
        sleep(secs(1)).await;
    });
    let sleeper = rows(&timeline, "sleeper")[0];
    assert!(
        sleeper.contains("= a deadline that never comes ="),
        "{timeline}"
    );
}

#[test]
fn a_long_poll_is_drawn_as_one() {
    let builder = Executor::builder().virtual_time().long_poll(ms(0));
    let (_, picture) = drawn(builder, sleep(secs(1)));
    // Two polls, and the legend's mark.
    assert_eq!(picture.matches("class=\"long\"").count(), 3, "{picture}");
    assert!(!picture.contains("class=\"poll\""), "{picture}");
}

#[test]
fn who_is_in_the_ready_queue_for_long_is_drawn_without_words() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_named("waits", async {}).await.unwrap() });
    // As if the main task had held the thread for a second.
    let mut time = ms(0);
    let held = altered(&recording, |record| {
        if let Event::PollEnded { ready: false, .. } = record.event {
            time = secs(1);
        }
        record.time += time;
    });
    let (timeline, picture) = (held.timeline(), held.svg());
    let waits = rows(&timeline, "waits")[0]
        .trim_start_matches("waits")
        .trim();
    assert_eq!(waits.trim_start_matches('.'), "n#", "{timeline}");
    let says = "in the ready queue: it is new";
    assert!(
        picture.contains(&format!("<title>{says}</title>")),
        "{picture}"
    );
    assert!(!picture.contains(&format!(">{says}</text>")), "{picture}");
}

#[test]
fn in_its_own_row_too_a_timer_that_was_due_when_it_was_armed_is_overdue_from_then_on() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let start = now();
        sleep(secs(10)).await;
        join(sleep_until(start), sleep(secs(5))).await;
    });
    let timers = rows(&timeline, "in_its_own")[1];
    assert!(
        timers.contains("= sleep until 10.000 s =") && timers.ends_with("=++"),
        "{timeline}"
    );
}

#[test]
fn a_wake_that_did_nothing_stands_after_the_poll_in_which_it_came() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let wakes_itself = async {
            sleep(secs(1)).await;
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                cx.waker().wake_by_ref();
                Poll::Ready(())
            })
            .await;
        };
        spawn_named("wakes itself", wakes_itself).await.unwrap();
        sleep(secs(1)).await;
    });
    assert!(
        rows(&timeline, "wakes itself")[0].ends_with("t*"),
        "{timeline}"
    );
}

#[test]
fn a_sleep_that_is_reset_is_drawn_until_its_new_deadline() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        let shared = Rc::new(RefCell::new(Box::pin(sleep(secs(6)))));
        let sleeps = shared.clone();
        let sleeper = spawn_named("sleeper", async move {
            poll_fn(|cx| sleeps.borrow_mut().as_mut().poll(cx)).await;
        });
        sleep(secs(5)).await;
        shared.borrow_mut().as_mut().reset(now() + secs(5));
        sleeper.await.unwrap();
    });
    let sleeper = rows(&timeline, "sleeper")[0];
    assert!(sleeper.contains("= sleep until 6.000 s ="), "{sleeper}");
    assert!(sleeper.contains("= sleep until 10.000 s ="), "{sleeper}");
    assert!(picture.contains(">sleep until 10.000 s<"));
}

#[test]
fn in_its_own_row_too_a_timer_is_drawn_until_it_is_reset() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let mut slept = Box::pin(sleep(secs(50)));
        let resets = async {
            armed(&mut slept).await;
            sleep(secs(10)).await;
            slept.as_mut().reset(now() + secs(10));
            slept.await;
        };
        join(resets, sleep(secs(30))).await;
    });
    let first = rows(&timeline, "in_its_own")[1];
    assert!(first.contains("= sleep until 50.000 s ="), "{timeline}");
}

#[test]
fn a_sleep_that_is_handed_over_is_drawn_where_it_is_awaited() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let first = spawn_named("first", async {
            let mut handed_over = Box::pin(sleep(secs(4)));
            armed(&mut handed_over).await;
            sleep(secs(1)).await;
            Some(handed_over)
        });
        let handed_over = first.await.unwrap().unwrap();
        let both = join(handed_over, sleep(secs(5)));
        let second = spawn_named("second", async { both.await.0 });
        second.await.unwrap();
    });
    let [first, second] = ["first", "second"].map(|name| rows(&timeline, name));
    assert_eq!([first.len(), second.len()], [3, 3], "{timeline}");
    // It ends in the one lane where it begins in the other.
    assert!(first[1].len() < timeline.lines().next().unwrap().find("|2.000 s").unwrap());
    assert!(second[1].contains("= sleep until 4.000 s ="), "{timeline}");
}

#[test]
fn who_has_lost_its_sleep_to_another_is_not_drawn_asleep() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let nap = Rc::new(RefCell::new(sleep(secs(4))));
        let polls = || {
            let nap = nap.clone();
            poll_fn(move |cx| Pin::new(&mut *nap.borrow_mut()).poll(cx))
        };
        let first = spawn_named("first", polls());
        sleep(secs(2)).await;
        spawn_named("second", polls()).await.unwrap();
        drop(first);
    });
    let [first, second] = ["first", "second"].map(|name| rows(&timeline, name));
    assert!(first[0].contains("= sleep until 4.000 s ="), "{timeline}");
    let begins = first[0].find("-- nobody has its waker --").unwrap();
    let is_when = timeline.lines().next().unwrap().find("|2.000 s");
    assert!(begins.abs_diff(is_when.unwrap()) <= 2, "{timeline}");
    assert!(second[0].contains("= sleep until 4.000 s ="), "{timeline}");
}

#[test]
fn who_sleeps_and_may_be_woken_by_somebody_else_is_drawn_so() {
    let (sender, receiver) = async_channel::bounded::<()>(1);
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async move {
        let hears = async move { receiver.recv().await.unwrap() };
        let either = spawn_named("either", race(sleep(secs(4)), Box::pin(hears)));
        let sleeps = spawn_named("sleeps", sleep(secs(4)));
        sleep(secs(2)).await;
        sender.send(()).await.unwrap();
        either.await.unwrap();
        sleeps.await.unwrap();
    });
    let [either, sleeps] = ["either", "sleeps"].map(|name| rows(&timeline, name));
    assert!(
        either[0].contains("until 4.000 s or foreign ="),
        "{timeline}"
    );
    assert!(sleeps[0].contains("= sleep until 4.000 s ="), "{timeline}");
    assert!(timeline.contains("== it sleeps"), "{timeline}");
}

#[test]
fn a_closure_that_was_given_up_is_not_drawn_as_one_that_ran() {
    let builder = Executor::builder().virtual_time();
    let (_, picture) = drawn(builder.blocking_threads(1), async {
        let (end, ends) = mpsc::channel::<()>();
        let runs = spawn_blocking(move || ends.recv().unwrap());
        let waits = spawn_blocking(|| ());
        yield_now().await;
        waits.abort();
        waits.await.unwrap_err();
        end.send(()).unwrap();
        runs.await.unwrap();
    });
    let titles = picture.split("<title>").skip(1);
    let titles: Vec<&str> = titles.map(|rest| rest.split('<').next().unwrap()).collect();
    let count = |title| titles.iter().filter(|found| **found == title).count();
    assert_eq!(
        count("a closure on a thread, in the end given up"),
        1,
        "{titles:?}"
    );
    assert_eq!(count("a closure on another thread"), 1, "{titles:?}");
}

#[test]
fn a_closure_of_which_no_end_was_told_is_not_drawn_as_one_that_runs() {
    let (executor, recording) = recorded(Executor::builder().blocking_threads(1));
    let (end, ends) = mpsc::channel::<()>();
    let runs = executor.spawn_blocking(move || ends.recv().unwrap());
    // Its thread is the other's as long as that runs.
    let waits = executor.spawn_blocking(|| ());
    let picture = recording.svg();
    let label = "a closure on a thread, or a thread for it";
    assert_eq!(
        picture.matches(&format!("<title>{label}</title>")).count(),
        2,
        "{picture}"
    );
    assert!(!picture.contains("class=\"closure\""), "{picture}");
    end.send(()).unwrap();
    executor.block_on(async { (runs.await.unwrap(), waits.await.unwrap()) });
}

#[test]
fn a_poll_that_panics_is_drawn_as_a_poll_and_then_as_a_panic() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        let task = spawn_named("panics", async {
            sleep(secs(1)).await;
            panic!("on purpose");
        });
        task.await.unwrap_err();
    });
    let panics = rows(&timeline, "panics")[0];
    assert!(panics.contains("t!"), "{panics}");
    let letters = picture.matches("class=\"why\"").count();
    assert_eq!(letters, 4, "each poll has room for its letter: {picture}");
}

#[test]
fn a_timer_that_is_due_while_the_thread_is_held_is_overdue() {
    let (timeline, picture) = drawn(Executor::builder(), async {
        let sleeper = spawn_named("sleeper", sleep(ms(20)));
        yield_now().await;
        thread::sleep(ms(80));
        sleeper.await.unwrap();
    });
    let sleeper = rows(&timeline, "sleeper")[0];
    assert!(sleeper.contains('+'), "{sleeper}");
    assert!(picture.contains("class=\"overdue\""), "{picture}");
    assert!(picture.contains("<title>overdue since "), "{picture}");
}

#[test]
fn a_thread_that_is_unparked_late_holds_no_timer() {
    let run = || {
        let (executor, recording) = recorded(Executor::builder());
        executor.block_on(sleep(ms(20)));
        recording
    };
    // On a machine that stands still meanwhile the thread need not park, or runs again and does nothing.
    let is_calm = |recording: &Recording| {
        let records = recording.records();
        let at = |is: fn(&Event) -> bool| {
            records
                .iter()
                .rfind(|record| is(&record.event))
                .map(|record| record.time)
        };
        let parked = at(|event| matches!(event, Event::Parked { .. }));
        let unparked = at(|event| matches!(event, Event::Unparked { .. }));
        let fired = at(|event| matches!(event, Event::TimerFired { .. }));
        parked.is_some_and(|at| at < ms(10)) && fired < unparked.map(|at| at + ms(1))
    };
    let recording = calm(run, is_calm);
    let mut is_late = false;
    let late = altered(&recording, |record| {
        is_late |= matches!(record.event, Event::Unparked { .. });
        if is_late {
            record.time += ms(200);
        }
        if let Event::TimerFired { now, .. } = &mut record.event {
            *now += ms(200);
        }
    });
    let timeline = late.timeline();
    assert!(timeline.contains("=="), "{timeline}");
    assert!(!timeline.contains("overdue"), "{timeline}");
}

/// As if the main task had held the thread for 160 ms then.
#[test]
fn a_sleep_that_is_given_up_after_its_deadline_was_overdue() {
    for aborts in [false, true] {
        let (executor, recording) = recorded(Executor::builder().virtual_time());
        executor.block_on(async {
            let victim = spawn_named("victim", sleep(ms(10)));
            yield_now().await;
            if aborts {
                victim.abort();
                drop(victim.await);
            }
        });
        drop(executor);
        let mut is_late = false;
        let late = altered(&recording, |record| {
            is_late |= match record.event {
                Event::PollEnded { ready, .. } => ready,
                Event::Woken { by, .. } => by == Cause::Aborted,
                _ => false,
            };
            if is_late {
                record.time += ms(160);
            }
        });
        let timeline = late.timeline();
        let row = &rows(&timeline, "victim")[0];
        assert!(row.contains("overdue since 0.010 s"), "{timeline}");
        let picture = late.svg();
        assert!(picture.contains("class=\"overdue\""), "{picture}");
    }
}

/// Each poll has a little room of its own, in which what is not late at all looks as if it were.
#[test]
fn a_timer_that_is_as_late_as_any_is_not_overdue() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut ticks = interval(ms(10));
        let three = async {
            for _ in 0..3 {
                ticks.tick().await;
            }
        };
        join(three, sleep(ms(25))).await;
    });
    let lateness = Duration::from_micros(30);
    let late = altered(&recording, |record| {
        if record.time > Duration::ZERO || matches!(record.event, Event::TimerFired { .. }) {
            record.time += lateness;
        }
        if let Event::TimerFired { now, .. } = &mut record.event {
            *now += lateness;
        }
    });
    let timeline = late.timeline();
    assert!(!timeline.contains("overdue"), "{timeline}");
}

#[test]
fn what_is_not_in_a_picture_is_not_in_its_legend() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), sleep(secs(1)));
    for (mark, is_there) in [
        (">sleeps<", true),
        (">nothing is ready<", true),
        (">overdue<", false),
        (">waits<", false),
        (">closure on a thread<", false),
        (">dropped unfinished, or panicked<", false),
        (">polled because: n new, t its timer fired<", true),
    ] {
        assert_eq!(picture.contains(mark), is_there, "{mark}: {picture}");
    }
}

#[test]
fn what_is_in_a_picture_is_in_its_legend() {
    let builder = Executor::builder().virtual_time().long_poll(ms(5));
    let (_, picture) = drawn(builder, async {
        spawn_named("woken twice", async {
            let waker = own_waker().await;
            waker.wake_by_ref();
            waker.wake();
        });
        spawn_named("panics", async { panic!("on purpose") });
        spawn_blocking(|| ()).await.unwrap();
        thread::sleep(ms(6));
        timeout(secs(1), sleep(secs(9))).await.unwrap_err();
        pending::<()>().await;
    });
    let (_, legend) = picture.rsplit_once("<rect class=\"poll\"").unwrap();
    for mark in [
        "poll (widened)",
        "held the thread long",
        "sleeps",
        "time limit",
        "waits",
        "closure on a thread",
        "in the ready queue",
        "wakes",
        "wake that did nothing",
        "dropped unfinished, or panicked",
        "nothing is ready",
        "a stall",
    ] {
        let entry = format!(">{mark}</text>");
        assert!(legend.contains(&entry), "{mark}: {legend}");
    }
}

#[test]
fn what_never_ends_is_seen_to_wait_until_the_verdict() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        sleep(secs(1)).await;
        spawn_named("stuck", pending::<()>()).await.unwrap();
    });
    let stuck = rows(&timeline, "stuck")[0];
    assert!(stuck.contains("-----"), "{stuck}");
    assert!(picture.contains("class=\"verdict\""), "{picture}");
    let [main, stall] = ["what_never", "stall"].map(|name| rows(&timeline, name)[0]);
    assert!(main.ends_with('!') && stall.ends_with('|'), "{timeline}");
    assert_eq!(stall.chars().count(), main.chars().count(), "{timeline}");
    assert!(timeline.contains("| a stall\n"), "{timeline}");
}

#[test]
fn a_recording_of_two_executors_is_drawn_though_its_time_goes_back() {
    let recording = Recording::new();
    let executor = Executor::builder().observer(recording.clone()).build();
    thread::sleep(ms(1));
    executor.block_on(yield_now());
    for seconds in [5, 0] {
        let builder = Executor::builder().virtual_time();
        let executor = builder.observer(recording.clone()).build();
        executor.block_on(sleep(secs(seconds)));
    }
    assert!(recording.timeline().contains("t#"));
    assert!(recording.svg().ends_with("</svg>\n"));
}

#[test]
fn a_timer_that_was_due_when_it_was_armed_is_overdue_from_then_on() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let start = now();
        sleep(secs(10)).await;
        sleep_until(start).await;
    });
    assert!(timeline.contains("= sleep until 10.000 s ="), "{timeline}");
}

#[test]
fn a_recording_of_two_executors_that_take_turns_is_drawn_from_left_to_right() {
    let recording = Recording::new();
    let executor = || {
        let builder = Executor::builder().virtual_time();
        builder.observer(recording.clone()).build()
    };
    let (first, second) = (executor(), executor());
    for (executor, seconds) in [(&first, 5), (&second, 1)] {
        drop(executor.spawn(sleep(secs(seconds))));
    }
    while [&first, &second].map(Executor::step) != [Step::Idle; 2] {}
    assert!(recording.timeline().contains("t#"));
    assert!(!recording.svg().contains("width=\"-"));
}

/// Every mark that there is, and one line is too short for that.
#[test]
fn a_legend_stays_in_the_picture() {
    let (_, picture) = drawn(Executor::builder(), async {
        let closure = watchglass::spawn_blocking(|| ());
        let sleeper = spawn_named("sleeper", sleep(ms(20)));
        spawn_named("panics", async { panic!("on purpose") });
        yield_now().await;
        thread::sleep(ms(150));
        sleeper.abort();
        sleeper.abort();
        closure.await.unwrap();
        sleep(ms(10)).await;
        pending::<()>().await;
    });
    let legend = picture
        .lines()
        .filter(|line| line.contains("class=\"faint\" x="));
    let mut ys = Vec::new();
    for line in legend {
        let (_, x) = line.rsplit_once("class=\"faint\" x=\"").unwrap();
        let x: f64 = x.split('"').next().unwrap().parse().unwrap();
        let text = line
            .rsplit_once("</text>")
            .unwrap()
            .0
            .rsplit('>')
            .next()
            .unwrap();
        assert!(x + text.chars().count() as f64 * 7.25 < 1000.0, "{line}");
        let (_, y) = line.rsplit_once(" y=\"").unwrap();
        ys.push(y.split('"').next().unwrap().parse::<f64>().unwrap() as i32);
    }
    ys.sort_unstable();
    ys.dedup();
    let is_below = |pair: &[i32]| pair[1] - pair[0] >= 14;
    assert!(ys.len() >= 3 && ys.windows(2).all(is_below), "{ys:?}");
}

#[test]
fn the_text_too_says_that_polls_are_widened() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        sleep(secs(1)).await;
        for _ in 0..10 {
            yield_now().await;
        }
    });
    assert!(timeline.contains("\nThe scale is not exact"), "{timeline}");
}

#[test]
fn no_name_or_message_becomes_markup() {
    const MARKUP: &str = "<b>&\"a\"";
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let stalled = executor.try_block_on(async {
        let panics = spawn_named(MARKUP, async {
            let waker = own_waker().await;
            waker.wake_by_ref();
            waker.wake_by_ref();
            sleep(secs(1)).await;
            panic!("{MARKUP}");
        });
        let waits = spawn_named(MARKUP, async { drop(panics.await) });
        waits.await.unwrap();
        // In a box of several rows, and with a name that is cut off.
        let naps = [1, 2].map(|n| spawn_named(MARKUP, sleep(secs(n))));
        join_all(naps).await;
        let long = format!("{MARKUP}{}", "-".repeat(60));
        spawn_named(long, pending::<()>()).await.unwrap();
    });
    stalled.unwrap_err();
    // So that the last of these polls is the busiest, which has the picture's title.
    let busy = altered(&recording, |record| {
        if let Event::PollEnded { took, .. } = &mut record.event {
            *took = ms(record.seq);
        }
    });
    let page = busy.html("<b>title");
    for text in [&busy.svg(), &page] {
        for markup in ["<b>", "&\"a"] {
            let at = text.find(markup);
            assert!(at.is_none(), "{markup} is in {}", &text[at.unwrap() - 80..]);
        }
    }
    assert!(page.contains("<title>&lt;b&gt;title"), "{page}");
}

#[test]
fn a_wake_that_did_nothing_stands_before_the_poll_that_it_came_before() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let sleepers = ["one", "other"].map(|name| spawn_named(name, sleep(secs(1))));
        let [one, other] = sleepers;
        drop(join(one, other).await);
    });
    let main = timeline.lines().nth(1).unwrap();
    assert!(main.ends_with("*j#") || main.ends_with("*j"), "{timeline}");
}

#[test]
fn timers_that_have_no_row_of_their_own_are_told_of() {
    let drawn = |sleeps: u64| {
        drawn(Executor::builder().virtual_time(), async move {
            join_all((1..=sleeps).map(|s| sleep(secs(s)))).await;
        })
    };
    let (timeline, picture) = drawn(12);
    assert!(timeline.contains("== 4 more timers ==="), "{timeline}");
    assert!(picture.contains(">4 more timers<"));
    assert!(drawn(9).0.contains("== 1 more timer ==="));
    assert!(!drawn(8).0.contains("more timer"));
    // Those that are still armed go on to the right edge.
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let sleeps = join_all((1..=12).map(|s| sleep(secs(s))));
    drop(executor.spawn(sleeps));
    let start = executor.now();
    while executor.now() < start + secs(5) {
        executor.step();
    }
    let timeline = recording.timeline();
    let row = timeline.lines().find(|line| line.contains("4 more timers"));
    let task = timeline.lines().nth(1).unwrap();
    assert!(
        row.unwrap().trim_end().len() >= task.trim_end().len(),
        "{timeline}"
    );
}

#[test]
fn timers_without_a_row_are_drawn_overdue_where_they_are() {
    let (timeline, picture) = drawn(Executor::builder(), async {
        let sleeps = join_all((1..=12).map(|n| sleep(ms(100 + n))));
        join(sleeps, async { thread::sleep(ms(300)) }).await;
    });
    let more = rows(&timeline, "timers_withou").pop().unwrap();
    assert!(more.contains("++++"), "{timeline}");
    assert!(picture.contains("<title>overdue</title>"), "{picture}");
}

#[test]
fn one_sleep_after_another_is_not_drawn_as_one() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        for _ in 0..2 {
            let long = sleep(secs(100));
            watchglass::timeout(secs(1), long).await.unwrap_err();
        }
    });
    let both = rows(&timeline, "one_sleep_aft")[2];
    assert!(both.contains("_ time limit at 1.000 s "), "{timeline}");
    assert!(both.contains("__ _ "), "{timeline}");
}

#[test]
fn a_picture_says_of_what_it_does_not_show() {
    let yields = |polls: usize| async move {
        sleep(secs(1)).await;
        for _ in 0..polls {
            yield_now().await;
        }
    };
    let says = |polls| drawn(Executor::builder().virtual_time(), yields(polls)).1;
    let few = says(0);
    assert!(
        few.contains(">polled because: n new, t its timer fired<"),
        "{few}"
    );
    assert!(few.contains(">poll<") && !few.contains("widened"), "{few}");
    let some = says(10);
    assert!(some.contains(">poll (widened)<"), "{some}");
    let many = says(500);
    assert!(
        many.contains(">the mouse over a poll says why it was polled<"),
        "{many}"
    );
    // In words: the first polls, and how many more there are.
    let times =
        "polled at 0.000 s, at 1.000 s, at 1.000 s, at 1.000 s, at 1.000 s and 497 times more";
    assert!(many.contains(times), "{many}");
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { drop(spawn_named("saves", pending::<()>())) });
    drop(executor);
    assert!(
        recording
            .svg()
            .contains(" saves is never polled, and then: cancelled.")
    );
}

#[test]
fn a_picture_of_very_many_tasks_has_the_first_and_says_how_many_more_there_are() {
    let drawn = |tasks: usize| {
        drawn(Executor::builder().virtual_time(), async move {
            let naps = (0..tasks).map(|at| spawn_named(format!("nap {at}"), yield_now()));
            join_all(naps).await;
            spawn_named("last", sleep(secs(1))).await.unwrap();
        })
    };
    let (timeline, picture) = drawn(300);
    let rows: Vec<&str> = timeline.lines().skip(1).collect();
    assert!(rows[199].starts_with("nap 198 "), "{timeline}");
    assert_eq!(rows[200].trim(), "and 102 more tasks");
    assert!(picture.contains(">nap 198</text>") && !picture.contains(">nap 199</text>"));
    assert!(picture.contains(">and 102 more tasks</text>"));
    assert!(picture.contains("<desc id=\"desc\">302 tasks in "));
    assert!(
        picture.contains(" and 102 more tasks.</desc>"),
        "in words, too"
    );
    let (timeline, picture) = drawn(198);
    assert!(timeline.contains("\nlast ") && !timeline.contains("more tasks"));
    assert!(
        picture.contains(">last</text>")
            && picture.contains("class=\"arrow\"")
            && !picture.contains("more tasks")
    );
    // In a browser it has its own size, and is not squeezed into the window.
    let size = picture.split_once("viewBox=\"0 0 ").unwrap().1;
    let (size, _) = size.split_once('"').unwrap();
    let (width, height) = size.split_once(' ').unwrap();
    let size = format!("width=\"{width}\" height=\"{height}\" viewBox");
    assert!(picture.contains(&size), "{size}");
}

#[test]
fn of_the_tasks_that_have_no_lane_those_without_an_end_are_counted() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        (0..300).for_each(|_| drop(spawn(sleep(secs(9)))));
        yield_now().await;
    });
    let rest = "and 101 more tasks, 101 of them unfinished";
    assert!(
        timeline.contains(rest) && picture.contains(rest),
        "{timeline}"
    );
}

#[test]
fn a_picture_of_very_many_tasks_has_those_that_something_is_found_of() {
    let run = || {
        let builder = Executor::builder().virtual_time().long_poll(ms(20));
        let (executor, recording) = recorded(builder);
        executor.block_on(async {
            for at in 0..300 {
                drop(spawn_named(format!("nap {at}"), async move {
                    yield_now().await;
                    match at {
                        240 => poll_fn(|_| Poll::Pending).await,
                        250 => thread::sleep(ms(20)),
                        _ => {}
                    }
                }));
            }
            let fails = spawn_named("fails", async { panic!("on purpose") });
            fails.await.unwrap_err();
            sleep(secs(1)).await;
        });
        recording
    };
    let is_long = |event: &&Event| matches!(event, Event::LongPoll(_));
    let recording = calm(run, |recording| {
        recording.events().iter().filter(is_long).count() == 1
    });
    let picture = recording.svg();
    let has = |name: &str| picture.contains(&format!(">{name}</text>"));
    assert!(
        has("nap 195") && has("nap 240") && has("nap 250") && has("fails"),
        "{picture}"
    );
    assert!(!has("nap 196") && has("and 102 more tasks"), "{picture}");
    // The lane of the one that panicked is the last, and an arrow leads from it to the first.
    let arrow = picture.split_once("fails wakes ").expect(&picture).0;
    let (_, path) = arrow.rsplit_once("d=\"M").unwrap();
    let y = path.split(['C', ' ']).nth(1).unwrap();
    assert!(y.parse::<f64>().unwrap() > 199.0 * 40.0, "{y}");
}

#[test]
fn a_picture_of_very_many_tasks_has_those_that_await_each_other() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        for _ in 0..250 {
            drop(spawn(yield_now()));
        }
        let (sender, handle) = async_channel::bounded::<JoinHandle<()>>(1);
        let left = spawn_named("left", async move {
            handle.recv().await.unwrap().await.unwrap();
        });
        let right = spawn_named("right", async { left.await.unwrap() });
        sender.send(right).await.unwrap();
        sleep(secs(1)).await;
    });
    for name in ["left", "right"] {
        let lane = format!(">{name}</text>");
        assert!(picture.contains(&lane), "{picture}");
    }
}

/// A log of these records, with this last event behind them.
fn closed(mut records: Vec<Record>, time: Duration, event: Event) -> Recording {
    let seq = records.len() as u64;
    records.push(Record { seq, time, event });
    Recording::from_iter(records)
}

#[test]
fn a_poll_in_which_the_log_ends_goes_on_until_then() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { sleep(ms(50)).await });
    let mut records = recording.take();
    let is_polled = |record: &Record| matches!(record.event, Event::PollStarted { .. });
    let last = records.iter().rposition(is_polled).unwrap();
    records.truncate(last + 1);
    let full = Event::LogFull { events: last + 1 };
    let timeline = closed(records, ms(100), full).timeline();
    let row = timeline.lines().nth(1).unwrap();
    assert!(
        row.contains("t##########") && row.ends_with('#'),
        "{timeline}"
    );
}

#[test]
fn a_thread_that_is_parked_where_the_log_ends_is_idle_and_its_task_sleeps_until_then() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { sleep(ms(50)).await });
    let mut records = recording.take();
    let parks = |record: &Record| matches!(record.event, Event::Parked { .. });
    let parked = records.iter().position(parks).unwrap();
    records.truncate(parked + 1);
    // On a busy machine some time may have gone by.
    records.iter_mut().for_each(|record| record.time = ms(0));
    let recording = closed(records, ms(20), Event::LogEnded);
    let timeline = recording.timeline();
    let idle = timeline.lines().find(|line| line.starts_with("idle "));
    assert!(idle.unwrap().ends_with(":::::"), "{timeline}");
    let slept = "0.020 s of sleep in 0.020 s: 0.000 s overlapped";
    assert!(timeline.contains(slept), "{timeline}");
    let found = "0.020 s  the log ends here, as it was asked for";
    assert!(timeline.contains(found), "{timeline}");
}

#[test]
fn a_letter_that_may_stand_for_several_polls_is_said_to() {
    let yields = |times: usize| async move {
        for _ in 0..times {
            yield_now().await;
        }
        sleep(secs(1)).await;
    };
    let several = "a letter may stand for several polls";
    for (times, is_said) in [(10, false), (100, true)] {
        let (timeline, _) = drawn(Executor::builder().virtual_time(), yields(times));
        assert_eq!(timeline.contains(several), is_said, "{timeline}");
    }
}

#[test]
fn tasks_of_one_long_name_can_be_told_apart() {
    async fn handle_connection_from_the_client() {}
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        for _ in 0..2 {
            drop(spawn(handle_connection_from_the_client()));
        }
        yield_now().await;
    });
    for row in ["handle_connectio… #1 ", "handle_connectio… #2 "] {
        assert!(timeline.contains(row), "{timeline}");
    }
    let name = ">handle_connect… #2<title>handle_connection_from_the_client #2</title></text>";
    assert!(picture.contains(name), "{picture}");
}

#[test]
fn a_time_limit_is_no_sleep() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let kept = Rc::default();
    executor.block_on(async {
        let lasting = spawn_named("lasting", sleep(secs(4)));
        timeout(secs(1), lasting).await.unwrap_err();
        timeout(secs(1), sleep(secs(9))).await.unwrap_err();
        timeout(secs(1), leaves_its_waker(&kept)).await.unwrap();
        timeout(secs(9), sleep(secs(1))).await.unwrap();
        let mut ticks = interval(secs(1));
        ticks.tick().await;
        ticks.tick().await;
    });
    let picture = recording.svg();
    for (class, title) in [
        ("other", "lasting to end and time limit at 1.000 s"),
        ("timer", "sleep until 10.000 s and time limit at 2.000 s"),
        ("timer", "sleep until 10.000 s"),
        ("limit", "time limit at 2.000 s"),
        (
            "other",
            "a future that is not watchglass&#39;s and time limit at 3.000 s",
        ),
        ("timer", "tick at 5.000 s"),
    ] {
        let bar = picture.split("<rect ").any(|rect| {
            rect.starts_with(&format!("class=\"{class}\""))
                && rect.contains(&format!("<title>{title}</title>"))
        });
        assert!(bar, "{class}: {title}: {picture}");
    }
    let timeline = recording.timeline();
    assert!(timeline.contains("__ limit ___"), "{timeline}");
    // The sleeper's 4 s, the last second of the main task's limits, and its tick.
    let sums = "6.000 s of sleep in 5.000 s: 1.000 s overlapped";
    assert!(timeline.contains(sums), "{timeline}");
    let story = recording.story();
    for sentence in [
        "polled (poll 2): its time limit at 1.000 s was reached",
        "returns Pending: the thread is free; it waits for a future that is not watchglass's and its time limit at 3.000 s",
        "is cancelled: its time limit is of no use any more",
        "polled (poll 7): its timer for the tick at 5.000 s fired",
    ] {
        assert!(story.contains(sentence), "{sentence} is not in\n{story}");
    }
}

#[test]
fn a_closure_that_waits_for_a_thread_is_not_drawn_as_running() {
    let (executor, recording) = recorded(Executor::builder().virtual_time().blocking_threads(1));
    executor.block_on(async {
        let closures = [(); 2].map(|()| spawn_blocking(|| ()));
        join_all(closures).await;
    });
    // As if each had run for 60 ms.
    let (mut now, mut waited) = (ms(0), ms(0));
    let slow = altered(&recording, |record| {
        match &mut record.event {
            Event::Woken { by, .. } if *by == Cause::OtherThread => now += ms(60),
            Event::BlockingDone { queued, took, .. } => {
                (*queued, *took) = (waited, ms(60));
                waited += *took;
            }
            Event::PollEnded { took, .. } => *took = ms(2),
            _ => {}
        }
        record.time = now;
    });
    let timeline = slow.timeline();
    let closures = timeline.lines().filter(|line| line.starts_with("closure"));
    let [first, second] = closures.collect::<Vec<&str>>()[..] else {
        panic!("{timeline}");
    };
    assert!(first.contains("~~") && !first.contains('-'), "{timeline}");
    let waits = second.find("-- a thread of the pool -");
    assert!(waits.is_some() && waits < second.find("~~"), "{timeline}");
    let picture = slow.svg();
    assert!(
        picture.contains("<title>a thread of the pool</title>"),
        "{picture}"
    );
    assert!(
        picture.contains("polled (poll 1): it is new; it took 2.0 ms</title>"),
        "{picture}"
    );
    assert!(!recording.svg().contains("it took"), "on the virtual clock");
    let story = slow.story();
    assert_eq!(story.matches(", and had waited ").count(), 1, "{story}");
}

#[test]
fn a_drop_that_holds_the_thread_is_drawn_as_long_as_it_takes() {
    let holder = |name| {
        spawn_named(name, async {
            let _held = OnDrop(|| thread::sleep(ms(100)));
            sleep(secs(60)).await;
        })
    };
    let run = || {
        let (executor, recording) = recorded(Executor::builder());
        executor.block_on(async {
            let [aborted, _left] = ["aborted", "left"].map(holder);
            yield_now().await;
            aborted.abort();
            aborted.await.unwrap_err();
        });
        drop(executor);
        recording
    };
    // What is drawn to the scale of a run in which the machine stood still for long is narrow.
    let is_calm = |recording: &Recording| recording.records().last().unwrap().time < ms(280);
    let recording = calm(run, is_calm);
    let timeline = recording.timeline();
    assert!(
        rows(&timeline, "aborted")[0].contains("a####"),
        "{timeline}"
    );
    assert!(rows(&timeline, "left")[0].contains("=d####"), "{timeline}");
    let story = recording.story();
    for name in ["aborted", "left"] {
        let held = format!("{name} held the thread ");
        let mut told = story.lines().filter(|line| line.contains(&held));
        // On a busy machine a poll may have held it, too.
        let of_its_drop = |line: &str| line.contains(", while it was dropped");
        assert!(told.any(of_its_drop), "{story}");
    }
    // On a busy machine its poll may be the busiest; what takes 100 ms is its drop, and no poll.
    let mut busiest = story
        .lines()
        .filter_map(|line| line.split_once("the busiest poll: aborted, "));
    let is_its_drop = |(_, took): (&str, &str)| {
        let (number, rest) = took.split_once(' ').expect("a number and its unit");
        rest.starts_with("ms") && number.parse::<f64>().expect("a number") >= 100.0
    };
    assert!(!busiest.any(is_its_drop), "{story}");
    let picture = recording.svg();
    assert!(
        !picture.contains("aborted is polled at 0.000 s, at "),
        "its drop is no poll: {picture}"
    );
}

#[test]
fn a_drop_in_its_turn_has_the_width_of_a_poll() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        let task = spawn(sleep(secs(60)));
        sleep(secs(1)).await;
        task.abort();
        task.await.unwrap_err();
    });
    assert!(picture.contains(">a</text>"), "{picture}");
    assert!(
        picture.contains(">poll or drop (widened)</text>"),
        "{picture}"
    );
    assert!(
        picture.contains(">dropped because: a aborted</text>"),
        "{picture}"
    );
}

#[test]
fn where_only_a_drop_has_room_for_its_letter_the_mouse_tells_of_the_polls() {
    let (_, picture) = drawn(Executor::builder(), async {
        let task = spawn(async {
            let _held = OnDrop(|| thread::sleep(ms(100)));
            pending::<()>().await;
        });
        for _ in 0..400 {
            yield_now().await;
        }
        task.abort();
        task.await.unwrap_err();
    });
    assert!(
        picture.contains(">dropped because: a aborted</text>"),
        "{picture}"
    );
    // On a busy machine a poll may have room, too.
    let explained = [
        "polled because: ",
        "the mouse over a poll says why it was polled<",
    ];
    let explained = explained.map(|begin| picture.contains(&format!(">{begin}")));
    assert!(
        explained == [true, false] || explained == [false, true],
        "{picture}"
    );
}

#[test]
fn bars_that_are_too_narrow_are_one_bar_that_counts_them() {
    let bars = |sleeps: u32| {
        let (_, picture) = drawn(Executor::builder().virtual_time(), async move {
            let short = async {
                for _ in 0..sleeps {
                    sleep(ms(1)).await;
                }
            };
            join(sleep(ms(1) * sleeps), short).await;
        });
        for wrong in [" 0 times", " 1 times", ">1 waits"] {
            assert!(!picture.contains(wrong), "{picture}");
        }
        move |label| picture.matches(&format!("<title>{label}</title>")).count()
    };
    let of_many = bars(6_000);
    // Of the timers, and of the task.
    assert!(of_many("3 waits") > 1_000);
    assert!(of_many("3 waits, and 4 times in the ready queue") > 500);
    assert!(bars(2_000)("1 wait, and once in the ready queue") > 1_000);
}

#[test]
fn very_many_polls_do_not_hide_that_a_task_sleeps() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        for _ in 0..600 {
            sleep(ms(10)).await;
        }
    });
    let number = |rect: &str, name: &str| -> f64 {
        let (_, value) = rect.split_once(&format!(" {name}=\"")).unwrap();
        value.split_once('"').unwrap().0.parse().unwrap()
    };
    let polls = picture.split("<rect class=\"poll\"").skip(1);
    let polls: Vec<(f64, f64)> = polls
        .map(|rect| (number(rect, "x"), number(rect, "width")))
        .collect();
    assert!(polls.len() > 600, "{}", polls.len());
    let is_seen_between = |pair: &[(f64, f64)]| pair[0].0 + pair[0].1 < pair[1].0;
    let gaps = polls
        .windows(2)
        .filter(|pair| is_seen_between(pair))
        .count();
    assert!(gaps > 590, "{gaps}");
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        for _ in 0..10_000 {
            sleep(ms(1)).await;
        }
    });
    let polls = picture.split("<rect class=\"poll\"").skip(1);
    let polls: Vec<(f64, f64)> = polls
        .map(|rect| (number(rect, "x"), number(rect, "width")))
        .collect();
    // Several are one mark each.
    assert!((1_000..4_000).contains(&polls.len()), "{}", polls.len());
    assert!(polls.iter().all(|&(_, width)| width > 0.0));
    let gaps = polls.windows(2).filter(|pair| is_seen_between(pair));
    assert!(gaps.count() >= polls.len() - 2);
    let width: f64 = polls.iter().map(|&(_, width)| width).sum();
    assert!(
        width < 500.0,
        "{width}: it waits for the larger part of the time"
    );
    assert!(picture.contains("<title>6 polls from 0."), "{picture}");
}

#[test]
fn a_picture_has_no_more_marks_than_there_is_room_for() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        let yields = spawn(async {
            for _ in 0..20_000 {
                yield_now().await;
            }
        });
        let waker = own_waker().await;
        (0..20_000).for_each(|_| waker.wake_by_ref());
        yields.await.unwrap();
    });
    let marks = picture.matches("<rect").count() + picture.matches("<circle").count();
    assert!((2_000..8_000).contains(&marks), "{marks}");
    assert!(picture.contains(" wakes that did nothing</title>"));
}

#[test]
fn a_name_in_wide_letters_keeps_the_rows_on_the_axis() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let wide = spawn_named("画像をダウンロードする", sleep(secs(1)));
        let narrow = spawn_named("narrow", sleep(secs(1)));
        join_all([wide, narrow]).await;
    });
    // Each of the letters takes two columns of a terminal: the first poll comes a column before the second's.
    let before_poll = |name: &str| -> usize {
        let row = timeline.lines().find(|row| row.starts_with(name)).unwrap();
        let (before, _) = row.split_once("n#").unwrap();
        before
            .chars()
            .map(|letter| {
                if letter.is_ascii() || letter == '…' {
                    1
                } else {
                    2
                }
            })
            .sum()
    };
    let (wide, narrow) = (before_poll("画像"), before_poll("narrow"));
    assert!(
        wide < narrow && narrow <= wide + 3,
        "{wide}, {narrow}: {timeline}"
    );
}

#[test]
fn a_drop_that_panics_at_the_executor_s_end_is_not_drawn_as_a_poll() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let sleeper = async {
        let _bomb = OnDrop(|| panic!("on purpose"));
        sleep(secs(100)).await;
    };
    let sleeper = executor.spawn_named("sleeper", sleeper);
    executor.block_on(sleep(secs(5)));
    drop(executor);
    drop(sleeper);
    let timeline = recording.timeline();
    let row = timeline.lines().find(|row| row.starts_with("sleeper"));
    assert!(
        row.unwrap().contains("n#= sleep until 100.000 s ="),
        "{timeline}"
    );
}

#[test]
fn a_message_in_wide_letters_stays_in_the_picture_with_blanks_and_without() {
    for message in ["漢字漢字漢字 ", "漢字漢字漢字"] {
        let (_, picture) = drawn(Executor::builder().virtual_time(), async {
            let panics = async move { panic!("{}", message.repeat(30)) };
            drop(spawn_named("panics", panics).await);
        });
        let bad = picture
            .lines()
            .filter(|line| line.starts_with("<text class=\"bad\""));
        let lines: Vec<usize> = bad.map(|line| line.matches(['漢', '字']).count()).collect();
        // Each takes 14 or 15 of 1,000 units.
        assert!(lines.iter().sum::<usize>() == 180, "{lines:?}");
        assert!(lines.iter().all(|&letters| letters <= 66), "{lines:?}");
    }
}

#[test]
fn a_name_that_cannot_be_seen_is_none() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        let names = ["\u{200b}", "\u{feff} \u{ad}", "a\u{200b}b"];
        join_all(names.map(|name| spawn_named(name, async {}))).await;
    });
    for label in ["#1", "#2", "a\\u{200b}b"] {
        assert!(timeline.contains(&format!("\n{label} ")), "{timeline}");
        assert!(picture.contains(&format!(">{label}<")), "{picture}");
    }
}

#[test]
fn the_last_time_at_the_edge_is_whole() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        for _ in 0..200 {
            yield_now().await;
        }
        sleep(Duration::from_nanos(5)).await;
    });
    let scale = timeline.lines().next().unwrap();
    assert!(scale.ends_with("|0.000000005 s"), "{timeline}");
}

#[test]
fn a_text_explains_the_marks_that_it_has_and_no_others() {
    assert!(!Recording::new().timeline().contains("polled because"));
    let (timeline, _) = drawn(Executor::builder(), async {
        thread::sleep(ms(5));
        own_waker().await.wake();
        yield_now().await;
    });
    assert!(timeline.contains("## it is polled"), "{timeline}");
    assert!(!timeline.contains("stall"), "{timeline}");
    let (timeline, _) = drawn(
        Executor::builder().virtual_time().closed_world(true),
        async {
            let (_sender, receiver) = async_channel::bounded::<()>(1);
            join(receiver.recv(), sleep(secs(1))).await.0.unwrap();
        },
    );
    assert!(timeline.contains("- foreign -"), "{timeline}");
    let outside = "-- it waits for something else (foreign: not watchglass's)";
    assert!(timeline.contains(outside), "{timeline}");
    // It has dots, but none that says that a task is ready.
    assert!(
        !timeline.contains(".. it is in the ready queue"),
        "{timeline}"
    );
}

#[test]
fn a_limit_that_never_comes_is_none() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let nap = spawn_named("nap", sleep(secs(1)));
        timeout(Duration::MAX, nap).await.unwrap().unwrap();
    });
    assert!(timeline.contains("n#- nap to end ---"), "{timeline}");
    assert!(!timeline.contains("never comes"), "{timeline}");
}

#[test]
fn a_closure_is_drawn_until_its_end_and_not_until_somebody_looks() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async { spawn_blocking(|| ()).await.unwrap() });
    // As if it had run for 20 ms, and the thread had been busy for 80 ms more.
    let mut now = ms(0);
    let late = altered(&recording, |record| {
        match &mut record.event {
            Event::Woken { by, .. } if *by == Cause::OtherThread => now = ms(100),
            Event::BlockingDone { queued, took, .. } => {
                (*queued, *took) = (ms(0), ms(20));
                now = ms(100);
            }
            _ => {}
        }
        record.time = now;
    });
    let timeline = late.timeline();
    let row = timeline.lines().find(|row| row.starts_with("closure"));
    let row = row.unwrap();
    let runs = row.matches('~').count();
    assert!((5..20).contains(&runs), "{timeline}");
    assert!(
        row.contains("~-- it has ended: nobody has looked ---"),
        "{timeline}"
    );
}

#[test]
fn the_arrows_of_very_many_wakes_lead_to_their_polls() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        let kept = [(); 100].map(|()| Rc::new(RefCell::new(None)));
        let tasks = kept
            .clone()
            .map(|kept| spawn(async move { leaves_its_waker(&kept).await }));
        yield_now().await;
        for waker in &kept {
            waker.take().unwrap().wake();
        }
        join_all(tasks).await;
    });
    let arrows = picture.split("<path class=\"arrow\" d=\"M").skip(1);
    // Not that in the legend, which is straight.
    let arrows = arrows.filter(|path| path.split('"').next().unwrap().contains('C'));
    let leads_on = arrows.map(|path| {
        let (from, curve) = path.split_once(' ').unwrap();
        let (curve, _) = curve.split_once('"').unwrap();
        // M x1 y1 C x1 a x2 b x2 y2
        curve.rsplit(' ').nth(1).unwrap() != from
    });
    assert!(leads_on.clone().count() >= 100 && leads_on.clone().all(|leads_on| leads_on));
}

#[test]
fn a_log_with_its_records_in_any_order_is_drawn() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let naps = (1..4).map(|nap| spawn(sleep(secs(nap))));
        join_all(naps).await;
        drop(timeout(secs(1), spawn_blocking(|| ())).await);
    });
    let records = recording.records();
    let mut random = 1_usize;
    for _ in 0..500 {
        let mut records = records.clone();
        for at in (1..records.len()).rev() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            records.swap(at, (random >> 33) % at);
        }
        let shuffled = Recording::new();
        for record in &mut records {
            // Some times are before others, too.
            random = random.rotate_left(7);
            if random.is_multiple_of(2) {
                record.time = ms(random as u64 % 3_000);
            }
            if let Event::TimerFired { now, .. } = &mut record.event {
                *now += ms(500);
            }
            shuffled.observe(record);
        }
        drop(shuffled.timeline());
        assert!(shuffled.svg().starts_with("<svg "));
    }
    let long = altered(&recording, |record| {
        record.time += Duration::from_secs(1 << (record.seq % 62))
    });
    assert!(long.svg().starts_with("<svg "));
}

#[test]
fn no_two_tasks_have_one_name() {
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        join_all(["x #2", "x", "x"].map(|name| spawn_named(name, async {}))).await;
    });
    for name in ["x #2 #1 ", "x #2  ", "x #3  "] {
        assert_eq!(
            timeline.matches(&format!("\n{name}")).count(),
            1,
            "{timeline}"
        );
    }
}

#[test]
fn no_two_tasks_have_one_name_also_where_a_longer_one_is_given() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        join_all(["a", "a", "a #1", "a #1 #3"].map(|name| spawn_named(name, async {}))).await;
    });
    let names = picture.split("class=\"name\"").skip(1);
    let mut names: Vec<&str> = names
        .map(|rest| rest.split(['>', '<']).nth(1).unwrap())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((all, names.len()), (5, 5), "{names:?}");
}

#[test]
fn of_many_sleeps_that_a_task_waits_for_some_are_named() {
    let (_, picture) = drawn(Executor::builder().virtual_time(), async {
        let mut naps: Vec<_> = (1..=30).map(|n| sleep(secs(n))).collect();
        poll_fn(|cx| {
            for nap in &mut naps {
                let _ = Pin::new(nap).poll(cx);
            }
            match naps[0].is_elapsed() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    });
    assert!(
        picture.contains(" and sleep until 20.000 s and 10 more</title>"),
        "{picture}"
    );
}

#[test]
fn who_polls_its_sleep_with_another_waker_still_waits_for_it() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let mut nap = sleep(secs(2));
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                cx.waker().wake_by_ref();
                return Pin::new(&mut nap).poll(cx);
            }
            let own = cx.waker().clone();
            let wraps = waker_fn::waker_fn(move || own.wake_by_ref());
            Pin::new(&mut nap).poll(&mut Context::from_waker(&wraps))
        })
        .await;
    });
    let story = recording.story();
    assert!(!story.contains("not watchglass's"), "{story}");
}

#[test]
fn a_time_limit_of_what_is_not_watchglass_s_has_a_row() {
    let (timeline, picture) = drawn(Executor::builder().virtual_time(), async {
        let kept = Rc::new(RefCell::new(None));
        let receives = poll_fn(move |cx| {
            kept.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        });
        let receiver = spawn_named("receiver", async move {
            timeout(secs(1), receives).await.unwrap_err();
        });
        receiver.await.unwrap();
    });
    assert!(
        timeline.contains("__ time limit at 1.000 s ____"),
        "{timeline}"
    );
    assert!(picture.contains(">time limit</text>"), "{picture}");
    assert!(
        picture.contains("<title>receiver wakes a_time_limit"),
        "{picture}"
    );
    // Of the marks that are not there, nothing is said.
    for mark in ["~~", "++", "\n*", "it woke itself"] {
        assert!(!timeline.contains(mark), "{mark}: {timeline}");
    }
    assert!(timeline.contains(":: nothing is ready"), "{timeline}");
}

/// As with the `Shared` of the crate futures: who polls it first makes its timer, and it uses a waker that is no task's.
#[test]
fn a_timer_that_uses_a_waker_is_drawn_no_longer_than_its_task_lives() {
    // Two, for one alone has no row.
    let naps = || Rc::new(RefCell::new([4, 5].map(|at| sleep(secs(at)))));
    let poll = |naps: &RefCell<[Sleep; 2]>, waker: &Waker| {
        let cx = &mut Context::from_waker(waker);
        let mut naps = naps.borrow_mut();
        let polled = naps.each_mut().map(|nap| Pin::new(nap).poll(cx));
        polled[0].max(polled[1])
    };
    let (timeline, _) = drawn(Executor::builder().virtual_time(), async {
        let (shared, alone) = (naps(), naps());
        let [of_first, of_second, of_third] = [&shared, &shared, &alone].map(Rc::clone);
        let first = spawn_named("first", poll_fn(move |_| poll(&of_first, Waker::noop())));
        let second = spawn_named("second", async move {
            sleep(secs(1)).await;
            // From now on they wake this task.
            poll_fn(|cx| poll(&of_second, cx.waker())).await;
        });
        let third = spawn_named("third", poll_fn(move |_| poll(&of_third, Waker::noop())));
        sleep(secs(2)).await;
        first.abort();
        third.abort();
        second.await.unwrap();
        drop((shared, alone));
    });
    let at = |time| timeline.find(time).unwrap();
    for (name, until) in [
        ("first", "|1.000 s"),
        ("second", "|4.000 s"),
        ("third", "|2.000 s"),
    ] {
        let rows = rows(&timeline, name);
        let label = "4.000 s =";
        let row = rows[1..].iter().find(|row| row.contains(label));
        let row = row.unwrap_or_else(|| panic!("{timeline}"));
        let behind = row.find(label).unwrap() + label.len();
        let ends = row[behind..].find(|letter| letter != '=');
        let ends = ends.map_or(row.len(), |bar| behind + bar);
        assert!(ends.abs_diff(at(until)) < 7, "{name}: {timeline}");
    }
}

#[test]
fn who_waits_for_a_timer_and_has_given_its_waker_away_is_told_of_both() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let (send, receive) = async_channel::unbounded::<()>();
    let waits = executor.spawn_named("waits", async move {
        race(
            async {
                receive.recv().await.unwrap();
            },
            sleep(secs(1)),
        )
        .await;
        pending::<()>().await;
    });
    executor.block_on(sleep(secs(2)));
    drop((send, waits));
    let story = recording.story();
    let first = "waits returns Pending: the thread is free; somebody else has its waker, too";
    assert!(story.contains(first), "{story}");
    assert_eq!(story.matches("has its waker, too").count(), 1, "{story}");
}
