//! A poll from which nobody has come back where the log is closed: what the log tells of it.
//!
//! A poll that ends is looked at by the executor (`diagnosis.rs`), which knows more. Here is told as much of that as
//! follows from the records, for the executor's thread is in the poll.

use std::panic::Location;
use std::time::Duration;

use crate::diagnosis::DELAYED_PART;
use crate::task::TaskId;
use crate::trace::{Cause, Effect, Event, LongPoll, Record, State, Wait, WaitsOn, first_named};

/// The poll of this task that goes on `now`, on the executor's clock, and `took` so long by then. It is the last that
/// has begun.
pub(crate) fn unended_poll(
    records: &[Record],
    task: TaskId,
    took: Duration,
    now: Duration,
) -> LongPoll {
    let begins = |record: &Record| match record.event {
        Event::PollStarted { task: polled, .. } => polled == task,
        Event::Dropping { task: dropped } => dropped == task,
        _ => false,
    };
    let begun = records.iter().rposition(begins).unwrap_or(0);
    let (before, poll) = records.split_at(begun);
    let mut state = State::after(before);
    let first = poll.first().map(|record| &record.event);
    let why = match first {
        Some(Event::PollStarted { why, .. }) if *why != Cause::Aborted => Some(*why),
        _ => None,
    };
    let mut after = why.and_then(|why| went_on_at(&state, before, task, why));
    let waited = waits(&state, task).to_vec();
    let (mut last, mut since_last) = (None, took);
    // On the virtual clock no time goes by in a poll.
    let has_moved = poll.first().is_some_and(|begun| begun.time < now);
    for record in poll {
        state.fold(record);
        if let Event::Waits { on, at, .. } = record.event {
            let wait = Wait { on, at };
            if !waited.contains(&wait) {
                after = None;
            }
            last = Some(wait);
            if has_moved {
                since_last = now.saturating_sub(record.time);
            }
        }
    }
    // If it waits there still, what runs is another branch of a `join`, say.
    if let Some(wait) = last.filter(|wait| !waits(&state, task).contains(wait)) {
        after = after.or(Some(wait.at));
    }
    let (mut delayed, timers, late) = match first {
        // With its executor: nobody has a turn any more.
        Some(Event::Dropping { .. }) => Default::default(),
        _ => delayed(&state, records, begun, took, now),
    };
    delayed.retain(|other| *other != task);
    let (delayed, more_delayed) = first_named(delayed);
    LongPoll {
        task,
        took,
        goes_on: true,
        is_drop: why.is_none(),
        after,
        until: None,
        between: since_last.min(took),
        delayed,
        more_delayed,
        timers,
        late,
    }
}

fn waits(state: &State, task: TaskId) -> &[Wait] {
    state.task(task).map_or(&[], |task| &task.waits)
}

/// Where the task had waited for what was over when this poll began, if that was at one place, and it was woken for
/// nothing else.
fn went_on_at(
    state: &State,
    before: &[Record],
    task: TaskId,
    why: Cause,
) -> Option<&'static Location<'static>> {
    let wakes = before.iter().rev().filter_map(|record| match record.event {
        Event::Woken {
            task: woken,
            by,
            effect,
        } if woken == task => Some((by, effect)),
        _ => None,
    });
    let mut while_queued = wakes.take_while(|(_, effect)| *effect != Effect::Queued);
    if while_queued.any(|(by, _)| by != why) {
        return None;
    }
    let waits = waits(state, task);
    if waits
        .iter()
        .any(|wait| matches!(wait.on, WaitsOn::Children(_)))
    {
        return None;
    }
    let is_over = |wait: &&Wait| match wait.on {
        WaitsOn::Timer(timer) => state.timer(timer).is_none(),
        WaitsOn::Task(awaited) => state.task(awaited).is_some_and(|task| task.stage.is_end()),
        WaitsOn::AnyTask => matches!(why, Cause::Joined(_)),
        WaitsOn::Turn => why == Cause::Itself,
        _ => false,
    };
    let mut places = waits.iter().filter(is_over).map(|wait| wait.at);
    let first = places.next()?;
    places.all(|other| other == first).then_some(first)
}

/// Who has been ready for a noticeable part of the poll, or whose timer is due, how many timers are due, and how long
/// the first of them has waited in it.
fn delayed(
    state: &State,
    records: &[Record],
    begun: usize,
    took: Duration,
    now: Duration,
) -> (Vec<TaskId>, usize, Duration) {
    let is_long = |since: Duration| now.saturating_sub(since) >= took / DELAYED_PART;
    let queued = state.ready().filter(|ready| {
        let woken = records.get(ready.woken_by as usize);
        // On the virtual clock all times are the same.
        ready.woken_by < begun as u64 || woken.is_some_and(|woken| is_long(woken.time))
    });
    let mut delayed: Vec<TaskId> = queued.map(|ready| ready.task).collect();
    let due = || state.timers().filter(|timer| timer.deadline <= now);
    let late = due().filter(|timer| is_long(timer.deadline));
    delayed.extend(late.filter_map(|timer| timer.task));
    let began = now.saturating_sub(took);
    let waited = due().map(|timer| now.saturating_sub(timer.deadline.max(began)));
    (delayed, due().count(), waited.max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::pin::Pin;
    use std::task::Poll;
    use std::thread;

    use super::*;
    use crate::trace::Recording;
    use crate::{Executor, join, race, sleep, spawn, spawn_named, timeout, yield_now};

    const BLOCKS: Duration = Duration::from_millis(30);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The long poll of this future, as the executor tells it, and as it looks in its midst.
    fn both(future: Pin<Box<dyn Future<Output = ()>>>) -> [LongPoll; 2] {
        let recording = Recording::new();
        let builder = Executor::builder().virtual_time().long_poll(BLOCKS);
        let executor = builder.observer(recording.clone()).build();
        executor.block_on(async {
            let task = spawn(future);
            // Due with it, and behind it in the queue.
            let _other = spawn_named("other", async {
                loop {
                    sleep(ms(1)).await;
                }
            });
            task.await.unwrap();
        });
        drop(executor);
        let mut records = recording.take();
        let long = records.iter().find_map(|record| match &record.event {
            Event::LongPoll(long) => Some((**long).clone()),
            _ => None,
        });
        let long = long.unwrap();
        let ends = |record: &Record| match record.event {
            Event::PollEnded { task, .. } | Event::Cancelled { task } => task == long.task,
            _ => false,
        };
        let told = records
            .iter()
            .position(|record| matches!(record.event, Event::LongPoll(_)));
        let end = records[..told.unwrap()].iter().rposition(ends).unwrap();
        records.truncate(end);
        let now = records.last().unwrap().time;
        let seen = unended_poll(&records, long.task, long.took, now);
        [long, seen]
    }

    #[test]
    fn a_poll_in_its_midst_is_told_as_the_executor_tells_it_at_its_end() {
        let blocks = || thread::sleep(BLOCKS);
        struct Slow;
        impl Drop for Slow {
            fn drop(&mut self) {
                thread::sleep(BLOCKS);
            }
        }
        let holds = || async {
            let _slow = Slow;
            pending::<()>().await;
        };
        let futures: [Pin<Box<dyn Future<Output = ()>>>; 11] = [
            Box::pin(async move { blocks() }),
            Box::pin(async move {
                sleep(ms(1)).await;
                blocks();
            }),
            Box::pin(async move {
                yield_now().await;
                blocks();
            }),
            Box::pin(async move {
                spawn(async {}).await.unwrap();
                blocks();
            }),
            Box::pin(async move {
                timeout(ms(1), pending::<()>()).await.unwrap_err();
                blocks();
            }),
            // It is given up in the poll in which it has come to wait.
            Box::pin(async move {
                race(yield_now(), async {}).await;
                blocks();
            }),
            // Which of both ran nobody knows.
            Box::pin(async move {
                let other = sleep(ms(1));
                join(other, async move {
                    sleep(ms(1)).await;
                    blocks()
                })
                .await;
            }),
            Box::pin(async move {
                let slow = async move {
                    sleep(ms(1)).await;
                    blocks();
                };
                join(sleep(ms(9)), slow).await;
            }),
            Box::pin(async move {
                let aborted = spawn(holds());
                yield_now().await;
                aborted.abort();
                aborted.await.unwrap_err();
            }),
            Box::pin(async move {
                drop(spawn(holds()));
                yield_now().await;
            }),
            // Not the branch that has gone on, for that waits again.
            Box::pin(async move {
                let goes_on = async {
                    sleep(ms(1)).await;
                    sleep(ms(1)).await;
                };
                let mut polls = 0;
                let blocks_later = poll_fn(|_| {
                    polls += 1;
                    if polls == 2 {
                        thread::sleep(BLOCKS);
                    }
                    match polls {
                        3 => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                });
                join(goes_on, blocks_later).await;
            }),
        ];
        for (future, which) in futures.into_iter().zip(0..) {
            let [told, mut seen] = both(future);
            assert!(seen.goes_on && !told.goes_on);
            assert_eq!(seen.between, seen.took, "virtual time stands still");
            assert_eq!(
                seen.delayed.len(),
                told.delayed.len(),
                "{which}: {seen} / {told}"
            );
            (seen.goes_on, seen.between) = (false, told.between);
            assert_eq!(seen, told, "{which}");
        }
    }
}
