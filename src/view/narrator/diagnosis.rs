//! What is wrong, in words: who can never run again, who held the thread, who only wakes itself.

use super::{Narrator, Since, has_label};
use crate::task::TaskId;
use crate::trace::{At, Event, LongPoll, TaskKind, deadlock, named};
use crate::view::names::Span;

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
