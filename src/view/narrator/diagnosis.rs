//! What is wrong, in words: who can never run again, who held the thread, who only wakes itself.

use std::panic::Location;

use super::{Narrator, Since, has_label};
use crate::task::TaskId;
use crate::trace::{At, Event, LongPoll, Stage, TaskKind, TaskState, WaitsOn, deadlock, named};
use crate::view::names::Span;

/// When a log ends, so many of those are named that wait for what may never come.
const LONGEST: usize = 3;

impl Narrator<'_> {
    pub(super) fn diagnosis(&self, event: &Event) -> String {
        match event {
            Event::ForgottenWaker { task } => format!(
                "{}, {}{}, {}: it can never be polled again",
                self.name(*task),
                self.began(*task),
                self.and_seen(*task),
                match self.forgotten_since {
                    Some(Since::ItsPoll) => "returned Pending but nobody holds its waker",
                    Some(Since::ItWasDropped) => "waits, and whoever had its waker has dropped it",
                    _ => "waits, and nobody holds its waker",
                }
            ),
            Event::Deadlock { circle } => {
                let mut text = deadlock(circle, |id| self.name(id));
                let (named, others) = named(circle);
                for id in named {
                    text += &format!("; {}", self.stuck(*id, false));
                }
                if others > 0 {
                    text += &format!("; and {others} more");
                }
                text
            }
            Event::LongPoll(poll) => self.long_poll(poll),
            Event::Spinning { task, polls } => format!(
                "{}, {}, has been polled {polls} times in a row only because it woke \
                 itself, or slept for no time: it waits in a loop, unless it computes and lets the others run",
                self.name(*task),
                self.began(*task)
            ),
            Event::Stalled { tasks, held } => {
                let mut text = "nothing can ever happen again".to_owned();
                let (named, others) = named(tasks);
                for id in named {
                    text += &format!("; {}", self.stuck(*id, held.contains(id)));
                }
                if others > 0 {
                    text += &format!("; and {others} more");
                }
                text
            }
            other => other.to_string(),
        }
    }

    /// The end of a log that was asked for; and if it looks as if that were the program's, who knows more.
    pub(super) fn log_ended(&self) -> String {
        self.how_it_stands() + &self.longest_waits()
    }

    fn how_it_stands(&self) -> String {
        let text = Event::LogEnded.to_string();
        let (since, until) = self.parked;
        let since = self.names.time(since);
        let (out, others) = named(&self.out);
        let closures = self.names.tasks(out, others);
        match (self.state.timers().len(), out) {
            _ if !self.state.parked() => text,
            (0, []) => format!(
                "{text}; the thread has been parked since {since}, and neither a timer is armed nor a closure out: only \
                 another thread can wake somebody. If none does, add `closed` to WATCHGLASS, and it says who waits, and \
                 where"
            ),
            (0, _) => format!(
                "{text}; the thread has been parked since {since}, and no timer is armed: so it waits for {closures}, \
                 handed to the thread pool and not come back, or for another thread of the program"
            ),
            // A timer that is armed ends no park on the virtual clock.
            _ if until.is_none() => format!(
                "{text}; virtual time stands still at {since}, and so no timer fires, until {closures}, handed to the \
                 thread pool, come to an end: what waits there for what a task does after a sleep waits for ever"
            ),
            _ => text,
        }
    }

    fn long_poll(&self, poll: &LongPoll) -> String {
        let name = self.name(poll.task);
        let took = Span(poll.took);
        let mut text = match poll.goes_on {
            true => format!("{name} has held the thread {took} and still does"),
            false => format!("{name} held the thread {took}"),
        };
        let places = poll.places("the await at ", |time| Span(time).to_string());
        text += &match places {
            Some(places) => format!(", {places}"),
            None => format!(" (it was {})", self.began(poll.task)),
        };
        if !poll.delayed.is_empty() {
            let delayed = self.names.tasks(&poll.delayed, poll.more_delayed);
            let delays = if poll.goes_on { "delays" } else { "delayed" };
            text += &format!("; it {delays} {delayed}");
        }
        let late = Span(poll.late);
        match poll.timers {
            0 => text,
            1 => text + &format!("; 1 timer had to wait {late}"),
            many => text + &format!("; {many} timers had to wait up to {late}"),
        }
    }

    /// A task of which the verdict says that it will never finish, and whether somebody holds its waker.
    fn stuck(&self, id: TaskId, is_held: bool) -> String {
        let name = self.name(id);
        let began = self.began(id);
        let Some(task) = self.state.task(id) else {
            return format!("{name} waits");
        };
        match self.last_wait(task) {
            Some(wait) => {
                let waits = self.waits_on(task);
                let at = match waits.len() {
                    1 => At(wait.at).to_string(),
                    // Of several each has its place.
                    _ => String::new(),
                };
                let or = match is_held && !has_label(&waits) && !self.is_limit(wait.on) {
                    true => ", or for a future that is not watchglass's",
                    false => "",
                };
                format!("{name}, {began}, waits for {}{at}{or}", self.waits(task))
            }
            None => format!(
                "{name}, {began}{}, waits{}",
                self.and_seen(id),
                self.waiting(task)
            ),
        }
    }

    /// Those that wait for what the executor knows nothing of, the longest first: it may never come.
    fn longest_waits(&self) -> String {
        let is_unknown = |on: &WaitsOn| matches!(on, WaitsOn::Labelled(_) | WaitsOn::Never);
        let waits = |task: &&TaskState| {
            let is_waiting = task.stage == Stage::Waiting && !task.queued;
            let is_reachable = task.kind != TaskKind::Blocking && task.wakers != Some(0);
            is_waiting && is_reachable && self.waits_on(task).iter().all(is_unknown)
        };
        let tasks = self.state.tasks().iter().filter(waits);
        let since = |task: &TaskState| Some((*self.waits_since.get(&task.id)?, task.id));
        let mut longest: Vec<_> = tasks.filter_map(since).collect();
        longest.sort_unstable();
        let mut text = String::new();
        for &(since, id) in longest.iter().take(LONGEST) {
            let task = self.state.task(id).expect("it is among them");
            let (name, since, waiting) = (self.name(id), self.time(since), self.waiting(task));
            let seen = self
                .last_seen(id)
                .map_or(String::new(), |at| format!(", last seen at {at}"));
            text += &format!("; {name} has waited since {since}{waiting}{seen}");
        }
        match longest.len().saturating_sub(LONGEST) {
            0 => text,
            others => text + &format!("; and {others} more"),
        }
    }

    /// Where a task was when it was last seen, if that is not where it was spawned.
    pub(crate) fn last_seen(&self, task: TaskId) -> Option<&'static Location<'static>> {
        let spawned_at = self.state.task(task)?.spawned_at;
        self.seen.get(&task).copied().filter(|&at| at != spawned_at)
    }

    /// In words that fit after where its life began.
    fn and_seen(&self, task: TaskId) -> String {
        let seen = self.last_seen(task);
        seen.map_or(String::new(), |at| format!(" and last seen at {at}"))
    }

    /// Where a task's life began, in words that fit after "was".
    pub(super) fn began(&self, task: TaskId) -> String {
        match self.state.task(task) {
            Some(task) if task.kind == TaskKind::Main => {
                format!("given to block_on at {}", task.spawned_at)
            }
            Some(task) => format!("spawned at {}", task.spawned_at),
            None => "spawned at an unknown place".to_owned(),
        }
    }
}
