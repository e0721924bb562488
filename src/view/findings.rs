//! What is wrong with a run, if anything: the diagnosis that every view of a whole run shows.

use std::collections::{HashMap, HashSet};

use super::names::Names;
use super::narrator::Narrator;
use crate::task::TaskId;
use crate::trace::{Cause, Effect, Event, Record};

/// So many are listed in a text and in the player.
pub(crate) const LISTED: usize = 100;

pub(crate) struct Finding {
    /// Where it is among the records.
    pub(crate) step: usize,
    /// With its time.
    pub(crate) says: String,
}

/// At most so many of all findings. Of more, the one that ends the log is kept before those that end a task, and these
/// before all others; and a last one says how many there are besides.
pub(crate) fn listed(mut found: Vec<Finding>, records: &[Record], at_most: usize) -> Vec<Finding> {
    let Some(more) = found.len().checked_sub(at_most).filter(|&more| more > 0) else {
        return found;
    };
    let rank = |finding: &Finding| match records[finding.step].event {
        Event::Stalled { .. } | Event::LogFull { .. } | Event::LogEnded => 0,
        Event::Panicked { .. } => 1,
        _ => 2,
    };
    found.sort_by_key(|finding| (rank(finding), finding.step));
    let left_out = found.split_off(at_most);
    found.sort_by_key(|finding| finding.step);
    let first = left_out.iter().map(|finding| finding.step).min();
    found.push(Finding {
        step: first.expect("there are more"),
        says: format!("and {more} more, each told in the story at its place"),
    });
    found
}

/// The findings in the order in which they were made.
pub(crate) fn all(records: &[Record], names: &Names) -> Vec<Finding> {
    let mut narrator = Narrator::new(names);
    let mut found: Vec<Finding> = Vec::new();
    // The last of each task's findings that it spins. Where it goes on to, the newer one stands for all.
    let mut spins: HashMap<TaskId, (u32, usize)> = HashMap::new();
    let mut older: HashSet<usize> = HashSet::new();
    for (step, record) in records.iter().enumerate() {
        if step > 0 && record.seq < records[step - 1].seq {
            let time = names.time(record.time);
            let says = format!(
                "{time}  the events of another executor begin here, and names and sums are wrong: give each executor a \
                 recording of its own"
            );
            found.push(Finding { step, says });
        }
        if is_finding(&record.event, &narrator) {
            let says = narrator.tell(record);
            let says = format!("{}  {says}", names.time(record.time));
            if let Event::Spinning { task, polls } = record.event
                && let Some((before, at)) = spins.insert(task, (polls, step))
                && before < polls
            {
                older.insert(at);
            }
            found.push(Finding { step, says });
        } else {
            narrator.follow(record);
        }
    }
    found.retain(|finding| !older.contains(&finding.step));
    found
}

/// Asked before the narrator is told of the event: a task that is dropped may never have been polled.
pub(crate) fn is_finding(event: &Event, before: &Narrator) -> bool {
    match *event {
        Event::ForgottenWaker { .. }
        | Event::Deadlock { .. }
        | Event::LongPoll(_)
        | Event::Spinning { .. }
        | Event::Stalled { .. }
        | Event::Panicked { .. }
        | Event::LogFull { .. }
        | Event::LogEnded => true,
        Event::Dropping { task } => before.is_new(task),
        _ => false,
    }
}

/// The task that an event is about.
pub(crate) fn task_of(event: &Event) -> Option<TaskId> {
    match event {
        Event::Spawned { task, .. }
        | Event::Woken { task, .. }
        | Event::PollStarted { task, .. }
        | Event::PollEnded { task, .. }
        | Event::PassedOver { task }
        | Event::GaveUp { task, .. }
        | Event::Detached { task }
        | Event::Completed { task }
        | Event::Dropping { task }
        | Event::Cancelled { task }
        | Event::Panicked { task, .. }
        | Event::BlockingStarted { task }
        | Event::BlockingDone { task, .. }
        | Event::ForgottenWaker { task }
        | Event::Spinning { task, .. } => Some(*task),
        Event::Waits { task, .. }
        | Event::TimerArmed { task, .. }
        | Event::TimerHandedOver { task, .. }
        | Event::Printed { task, .. } => *task,
        Event::LongPoll(poll) => Some(poll.task),
        _ => None,
    }
}

/// True for a wake that did nothing: its task was in the ready queue already, or had ended. Not a
/// finding, for a program may have many of them and be right; but every view shows them. An abort of
/// a task in the queue is none: the task is dropped when its turn comes.
pub(crate) fn is_useless_wake(event: &Event) -> bool {
    match *event {
        Event::Woken { by, effect, .. } => {
            effect == Effect::Finished || effect == Effect::AlreadyQueued && by != Cause::Aborted
        }
        _ => false,
    }
}

/// The findings as lines of text, or nothing at all.
pub(crate) fn text(records: &[Record], names: &Names) -> String {
    let found = listed(all(records, names), records, LISTED);
    let lines = found.iter().map(|finding| format!("{}\n", finding.says));
    match found.is_empty() {
        true => String::new(),
        false => format!("\nfound:\n{}", lines.collect::<String>()),
    }
}
