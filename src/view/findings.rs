//! What is wrong with a run, if anything: the diagnosis that every view shows.

use std::collections::HashMap;

use super::names::{Names, Seconds};
use super::narrator::Narrator;
use crate::task::TaskId;
use crate::trace::{Cause, Effect, Event, Record};

/// More than this are not listed one by one: they stand in the story at their place.
const LISTED: usize = 100;

pub(crate) struct Finding {
    /// Where it is among the records.
    pub(crate) step: usize,
    /// With its time.
    pub(crate) says: String,
}

/// The findings in the order in which they were made.
pub(crate) fn of(records: &[Record], names: &Names) -> Vec<Finding> {
    let mut narrator = Narrator::new(names);
    let mut found: Vec<Finding> = Vec::new();
    // The last of each task's findings that it spins: where it goes on to, the newer one takes its place.
    let mut spins: HashMap<TaskId, (u32, usize)> = HashMap::new();
    for (step, record) in records.iter().enumerate() {
        if found.len() == LISTED {
            break;
        }
        if is_finding(&record.event) {
            let says = narrator.tell(record);
            let says = format!("{}  {says}", Seconds(record.time));
            if let Event::Spinning { task, polls } = record.event
                && let Some((before, at)) = spins.insert(task, (polls, step))
                && before < polls
            {
                found.retain(|finding| finding.step != at);
            }
            found.push(Finding { step, says });
        } else {
            narrator.follow(record);
        }
    }
    found
}

pub(crate) fn is_finding(event: &Event) -> bool {
    matches!(
        event,
        Event::ForgottenWaker { .. }
            | Event::LongPoll(_)
            | Event::Spinning { .. }
            | Event::Stalled { .. }
            | Event::Panicked { .. }
    )
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
    let found = of(records, names);
    let lines = found.iter().map(|finding| format!("{}\n", finding.says));
    match found.is_empty() {
        true => String::new(),
        false => format!("\nfound:\n{}", lines.collect::<String>()),
    }
}
