//! The player: its fold is the executor's, and the page does what it says in a browser.
//!
//! The first part needs node, the second node and Chromium. Where one is missing, the test says that
//! it was skipped; with `SKIP_NOTHING=1`, as in `.ci/run`, which installs them, it fails.

mod programs;

use std::cell::RefCell;
use std::env;
use std::fs;
use std::future::{pending, poll_fn};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::process::{self, Command};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use programs::{Channel, act, run};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use watchglass::trace::{Cause, Event, Observer, Place, Record, Recording, State, WaitsOn};
use watchglass::{
    Executor, JoinSet, TaskId, current_task, interval, join, join_all, now, sleep, sleep_until,
    spawn, spawn_blocking, spawn_named, timeout, yield_now,
};

/// A file of this test's own, also if the tests run twice at once. It goes with the test.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl AsRef<Path> for File {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Deref for File {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

fn file(name: &str) -> File {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("player");
    fs::create_dir_all(&directory).unwrap();
    File(directory.join(format!("{}-{name}", process::id())))
}

fn is_there(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").output().is_ok();
    let must_be_there = env::var_os("SKIP_NOTHING").is_some();
    assert!(
        found || !must_be_there,
        "{tool} is missing, and nothing may be skipped"
    );
    if !found {
        println!("skipped: there is no {tool}");
    }
    found
}

/// Runs one of the scripts beside this file.
fn node(script: &str, arguments: &[&Path]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/player")
        .join(script);
    let output = Command::new("node")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complained}");
    printed
}

fn cause(cause: Cause) -> Value {
    match cause {
        Cause::Timer(timer) => json!({"kind": "Timer", "timer": timer.to_string()}),
        Cause::Task(task) => json!({"kind": "Task", "task": task.to_string()}),
        Cause::Joined(task) => json!({"kind": "Joined", "task": task.to_string()}),
        other => json!({"kind": format!("{other:?}")}),
    }
}

fn waits_on(on: WaitsOn) -> Value {
    match on {
        WaitsOn::Timer(timer) => json!({"kind": "Timer", "timer": timer.to_string()}),
        WaitsOn::Task(task) => json!({"kind": "Task", "task": task.to_string()}),
        WaitsOn::Children(children) => json!({"kind": "Children", "children": children}),
        other => json!({"kind": format!("{other:?}")}),
    }
}

/// The state as the page has it.
fn as_json(state: &State) -> Value {
    let tasks = state.tasks().iter().map(|task| {
        let waits = task.waits.iter();
        json!({
            "id": task.id.to_string(), "name": task.name, "kind": format!("{:?}", task.kind),
            "spawned_at": task.spawned_at.to_string(), "stage": task.stage.to_string(),
            "queued": task.queued, "aborted": task.aborted, "polls": task.polls,
            "waits": waits
                .map(|wait| json!({"on": waits_on(wait.on), "at": wait.at.to_string()}))
                .collect::<Vec<Value>>(),
            "wakers": task.wakers, "woken_by": task.woken_by,
        })
    });
    let ready = state.ready().map(|entry| {
        json!({"task": entry.task.to_string(), "why": cause(entry.why), "woken_by": entry.woken_by})
    });
    let timers = state.timers().map(|timer| {
        json!({
            "id": timer.id.to_string(), "task": timer.task.map(|task| task.to_string()),
            "kind": format!("{:?}", timer.kind),
            "deadline_ns": timer.deadline.as_nanos() as u64,
            "place": match timer.place {
                Place::Due => json!("due"),
                Place::Slot { level, slot } => json!({"level": level, "slot": slot}),
            },
        })
    });
    json!({
        "time_ns": state.time().as_nanos() as u64,
        "tasks": tasks.collect::<Vec<Value>>(),
        "ready": ready.collect::<Vec<Value>>(),
        "running": state.running().map(|task| task.to_string()),
        "timers": timers.collect::<Vec<Value>>(),
        "parked": state.parked(),
    })
}

#[test]
fn the_pages_fold_is_the_executors() {
    if !is_there("node") {
        return;
    }
    let mut runner = TestRunner::deterministic();
    let programs = (
        prop::collection::vec(act(), 0..8),
        prop::option::of(any::<u64>()),
    );
    let mut runs = Vec::new();
    for _ in 0..80 {
        let (acts, seed) = programs.new_tree(&mut runner).unwrap().current();
        let recording = Recording::new();
        let mut builder = Executor::builder().virtual_time().closed_world(false);
        if let Some(seed) = seed {
            builder = builder.seed(seed);
        }
        let (sender, receiver) = async_channel::unbounded();
        let executor = builder.observer(recording.clone()).build();
        executor.block_on(run(acts, Channel { sender, receiver }));
        drop(executor);
        let mut state = State::new();
        let states = recording.records().into_iter().map(|record| {
            state.fold(&record);
            as_json(&state)
        });
        let states: Vec<Value> = states.collect();
        let log: Value = serde_json::from_str(&recording.json()).unwrap();
        runs.push(json!({"records": log["records"], "states": states}));
    }
    let logs = file("runs.json");
    fs::write(&logs, Value::from(runs).to_string()).unwrap();
    println!("{}", node("fold.mjs", &[&logs]));
}

#[test]
fn a_long_ready_queue_is_folded_quickly() {
    if is_there("node") {
        println!("{}", node("queue.mjs", &[]));
    }
}

/// The names of the browser, where it goes by several.
fn chromium() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
        .or_else(|| is_there("chromium").then_some("chromium"))
}

const EVIL: &str = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>";

/// A log whose beginning was taken away, and in which tasks are woken that an observer has spawned: nobody was
/// told of these.
fn cut_log() -> Recording {
    let recording = Recording::new();
    let spawns = |record: &Record| {
        if matches!(record.event, Event::PollStarted { .. }) && record.seq < 20 {
            drop(watchglass::spawn(async {
                yield_now().await;
                sleep(Duration::from_secs(1)).await;
            }));
        }
    };
    let builder = Executor::builder().virtual_time().long_poll(Duration::ZERO);
    let executor = builder.observer((recording.clone(), spawns)).build();
    executor.block_on(yield_now());
    recording.take();
    executor.block_on(async {
        drop(watchglass::spawn(std::future::pending::<()>()));
        sleep(Duration::from_secs(2)).await;
    });
    recording
}

/// What a script of the page holds.
fn in_script(page: &str, id: &str) -> Value {
    let (_, script) = page.split_once(&format!("id=\"{id}\">")).unwrap();
    let (json, _) = script.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_page_of_a_log_that_was_cut_begins_with_step_0_and_leads_to_what_was_found() {
    let page = cut_log().html("cut");
    let records = in_script(&page, "records-0");
    let records = records.as_array().unwrap();
    let steps = records.iter().map(|record| record["seq"].as_u64().unwrap());
    assert!(steps.eq(0..records.len() as u64));
    let run = in_script(&page, "run");
    let findings = run["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        let step = finding["step"].as_u64().unwrap() as usize;
        let (_, says) = finding["says"].as_str().unwrap().split_once("  ").unwrap();
        assert_eq!(records[step]["says"], says);
    }
}

#[test]
fn the_page_lists_a_hundred_findings_and_leads_to_all() {
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone())
        .build();
    for _ in 0..150 {
        executor.spawn(pending::<()>());
    }
    executor.run_until_idle();
    let run = in_script(&recording.html("many"), "run");
    let listed = run["findings"].as_array().unwrap();
    assert_eq!(listed.len(), 100 + 1);
    let found_at = run["found_at"].as_array().unwrap().iter();
    let found_at: Vec<usize> = found_at.map(|at| at.as_u64().unwrap() as usize).collect();
    assert!(found_at.len() == 150 && found_at.is_sorted());
    let events = recording.events();
    let is_found = |&at: &usize| matches!(events[at], Event::ForgottenWaker { .. });
    assert!(found_at.iter().all(is_found));
}

#[test]
fn the_page_works_in_a_browser() {
    let (true, Some(browser)) = (is_there("node"), chromium()) else {
        return;
    };
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone())
        .build();
    let printed = recording.clone();
    executor.block_on(async move {
        let evil = spawn_named(EVIL, async {
            sleep(Duration::from_micros(1_000_300)).await
        });
        spawn_named("polite", yield_now()).await.unwrap();
        let mut evil = pin!(evil);
        poll_fn(|cx| {
            let polled = evil.as_mut().poll(cx);
            prints(&printed, current_task(), "it has gone on");
            polled
        })
        .await
        .unwrap();
    });
    let page = file("small.html");
    fs::write(&page, recording.html(EVIL)).unwrap();
    let picture = file("small.svg");
    fs::write(&picture, recording.svg()).unwrap();
    let cut = file("cut.html");
    fs::write(&cut, cut_log().html("cut")).unwrap();
    let empty = file("empty.html");
    fs::write(&empty, Recording::new().html("empty")).unwrap();
    let arguments = [Path::new(browser), &page, &picture, &cut, &empty];
    println!("{}", node("small.mjs", &arguments));
}

/// As if the program had printed this.
fn prints(recording: &Recording, task: Option<TaskId>, text: &str) {
    let last = recording.records().last().map(|record| record.time);
    let (seq, time) = (recording.len() as u64, last.unwrap_or_default());
    let text = text.to_owned();
    let event = Event::Printed { task, text };
    recording.observe(&Record { seq, time, event });
}

async fn long_sleep() {
    sleep(Duration::from_secs(60)).await;
}

/// Prints a lot, has more tasks than the page has rows, and tasks that wait where the page cannot know or in several
/// places. This file is its source, and is longer than what the page shows of it.
fn busy() -> Recording {
    let recording = Recording::new();
    let print = |text: &str| prints(&recording, None, text);
    let builder = Executor::builder().virtual_time();
    let executor = builder.observer(recording.clone()).build();
    executor.block_on(async {
        print(&"w".repeat(3000));
        print("\n\x1b[1;31mred\x1b[0m\n");
        for line in 0..150 {
            print(&format!("line {line}\n"));
        }
        let visit = timeout(Duration::from_millis(50), long_sleep()).await;
        assert!(visit.is_err());

        let (sender, receiver) = async_channel::unbounded();
        let getter = spawn_named("getter", async move {
            sleep(Duration::from_millis(1)).await;
            timeout(Duration::from_secs(1), receiver.recv()).await
        });
        sleep(Duration::from_millis(2)).await;
        sender.send(7).await.unwrap();
        assert_eq!(getter.await.unwrap(), Ok(Ok(7)));
        let mut ticks = interval(Duration::from_secs(1));
        ticks.tick().await;
        ticks.tick().await;

        let boxed = spawn_named("boxed", async {
            sleep(Duration::from_millis(1)).await;
            let nap: Pin<Box<dyn Future<Output = ()>>> = Box::pin(sleep(Duration::from_millis(3)));
            nap.await;
        });
        boxed.await.unwrap();
        spawn_blocking(|| ()).await.unwrap();
        sleep_until(now() - Duration::from_millis(2)).await;
        spawn_named("bomb", async { panic!("on purpose") })
            .await
            .unwrap_or(());

        let picky = spawn_named("picky_about_what_is_to_be_polled_next_and_then", async {
            let mut set = JoinSet::new();
            set.spawn(sleep(Duration::from_millis(3)));
            let naps = (5..30).map(|ms| Box::pin(sleep(Duration::from_millis(ms))));
            let mut naps: Vec<_> = naps.collect();
            poll_fn(|cx| {
                for nap in &mut naps {
                    if nap.as_mut().poll(cx).is_ready() || set.poll_join_next(cx).is_ready() {
                        return Poll::Ready(());
                    }
                }
                Poll::Pending
            })
            .await;
        });
        picky.await.unwrap();
        let naps = |until: [u64; 2]| join_all(until.map(|ms| sleep(Duration::from_millis(ms))));
        let of_both = join(
            naps([1, 2]),
            join(sleep(Duration::from_millis(9)), naps([3, 4])),
        );
        spawn_named("joiner", of_both).await.unwrap();

        // It ends where nobody else is.
        let sleeper = spawn_named("sleeper", long_sleep());
        yield_now().await;
        sleeper.abort();
        assert!(sleeper.await.is_err());

        join_all((0..105).map(|task| {
            spawn(async move {
                sleep(Duration::from_millis(task % 10)).await;
            })
        }))
        .await
        .into_iter()
        .for_each(Result::unwrap);
    });
    recording
}

#[test]
fn a_busy_run_is_easy_to_read_and_to_step_through() {
    let (true, Some(browser)) = (is_there("node"), chromium()) else {
        return;
    };
    let page = file("busy.html");
    fs::write(&page, busy().html("busy")).unwrap();
    println!("{}", node("busy.mjs", &[Path::new(browser), &page]));
}

#[test]
fn a_hundred_thousand_events_open_without_stalling() {
    let (true, Some(browser)) = (is_there("node"), chromium()) else {
        return;
    };
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone())
        .build();
    executor
        .block_on(join_all((0..500).map(|task| {
            executor.spawn(async move {
                for turn in 0..30 {
                    sleep(Duration::from_millis(task + turn)).await;
                }
            })
        })))
        .into_iter()
        .for_each(Result::unwrap);
    // Told twice, and listed once.
    executor.block_on(async {
        for _ in 0..2_500 {
            yield_now().await;
        }
    });
    assert!(recording.len() > 100_000, "{} events", recording.len());
    let page = file("large.html");
    let text = recording.html("large");
    // It has no picture, in which that would stand.
    assert!(text.contains(" overlapped.</p>"));
    fs::write(&page, text).unwrap();
    println!(
        "{}",
        node("large.mjs", &[Path::new(browser), &page, Path::new("2")])
    );
}

#[test]
fn a_task_that_waits_for_sixty_thousand_timers_and_a_line_without_end_do_not_stall_it() {
    let (true, Some(browser)) = (is_there("node"), chromium()) else {
        return;
    };
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone());
    let sleeps = (0..60_000).map(|ms| sleep(Duration::from_millis(ms % 7)));
    executor.build().block_on(join_all(sleeps));
    let text = "a line without end ".repeat(5_000);
    let (seq, time) = (recording.len() as u64, Duration::ZERO);
    let event = Event::Printed { task: None, text };
    recording.observe_owned(Record { seq, time, event });
    let page = file("long.html");
    fs::write(&page, recording.html("long")).unwrap();
    println!(
        "{}",
        node("large.mjs", &[Path::new(browser), &page, Path::new("0")])
    );
}

#[test]
fn forty_thousand_tasks_that_wait_at_one_line_do_not_stall_it() {
    let (true, Some(browser)) = (is_there("node"), chromium()) else {
        return;
    };
    let recording = Recording::new();
    let executor = Executor::builder()
        .virtual_time()
        .observer(recording.clone());
    let executor = executor.build();
    let wakers = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..40_000 {
        let wakers = wakers.clone();
        drop(executor.spawn(poll_fn(move |cx| {
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::<()>::Pending
        })));
    }
    executor.run_until_idle();
    let page = file("waiting.html");
    fs::write(&page, recording.html("waiting")).unwrap();
    println!(
        "{}",
        node("large.mjs", &[Path::new(browser), &page, Path::new("0")])
    );
}
