//! Real threads wake, clone and drop wakers while the executor runs, parks, finishes and is dropped.

mod common;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{
    Log, OnDrop, leaves_its_waker, ms, no_hang, recorded, recorded_and, secs, wake_remotely,
};
use watchglass::trace::{Cause, Event, Record, UnparkCause};
use watchglass::{
    Builder, Executor, JoinHandle, block_on, join_all, sleep, spawn, timeout, yield_now,
};

/// One thread's way to one task: the task has seen as many wakes as there were, or it will be polled.
#[derive(Default)]
struct Line {
    woken: AtomicUsize,
    seen: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Line {
    /// The task: it sees what was sent, and is done at the last.
    async fn follow(self: Arc<Self>, last: usize) {
        poll_fn(|cx| {
            let mut waker = self.waker.lock().unwrap();
            if !waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                *waker = Some(cx.waker().clone());
            }
            drop(waker);
            let woken = self.woken.load(Ordering::Acquire);
            self.seen.store(woken, Ordering::Release);
            match woken == last {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn wake(&self) {
        let waker = loop {
            match &*self.waker.lock().unwrap() {
                Some(waker) => break waker.clone(),
                None => thread::yield_now(),
            }
        };
        self.woken.fetch_add(1, Ordering::Release);
        waker.wake();
    }

    fn wait_until_seen(&self) {
        while self.seen.load(Ordering::Acquire) != self.woken.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }
}

/// Wakes tasks from threads, each of them again only after it has seen the wake before: so none of
/// these wakes may be lost, whatever the others do.
fn wake_and_wait(builder: Builder, threads: usize, tasks_a_thread: usize, rounds: usize) {
    let executor = builder.build();
    let all: Vec<Vec<Arc<Line>>> = (0..threads)
        .map(|_| (0..tasks_a_thread).map(|_| Arc::default()).collect())
        .collect();
    let waking: Vec<_> = all
        .iter()
        .cloned()
        .map(|lines| {
            thread::spawn(move || {
                for _ in 0..rounds {
                    lines.iter().for_each(|line| line.wake());
                    lines.iter().for_each(|line| line.wait_until_seen());
                }
            })
        })
        .collect();
    let following = all.into_iter().flatten().map(|line| line.follow(rounds));
    executor.block_on(async {
        for task in following.map(spawn).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    for thread in waking {
        thread.join().unwrap();
    }
}

#[test]
fn no_wake_is_lost_in_a_million() {
    no_hang(|| wake_and_wait(Executor::builder(), 4, 250, 1000));
}

#[test]
fn no_wake_is_lost_when_every_one_meets_a_parked_executor() {
    // One that is observed never spins before it parks.
    let observed = || Executor::builder().observer(|_: &Record| {});
    no_hang(move || wake_and_wait(observed(), 1, 1, 5000));
}

#[test]
fn no_wake_is_lost_when_every_one_meets_an_executor_that_spins_or_parks() {
    no_hang(|| wake_and_wait(Executor::builder(), 1, 1, 5000));
}

#[test]
fn no_wake_is_lost_in_virtual_time_with_threads() {
    let builder = || Executor::builder().virtual_time().closed_world(false);
    no_hang(move || wake_and_wait(builder(), 2, 5, 2000));
}

#[test]
fn no_wake_is_lost_between_the_deadlines_of_timers() {
    no_hang(|| {
        let line = Arc::new(Line::default());
        let waking = thread::spawn({
            let line = line.clone();
            move || {
                for _ in 0..1000 {
                    line.wake();
                    line.wait_until_seen();
                }
            }
        });
        block_on(async {
            let ticking = spawn(async {
                loop {
                    sleep(Duration::from_micros(30)).await;
                }
            });
            line.follow(1000).await;
            ticking.abort();
        });
        waking.join().unwrap();
    });
}

#[test]
fn join_all_loses_no_wake_of_its_children() {
    no_hang(|| {
        let lines: Vec<Arc<Line>> = (0..20).map(|_| Arc::default()).collect();
        let waking: Vec<_> = lines
            .chunks(10)
            .map(<[_]>::to_vec)
            .map(|lines| {
                thread::spawn(move || {
                    for _ in 0..1000 {
                        lines.iter().for_each(|line| line.wake());
                        lines.iter().for_each(|line| line.wait_until_seen());
                    }
                })
            })
            .collect();
        block_on(join_all(lines.into_iter().map(|line| line.follow(1000))));
        for thread in waking {
            thread.join().unwrap();
        }
    });
}

#[test]
fn wakers_may_be_cloned_woken_and_dropped_at_any_time_of_an_executor_s_life() {
    no_hang(|| {
        for round in 0..200 {
            let over = Arc::new(AtomicBool::new(false));
            let (send, receive) = std::sync::mpsc::channel::<Waker>();
            let receive = Arc::new(Mutex::new(receive));
            let threads: Vec<_> = (0..3)
                .map(|n| {
                    let (over, receive) = (over.clone(), receive.clone());
                    thread::spawn(move || {
                        let mut kept = Vec::new();
                        while let Ok(waker) = receive.lock().unwrap().recv() {
                            waker.wake_by_ref();
                            kept.push(waker.clone());
                            match (n + kept.len()) % 3 {
                                0 => waker.wake(),
                                1 => drop(waker),
                                _ => kept.push(waker),
                            }
                        }
                        // The executor is gone now, or about to be.
                        while !over.load(Ordering::Relaxed) {
                            kept.iter().for_each(Waker::wake_by_ref);
                            thread::yield_now();
                        }
                        kept.drain(..).for_each(Waker::wake);
                    })
                })
                .collect();
            let dropped = Log::new();
            let executor = Executor::new();
            for _ in 0..20 {
                let (send, dropped) = (send.clone(), dropped.clone());
                let guard = OnDrop(move || dropped.push(thread::current().id()));
                drop(executor.spawn(async move {
                    let _guard = guard;
                    poll_fn::<(), _>(|cx| {
                        // The threads may have ended by now.
                        let _ = send.send(cx.waker().clone());
                        Poll::Pending
                    })
                    .await;
                }));
            }
            drop(send);
            executor.block_on(async {
                let busy = async {
                    loop {
                        yield_now().await;
                    }
                };
                let _ = timeout(Duration::from_micros(round * 10), busy).await;
                sleep(Duration::from_micros(round)).await;
            });
            drop(executor);
            assert_eq!(dropped.take(), vec![thread::current().id(); 20]);
            over.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().unwrap();
            }
        }
    });
}

#[test]
fn every_thread_may_have_an_executor_and_they_may_talk() {
    no_hang(|| {
        let (send, receive) = async_channel::bounded(1);
        let (reply, replies) = async_channel::bounded(1);
        let echo = thread::spawn(move || {
            block_on(async {
                while let Ok(n) = receive.recv().await {
                    reply.send(n).await.unwrap();
                }
            });
        });
        block_on(async {
            for n in 0..5000 {
                send.send(n).await.unwrap();
                assert_eq!(replies.recv().await, Ok(n));
            }
            drop(send);
        });
        echo.join().unwrap();
    });
}

#[test]
fn a_thread_may_use_a_waker_while_it_ends() {
    no_hang(|| {
        type WakesAtItsEnd = OnDrop<Box<dyn FnMut()>>;
        thread_local!(static KEPT: Cell<Option<WakesAtItsEnd>> = const { Cell::new(None) });
        let polls = block_on(timeout(secs(30), async {
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                if polls == 2 {
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                thread::spawn(move || {
                    // An executor was here before, so its thread-locals are there to be destroyed.
                    block_on(async {});
                    KEPT.set(Some(OnDrop(Box::new(move || waker.wake_by_ref()))));
                });
                Poll::Pending
            })
            .await;
            polls
        }));
        assert_eq!(polls, Ok(2));
    });
}

#[test]
fn what_has_arrived_is_taken_in_together_before_anybody_is_polled() {
    let (executor, recording) = recorded(Executor::builder());
    let places: [_; 3] = Default::default();
    let tasks = places.each_ref().map(|place: &Rc<RefCell<Option<Waker>>>| {
        let place = place.clone();
        executor.spawn(async move { leaves_its_waker(&place).await })
    });
    executor.run_until_idle();
    recording.take();
    for place in &places {
        wake_remotely(&place.take().unwrap());
    }
    executor.run_until_idle();
    let events = recording.events();
    let is_woken = |event: &Event| matches!(event, Event::Woken { .. });
    let woken = events.iter().take_while(|event| is_woken(event)).count();
    assert_eq!(woken, 3, "{events:?}");
    assert!(tasks.iter().all(JoinHandle::is_finished));
}

#[test]
fn a_park_that_another_thread_ends_is_told_as_that() {
    no_hang(|| {
        // On a machine that stands still at the wrong time the executor need not park at all.
        let parked = (0..100).any(|_| {
            let (executor, recording) = recorded(Executor::builder());
            let (send, receive) = async_channel::bounded(1);
            let sender = thread::spawn(move || {
                thread::sleep(ms(20));
                send.send_blocking(()).unwrap();
            });
            executor.block_on(receive.recv()).unwrap();
            sender.join().unwrap();
            let mut unparked = recording
                .events()
                .into_iter()
                .filter_map(|event| match event {
                    Event::Unparked { by } => Some(by),
                    _ => None,
                });
            unparked.next_back().is_some_and(|by| {
                assert_eq!(by, UnparkCause::OtherThread);
                true
            })
        });
        assert!(parked);
    });
}

#[test]
fn a_wake_that_comes_just_before_the_park_is_told_behind_its_end() {
    let lent = Log::new();
    let (executor, recording) = recorded_and(Executor::builder(), {
        let lent = lent.clone();
        move |record: &Record| {
            if let Event::Parked { .. } = record.event {
                lent.take().iter().for_each(wake_remotely);
            }
        }
    });
    let mut polls = 0;
    executor.block_on(poll_fn(|cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        lent.push(cx.waker().clone());
        Poll::Pending
    }));
    let events = recording.events();
    let by = UnparkCause::OtherThread;
    let unparked = events
        .iter()
        .position(|event| *event == Event::Unparked { by });
    let is_wake = |event: &Event| {
        matches!(
            event,
            Event::Woken {
                by: Cause::OtherThread,
                ..
            }
        )
    };
    let woken = events.iter().position(is_wake);
    assert!(unparked.is_some() && unparked < woken, "{events:?}");
}
