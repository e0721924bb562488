//! What belongs to no executor just works: channels of a well-known crate, and another `block_on`.

mod common;

use std::collections::HashSet;

use common::{Log, no_hang, recorded, secs, virtual_executor};
use watchglass::trace::Event;
use watchglass::{
    Executor, block_on, now, sleep, spawn, spawn_blocking, spawn_named, timeout, yield_now,
};

#[test]
fn a_bounded_channel_holds_its_senders_back() {
    let log = Log::new();
    virtual_executor().block_on(async {
        let (send, receive) = async_channel::bounded(2);
        let producer = spawn({
            let log = log.clone();
            async move {
                for n in 0..5 {
                    send.send(n).await.unwrap();
                    log.push(format!("sent {n}"));
                }
            }
        });
        yield_now().await;
        assert_eq!(log.take(), ["sent 0", "sent 1"]);
        let mut received = Vec::new();
        while let Ok(n) = receive.recv().await {
            received.push(n);
            sleep(secs(1)).await;
        }
        assert_eq!(received, [0, 1, 2, 3, 4]);
        producer.await.unwrap();
    });
    assert_eq!(log.take(), ["sent 2", "sent 3", "sent 4"]);
}

#[test]
fn each_message_goes_to_one_of_the_receivers_in_order() {
    let log = Log::new();
    virtual_executor().block_on(async {
        let (send, receive) = async_channel::unbounded::<u32>();
        let receivers = ["a", "b", "c"].map(|name| {
            let (receive, log) = (receive.clone(), log.clone());
            spawn(async move {
                while let Ok(n) = receive.recv().await {
                    log.push((n, name));
                }
            })
        });
        for n in 0..6 {
            yield_now().await;
            send.send(n).await.unwrap();
        }
        drop(send);
        for receiver in receivers {
            receiver.await.unwrap();
        }
    });
    let (messages, receivers): (Vec<u32>, HashSet<_>) = log.take().into_iter().unzip();
    assert_eq!(messages, [0, 1, 2, 3, 4, 5]);
    assert_eq!(receivers.len(), 3, "and each receiver has some");
}

#[test]
fn a_closed_channel_wakes_who_waits_for_it() {
    virtual_executor().block_on(async {
        let (send, receive) = async_channel::bounded::<()>(1);
        let waiting = spawn(async move { receive.recv().await });
        yield_now().await;
        drop(send);
        waiting.await.unwrap().unwrap_err();
    });
}

#[test]
fn a_timeout_cuts_a_receive_short_and_loses_nothing() {
    virtual_executor().block_on(async {
        let (send, receive) = async_channel::bounded(1);
        let start = now();
        timeout(secs(3), receive.recv()).await.unwrap_err();
        assert_eq!(now() - start, secs(3));
        send.send(5).await.unwrap();
        assert_eq!(receive.recv().await, Ok(5));
    });
}

#[test]
fn the_story_says_who_waits_for_what_is_not_the_executor_s() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    executor.block_on(async {
        let (send, receive) = async_channel::bounded(1);
        let waits = spawn_named("room", async move { receive.recv().await.unwrap() });
        sleep(secs(1)).await;
        send.send(5).await.unwrap();
        waits.await.unwrap();
    });
    let story = recording.story();
    let room = "room returns Pending: the thread is free; it waits for a future that is not watchglass's\n";
    assert!(story.contains(room), "{story}");
    assert_eq!(story.matches("it waits for").count(), 1, "{story}");
}

#[test]
fn a_thread_without_an_executor_may_send_and_receive() {
    let sum = no_hang(|| {
        block_on(async {
            let (send, receive) = async_channel::bounded(10);
            let producers: Vec<_> = (0..4)
                .map(|_| {
                    let send = send.clone();
                    spawn_blocking(move || (0..1000).for_each(|n| send.send_blocking(n).unwrap()))
                })
                .collect();
            drop(send);
            let mut sum = 0;
            while let Ok(n) = receive.recv().await {
                sum += n;
            }
            for producer in producers {
                producer.await.unwrap();
            }
            sum
        })
    });
    assert_eq!(sum, 4 * 1000 * 999 / 2);
}

#[test]
fn a_task_that_waits_for_a_channel_is_told_with_its_held_waker() {
    let (executor, recording) = recorded(Executor::builder().virtual_time());
    let (send, receive) = async_channel::bounded::<()>(1);
    let task = executor.spawn(async move { receive.recv().await });
    executor.step();
    let held = recording
        .events()
        .into_iter()
        .find_map(|event| match event {
            Event::PollEnded { wakers, .. } => wakers,
            _ => None,
        });
    assert_eq!(held, Some(1));
    let events = recording.events();
    assert!(
        !events
            .iter()
            .any(|event| matches!(event, Event::ForgottenWaker { .. }))
    );
    drop(send);
    executor.run_until_idle();
    assert!(task.is_finished());
}
