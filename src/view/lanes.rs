//! What a timeline is made of, in plain numbers, for the text and for the picture: a lane a task, with its polls
//! and what it waits for in between.
//!
//! Positions go from 0, at the left, to 1 (see `axis.rs`). How the lanes come of records: `drawing.rs`.

use std::mem;

use super::names::{columns_of, names_that_fit};
use crate::task::TaskId;
use crate::trace::{Cause, Seconds, Stage};

/// More lanes than this are not drawn: they would be too many to look at.
const LANES: usize = 200;

pub(crate) struct Lanes {
    pub(crate) lanes: Vec<Lane>,
    /// How many lanes were left out.
    pub(crate) undrawn: usize,
    /// And how many of these are of tasks that did not come to their end.
    pub(crate) undrawn_unfinished: usize,
    pub(crate) arrows: Vec<Arrow>,
    /// Where the thread is parked, or virtual time jumps.
    pub(crate) idle: Vec<(f64, f64)>,
    /// Where it was found that nothing can happen any more.
    pub(crate) verdicts: Vec<f64>,
    /// Where each record lies.
    pub(crate) positions: Vec<f64>,
    /// Times to write at the edge.
    pub(crate) ticks: Vec<(f64, String)>,
    pub(crate) duration: Seconds,
    /// True if what the polls have of the width is more than the eye would miss.
    pub(crate) is_stretched: bool,
}

pub(crate) struct Lane {
    pub(crate) task: TaskId,
    pub(crate) label: String,
    pub(crate) spawned: f64,
    pub(crate) polls: Vec<Poll>,
    pub(crate) waits: Vec<Bar>,
    /// If the task ever waits for several timers at once: a bar for each timer, in as few rows as
    /// they need; and below eight such rows one bar for all others.
    pub(crate) timers: Vec<Vec<Bar>>,
    /// The wakes of it that did nothing, in words.
    pub(crate) useless_wakes: Vec<(f64, String)>,
    /// Where and how the task ended, if it did.
    pub(crate) end: Option<(f64, Stage)>,
    /// True if the findings name the task.
    pub(crate) is_found: bool,
}

impl Lanes {
    /// Leaves out all lanes but 200, and the arrows that lead there: the first stay, and before these those that
    /// something is found of.
    pub(crate) fn cut(&mut self) {
        self.undrawn += self.lanes.len().saturating_sub(LANES);
        let mut kept: Vec<usize> = (0..self.lanes.len()).collect();
        kept.sort_by_key(|&at| !self.lanes[at].is_found);
        kept.truncate(LANES);
        kept.sort_unstable();
        let is_kept = |at: usize| kept.binary_search(&at).is_ok();
        for (at, lane) in mem::take(&mut self.lanes).into_iter().enumerate() {
            match is_kept(at) {
                true => self.lanes.push(lane),
                false => self.undrawn_unfinished += usize::from(lane.is_unfinished()),
            }
        }
        self.arrows.retain_mut(|arrow| {
            let [from, until] =
                [arrow.from_lane, arrow.until_lane].map(|at| kept.binary_search(&at));
            if let (Ok(from), Ok(until)) = (from, until) {
                (arrow.from_lane, arrow.until_lane) = (from, until);
            }
            from.is_ok() && until.is_ok()
        });
    }

    /// The lanes' labels, in so few columns.
    pub(crate) fn names(&self, columns: usize) -> Vec<String> {
        let labels = self.lanes.iter().map(|lane| (lane.task, &lane.label[..]));
        names_that_fit(labels, columns)
    }
}

impl Lane {
    pub(crate) fn bars(&self) -> impl Iterator<Item = &Bar> {
        self.waits.iter().chain(self.timers.iter().flatten())
    }

    fn is_unfinished(&self) -> bool {
        !matches!(self.end, Some((_, Stage::Done)))
    }

    /// True if its future was dropped before it was done.
    pub(crate) fn ends_badly(&self) -> bool {
        matches!(self.end, Some((_, Stage::Cancelled | Stage::Panicked)))
    }
}

pub(crate) struct Poll {
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) time: Seconds,
    /// `None` if it was not polled but dropped, and not in its turn.
    pub(super) why: Option<Cause>,
    /// In words.
    pub(crate) told: String,
    /// A [`LongPoll`](crate::trace::Event::LongPoll).
    pub(crate) long: bool,
}

/// What the letter of a poll says of its cause.
const LETTERS: [(char, &str); 6] = [
    ('n', "new"),
    ('t', "its timer fired"),
    ('w', "a task woke it"),
    ('j', "a task it awaits ended"),
    ('s', "it woke itself"),
    ('o', "woken from outside"),
];

/// The same for a future that was dropped, and not polled.
const LETTERS_OF_DROPS: [(char, &str); 2] = [('a', "aborted"), ('d', "never done")];

/// How the explanation of the letters begins, and those that are there: of polls, and of drops.
pub(super) fn letters(is_there: impl Fn(char) -> bool) -> [(&'static str, Vec<String>); 2] {
    let told = |letters: &[(char, &str)]| {
        let there = letters.iter().filter(|&&(letter, _)| is_there(letter));
        there
            .map(|(letter, why)| format!("{letter} {why}"))
            .collect()
    };
    [
        ("polled because: ", told(&LETTERS)),
        ("dropped because: ", told(&LETTERS_OF_DROPS)),
    ]
}

impl Poll {
    /// One of [`LETTERS`] or [`LETTERS_OF_DROPS`].
    pub(crate) fn letter(&self) -> char {
        match self.why {
            Some(Cause::Spawned) => 'n',
            Some(Cause::Timer(_)) => 't',
            Some(Cause::Task(_)) => 'w',
            Some(Cause::Joined(_)) => 'j',
            Some(Cause::Itself) => 's',
            Some(Cause::OtherThread | Cause::NotRunning | Cause::Outside) => 'o',
            Some(Cause::Aborted) => 'a',
            None => 'd',
        }
    }

    /// True if the future was dropped, and not polled.
    pub(crate) fn is_drop(&self) -> bool {
        matches!(self.why, Some(Cause::Aborted) | None)
    }
}

/// How the label begins of a wait for a lock, a channel or another crate's combinator.
const OUTSIDE: &str = "a future that is not watchglass's";
/// How it ends of a sleep during which somebody else may wake the task, too.
pub(crate) const OR_OUTSIDE: &str = " or foreign";

/// Something that goes on while the task is not polled.
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) until: f64,
    pub(crate) kind: Waiting,
    pub(crate) label: String,
}

impl Bar {
    /// True for what the executor knows nothing of.
    pub(crate) fn is_outside(&self) -> bool {
        self.label.starts_with(OUTSIDE) || self.label.ends_with(OR_OUTSIDE)
    }

    /// Its label, or a shorter one, that has no more letters than this: of a sleep the time is what matters.
    pub(crate) fn label_of(&self, letters: usize) -> Option<String> {
        let mut labels = vec![self.label.clone()];
        if let Some(time) = self.label.strip_prefix("sleep until ") {
            labels.extend([format!("until {time}"), format!("to {time}")]);
        }
        if let Some(time) = self.label.strip_prefix("tick at ") {
            labels.extend([format!("to {time}"), "tick".to_owned()]);
        }
        if let Some(time) = self.label.strip_prefix("time limit at ") {
            labels.extend([format!("limit {time}"), "limit".to_owned()]);
        }
        if let Some(time) = self.label.strip_prefix("overdue since ") {
            labels.extend([format!("since {time}"), "overdue".to_owned()]);
        }
        if let Some(rest) = self.label.strip_prefix(OUTSIDE) {
            labels.extend([format!("foreign{rest}"), "foreign".to_owned()]);
        } else if let Some((what, _)) = self.label.split_once(" and time limit at ") {
            labels.push(what.to_owned());
        }
        let fits = |label: &String| columns_of(label) <= letters;
        labels.into_iter().find(fits)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waiting {
    /// In the ready queue.
    Queued,
    Timer,
    /// For something that has this time limit.
    Limit,
    /// For a timer that is due. Nobody looked at it, for the thread was held.
    Overdue,
    /// For a task, or for what is not watchglass's.
    Other,
    /// A closure runs for it on another thread.
    Closure,
}

/// A wake that one task caused of another.
pub(crate) struct Arrow {
    pub(crate) from: f64,
    pub(crate) from_lane: usize,
    pub(crate) until: f64,
    pub(crate) until_lane: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_shortened_to_what_matters() {
        let shown = |label: &str, letters| {
            let (kind, label) = (Waiting::Overdue, label.to_owned());
            let (from, until) = (0.0, 1.0);
            #[rustfmt::skip]
            let bar = Bar { from, until, kind, label };
            bar.label_of(letters).unwrap_or_default()
        };
        for (letters, label) in [
            (21, "overdue since 1.000 s"),
            (20, "since 1.000 s"),
            (12, "overdue"),
            (6, ""),
        ] {
            assert_eq!(shown("overdue since 1.000 s", letters), label);
        }
        for (letters, label) in [(18, "until 1.000 s"), (10, "to 1.000 s"), (9, "")] {
            assert_eq!(shown("sleep until 1.000 s", letters), label);
        }
        for (letters, label) in [(20, "limit 1.000 s"), (12, "limit"), (4, "")] {
            assert_eq!(shown("time limit at 1.000 s", letters), label);
        }
        let foreign = "a future that is not watchglass's and time limit at 1.000 s";
        assert_eq!(shown(foreign, 40), "foreign and time limit at 1.000 s");
        assert_eq!(shown(foreign, 30), "foreign");
        assert_eq!(shown("the news and time limit at 1.000 s", 30), "the news");
    }
}
