//! The picture in words, for whoever has it read to them.

use std::fmt::Write;

use super::findings::Finding;
use super::lanes::Lanes;
use super::sums::count;

/// So many polls of a lane are told with their times.
const POLLS: usize = 5;

/// A sentence a lane, and what was found.
pub(crate) fn described(lanes: &Lanes, found: &[Finding]) -> String {
    let tasks = count(lanes.lanes.len() + lanes.undrawn, "task");
    let mut words = format!("{tasks} in {}.", lanes.duration);
    for lane in &lanes.lanes {
        let all = || lane.polls.iter().filter(|poll| !poll.is_drop());
        let polls = all().take(POLLS);
        let polls: Vec<String> = polls.map(|poll| format!("at {}", poll.time)).collect();
        let more = all().count() - polls.len();
        let _ = match polls.is_empty() {
            true => write!(words, " {} is never polled", lane.label),
            false => write!(words, " {} is polled {}", lane.label, polls.join(", ")),
        };
        if more > 0 {
            let _ = write!(words, " and {} more", count(more, "time"));
        }
        match lane.end {
            Some((_, stage)) => {
                let _ = write!(words, ", and then: {stage}.");
            }
            None => words.push('.'),
        }
    }
    if let Some(undrawn) = more_tasks(lanes) {
        let _ = write!(words, " {undrawn}.");
    }
    for finding in found {
        let _ = write!(words, " Found: {}.", finding.says);
    }
    words
}

/// The tasks that have no lane, in words.
pub(crate) fn more_tasks(lanes: &Lanes) -> Option<String> {
    let more = format!("and {}", count(lanes.undrawn, "more task"));
    match (lanes.undrawn, lanes.undrawn_unfinished) {
        (0, _) => None,
        (_, 0) => Some(more),
        (_, unfinished) => Some(format!("{more}, {unfinished} of them unfinished")),
    }
}
