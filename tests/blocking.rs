//! `spawn_blocking`: closures on threads, awaited like tasks.

mod common;

use std::collections::HashSet;
use std::env;
use std::future::poll_fn;
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Instant;

use common::{LONG, Log, OnDrop, ms, no_hang, recorded, secs};
use watchglass::trace::{Event, Stage, State, WaitsOn};
use watchglass::{
    Builder, Executor, JoinSet, block_on, join_all, now, sleep, spawn, spawn_blocking, timeout,
    yield_now,
};

fn thread_name() -> String {
    thread::current().name().expect("named").to_owned()
}

#[test]
fn a_closure_runs_on_a_thread_of_the_pool_and_its_result_comes_back() {
    let here = thread::current().id();
    let (id, name, result) = block_on(async {
        let text = String::from("moved in");
        let closure = move || (thread::current().id(), thread_name(), text + " and out");
        spawn_blocking(closure).await.unwrap()
    });
    assert_ne!(id, here);
    assert_eq!(name, "blocking-0");
    assert_eq!(result, "moved in and out");
}

#[test]
fn the_task_of_a_closure_waits_while_it_is_out() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { spawn_blocking(|| ()).await.unwrap() });
    let mut state = State::default();
    let mut out = None;
    for record in recording.records() {
        state.fold(&record);
        match record.event {
            Event::BlockingStarted { task } => {
                assert_eq!(state.task(task).unwrap().stage, Stage::Waiting);
                out = Some(task);
            }
            Event::Waits { task, .. } if task == out && out.is_some() => break,
            _ => {}
        }
    }
    let task = state.task(out.expect("it was handed over")).unwrap();
    assert_eq!(task.stage, Stage::Waiting);
    assert_eq!(task.waits[0].on, WaitsOn::Blocking);
    assert!(
        recording
            .story()
            .contains("will be polled when it has run, at tests/blocking.rs:")
    );
}

#[test]
fn the_executor_goes_on_meanwhile() {
    no_hang(|| {
        block_on(async {
            let (go, wait) = mpsc::channel();
            let blocked = spawn_blocking(move || wait.recv().unwrap());
            let other = spawn(async {
                sleep(ms(1)).await;
                yield_now().await;
                "other tasks ran"
            });
            go.send(other.await.unwrap()).unwrap();
            assert_eq!(blocked.await.unwrap(), "other tasks ran");
        });
    });
}

/// Its drop is a part of the call, and may wake somebody: until then no verdict falls and no time goes by.
#[test]
fn what_an_aborted_closure_gives_is_dropped_before_the_call_is_over() {
    for builder in [
        Executor::builder().closed_world(true),
        Executor::builder().virtual_time(),
    ] {
        let (dropped, waker) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(None::<Waker>)),
        );
        let gives = OnDrop({
            let (dropped, waker) = (dropped.clone(), waker.clone());
            move || {
                thread::sleep(ms(50));
                dropped.store(true, Ordering::SeqCst);
                waker.lock().unwrap().take().expect("the task waits").wake();
            }
        });
        let (start, has_started) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        builder.build().block_on(async {
            let running = spawn_blocking(move || {
                start.send(()).unwrap();
                wait.recv().unwrap();
                gives
            });
            has_started.recv().unwrap();
            running.abort();
            yield_now().await;
            let dropped = poll_fn(|cx| {
                // Before the closure may end, whose drop uses it.
                waker.lock().unwrap().replace(cx.waker().clone());
                let _ = go.send(()); // the task is gone by now
                match dropped.load(Ordering::SeqCst) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            timeout(secs(3_600), dropped)
                .await
                .expect("no time goes by meanwhile");
        });
    }
}

#[test]
fn a_closure_is_sent_off_by_the_call_awaited_or_not() {
    let (send, receive) = mpsc::channel();
    block_on(async {
        drop(spawn_blocking(move || send.send(5).unwrap()));
        assert_eq!(
            receive.recv_timeout(LONG),
            Ok(5),
            "while this blocks the executor itself"
        );
    });
}

#[test]
fn a_panic_in_the_closure_goes_to_the_handle() {
    block_on(async {
        let error = spawn_blocking(|| panic!("on purpose")).await.unwrap_err();
        assert_eq!(error.panic_message().as_deref(), Some("on purpose"));
        assert_eq!(
            spawn_blocking(|| 5).await.unwrap(),
            5,
            "the thread is as good as before"
        );
    });
}

#[test]
fn a_closure_that_panics_is_told_as_run() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { spawn_blocking(|| panic!("on purpose")).await.unwrap_err() });
    let has_run = |event: &&Event| matches!(event, Event::BlockingDone { .. });
    assert_eq!(recording.events().iter().filter(has_run).count(), 1);
}

#[test]
fn the_pool_grows_to_its_bound_and_further_closures_wait() {
    const THREADS: usize = 4;
    no_hang(|| {
        let executor = Executor::builder().blocking_threads(THREADS).build();
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let together = Arc::new(Barrier::new(THREADS));
        let closures = (0..8 * THREADS).map(|_| {
            let (running, most) = (running.clone(), most.clone());
            let together = together.clone();
            move || {
                let now_running = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now_running, Ordering::SeqCst);
                // As many threads as may be: with fewer, nobody gets past this.
                together.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                thread_name()
            }
        });
        let names = executor.block_on(async { join_all(closures.map(spawn_blocking)).await });
        let names: HashSet<String> = names.into_iter().map(Result::unwrap).collect();
        let expected = (0..THREADS).map(|n| format!("blocking-{n}"));
        assert_eq!(names, expected.collect());
        assert_eq!(most.load(Ordering::SeqCst), THREADS);
    });
}

#[test]
fn a_queued_closure_whose_task_is_aborted_never_runs() {
    no_hang(|| {
        let executor = Executor::builder().blocking_threads(1).build();
        let ran = Arc::new(AtomicBool::new(false));
        let held = Arc::new(());
        executor.block_on(async {
            let (go, wait) = mpsc::channel::<()>();
            let first = spawn_blocking(move || wait.recv().unwrap());
            let queued = spawn_blocking({
                let (ran, held) = (ran.clone(), held.clone());
                move || {
                    ran.store(true, Ordering::SeqCst);
                    drop(held);
                }
            });
            queued.abort();
            assert!(queued.await.unwrap_err().is_cancelled());
            go.send(()).unwrap();
            first.await.unwrap();
            spawn_blocking(|| ()).await.unwrap();
        });
        assert!(!ran.load(Ordering::SeqCst));
        assert_eq!(Arc::strong_count(&held), 1, "it was dropped");
    });
}

#[test]
fn a_running_closure_cannot_be_stopped_and_nobody_waits_for_it() {
    no_hang(|| {
        let (started, has_started) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let (ended, has_ended) = mpsc::channel();
        let executor = Executor::new();
        executor.block_on(async {
            let running = spawn_blocking(move || {
                started.send(()).unwrap();
                wait.recv().unwrap();
                ended.send(()).unwrap();
            });
            has_started.recv().unwrap();
            running.abort();
            assert!(running.await.unwrap_err().is_cancelled());
        });
        drop(executor);
        go.send(()).unwrap();
        has_ended.recv_timeout(LONG).unwrap();
    });
}

#[test]
fn dropping_the_executor_drops_the_closures_that_still_wait() {
    no_hang(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let (go, wait) = mpsc::channel::<()>();
        let (started, has_started) = mpsc::channel();
        let (freed, is_freed) = mpsc::channel::<()>();
        let executor = Executor::builder().blocking_threads(1).build();
        executor.block_on(async {
            drop(spawn_blocking(move || {
                started.send(()).unwrap();
                wait.recv().unwrap();
            }));
            for _ in 0..10 {
                let (ran, freed) = (ran.clone(), freed.clone());
                drop(spawn_blocking(move || {
                    ran.fetch_add(1, Ordering::SeqCst);
                    drop(freed);
                }));
            }
            has_started.recv().unwrap();
        });
        drop((executor, freed));
        go.send(()).unwrap();
        // All senders are gone when all closures are.
        assert_eq!(
            is_freed.recv_timeout(LONG),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_set_takes_closures_in_the_order_of_their_ends() {
    let order = block_on(async {
        let (first, second) = (mpsc::channel(), mpsc::channel::<()>());
        let mut set = JoinSet::new();
        set.insert(spawn_blocking(move || {
            first.1.recv().unwrap();
            "waits for the other"
        }));
        set.insert(spawn_blocking(move || {
            second.1.recv().unwrap();
            "comes first"
        }));
        second.0.send(()).unwrap();
        let mut order = vec![set.join_next().await.unwrap().unwrap()];
        first.0.send(()).unwrap();
        order.push(set.join_next().await.unwrap().unwrap());
        order
    });
    assert_eq!(order, ["comes first", "waits for the other"]);
}

#[test]
fn the_events_tell_of_the_closure_its_thread_and_its_times() {
    let (executor, recording) = recorded(Executor::builder());
    executor.block_on(async { spawn_blocking(|| thread::sleep(ms(5))).await.unwrap() });
    let log = Log::new();
    for event in recording.events() {
        let told = event.to_string();
        match event {
            Event::BlockingStarted { task } => log.push(format!("{task} started")),
            Event::BlockingDone {
                task,
                thread,
                took,
                queued,
            } => {
                assert!(took >= ms(5) && queued < LONG, "{took:?} after {queued:?}");
                let times = format!("run for {took:?} on {thread}, after waiting for {queued:?}");
                assert!(told.ends_with(&times), "{told}");
                log.push(format!("{task} done on {thread}"));
            }
            Event::Completed { task } => log.push(format!("{task} completed")),
            _ => {}
        }
    }
    let expected = [
        "#1 started",
        "#1 done on blocking-0",
        "#1 completed",
        "#0 completed",
    ];
    assert_eq!(log.take(), expected);
}

#[test]
fn a_closure_s_times_are_of_its_wait_and_its_run_and_none_on_the_virtual_clock() {
    let times = |builder: Builder| {
        let (executor, recording) = recorded(builder.blocking_threads(1));
        let start = Instant::now();
        executor.block_on(async {
            let (go, wait) = mpsc::channel();
            let first = spawn_blocking(move || {
                wait.recv().unwrap();
                thread::sleep(ms(40));
            });
            let second = spawn_blocking(|| ());
            go.send(()).unwrap();
            first.await.unwrap();
            second.await.unwrap();
        });
        let all = start.elapsed();
        let events = recording.events().into_iter();
        let times = events.filter_map(|event| match event {
            Event::BlockingDone { queued, took, .. } => Some((queued, took)),
            _ => None,
        });
        (times.collect::<Vec<_>>(), all)
    };
    let (virtual_times, _) = times(Executor::builder().virtual_time());
    assert_eq!(virtual_times, [(ms(0), ms(0)); 2]);
    let (real_times, all) = times(Executor::builder());
    let [(_, first_took), (second_queued, _)] = real_times[..] else {
        panic!("{real_times:?}");
    };
    assert!(
        first_took >= ms(40) && second_queued >= ms(40),
        "{real_times:?}"
    );
    for (queued, took) in real_times {
        assert!(queued + took <= all, "{queued:?} and {took:?} in {all:?}");
    }
}

#[test]
fn thousands_of_closures_all_come_back() {
    let sum: u64 = no_hang(|| {
        block_on(async {
            let executor_side = (0..2000u64).map(|n| spawn_blocking(move || n));
            let results = join_all(executor_side).await;
            results.into_iter().map(Result::unwrap).sum()
        })
    });
    assert_eq!(sum, 2000 * 1999 / 2);
}

/// Keeps a processor busy for so many rounds, which are a few nanoseconds each.
fn spin(rounds: u32) {
    (0..rounds).for_each(|round| _ = black_box(round));
}

/// Each round ends a closure at another moment of what the executor does before it parks.
fn closures_that_end_at_any_moment(act: impl Fn(&Executor, u32)) {
    let executor = Executor::builder().virtual_time().build();
    let start = Instant::now();
    for round in 0.. {
        if start.elapsed() > ms(1_500) {
            break;
        }
        act(&executor, round);
    }
}

#[test]
fn a_closure_that_ends_at_any_moment_is_no_stall() {
    closures_that_end_at_any_moment(|executor, round| {
        let ended = executor.try_block_on(async {
            let closure = spawn_blocking(move || spin(round % 4_000));
            spin(round / 7 % 3_000);
            closure.await.unwrap();
        });
        assert_eq!(ended, Ok(()), "round {round}");
    });
}

#[test]
fn virtual_time_does_not_overtake_a_closure_that_ends_at_any_moment() {
    closures_that_end_at_any_moment(|executor, round| {
        executor.block_on(async {
            let start = now();
            let timer = spawn(sleep(secs(1)));
            let closure = spawn_blocking(move || spin(round % 4_000));
            spin(round / 7 % 3_000);
            closure.await.unwrap();
            assert_eq!(now(), start, "round {round}");
            timer.abort();
        });
        executor.run_until_idle();
    });
}

/// In a process of its own, where a thread would need more memory than there is.
#[test]
fn a_closure_that_no_thread_could_be_started_for_is_not_told_as_run() {
    const STACK: &str = "RUST_MIN_STACK";
    // A variable of its own: whoever runs the tests may have set the other.
    const AGAIN: &str = "WATCHGLASS_TEST_WITHOUT_THREADS";
    if env::var_os(AGAIN).is_none() {
        // Where these tests are a part of a larger program, with the modules that they are in.
        let name = concat!(
            module_path!(),
            "::a_closure_that_no_thread_could_be_started_for_is_not_told_as_run"
        );
        let (_, name) = name.split_once("::").unwrap();
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", name, "--test-threads=1", "--nocapture"]);
        let output = again
            .env(AGAIN, "1")
            .env(STACK, (1_u64 << 62).to_string())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{printed}");
        // The panic hook tells, also where the handle is gone.
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            told.matches("no thread could be started: ").count(),
            2,
            "{told}"
        );
        return;
    }
    let (executor, recording) = recorded(Executor::builder());
    let refused = executor.block_on(async {
        drop(spawn_blocking(|| ()));
        spawn_blocking(|| ()).await.unwrap_err()
    });
    let says = refused.panic_message().unwrap();
    assert!(
        says.starts_with("spawn_blocking: no thread could be started: "),
        "{says}"
    );
    let events = recording.events();
    let of_closure = |event: &&Event| {
        matches!(
            event,
            Event::BlockingStarted { .. } | Event::BlockingDone { .. }
        )
    };
    assert_eq!(events.iter().find(of_closure), None);
}
