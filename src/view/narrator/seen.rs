//! Where each task was when it was last seen, and who has waited longest: of an `.await` of what is not watchglass's
//! nobody is told, so the place before it has to do.

use std::panic::Location;

use super::Narrator;
use crate::task::TaskId;
use crate::trace::{Event, Record, Stage, TaskKind, TaskState, WaitsOn, in_program};

/// When a log ends, so many of those are named that wait for what may never come.
const LONGEST: usize = 3;

impl Narrator<'_> {
    /// Notes where a task is: before the state knows of the record.
    pub(super) fn look_where(&mut self, record: &Record) {
        let seen = match record.event {
            Event::Spawned { at, .. } => self.state.running().map(|task| (task, at)),
            Event::Waits {
                task: Some(task),
                on,
                at,
            } => {
                // The wait for a time limit is told behind that for what it limits, which says better where that is.
                let is_said = |task: &TaskState| {
                    let mut waits = task.waits.iter();
                    waits.any(|wait| in_program(wait.at).is_some())
                };
                let is_said = self.is_limit(on) && self.state.task(task).is_some_and(is_said);
                (!is_said).then_some((task, at))
            }
            _ => None,
        };
        if let Some((task, at)) = seen
            && in_program(at).is_some()
        {
            self.seen.insert(task, at);
        }
    }

    /// Where a task was when it was last seen, if that is not where it was spawned.
    pub(crate) fn last_seen(&self, task: TaskId) -> Option<&'static Location<'static>> {
        let spawned_at = self.state.task(task)?.spawned_at;
        self.seen.get(&task).copied().filter(|&at| at != spawned_at)
    }

    /// In words that fit after where its life began.
    pub(super) fn and_seen(&self, task: TaskId) -> String {
        let seen = self.last_seen(task);
        seen.map_or(String::new(), |at| format!(" and last seen at {at}"))
    }

    /// Those that wait for what the executor knows nothing of, the longest first: it may never come.
    pub(super) fn longest_waits(&self) -> String {
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
}
