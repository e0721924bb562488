//! What is shown of one step: what happened, and the tasks, the queue and the timers after it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::Walk;
use super::task_of;
use crate::task::TaskId;
use crate::trace::{OneLine, Stage, State, TaskKind, TaskState, Wait, in_program};
use crate::view::narrator::{Narrator, lies};
use crate::view::sums::count;

/// So many printed lines are shown.
const LINES_LISTED: usize = 4;
/// More tasks than this are counted and not listed.
const TASKS_LISTED: usize = 16;

impl Walk<'_> {
    pub(super) fn show(&self, out: &mut impl Write) -> io::Result<()> {
        let mut narrator = Narrator::new(&self.names);
        self.records[..self.at]
            .iter()
            .for_each(|record| narrator.follow(record));
        let record = &self.records[self.at];
        let sentence = narrator.tell(record);
        let state = narrator.state();
        writeln!(
            out,
            "\nstep {} of {}, {}",
            self.at,
            self.records.len() - 1,
            self.names.time(record.time)
        )?;
        writeln!(out, "{sentence}\n")?;
        self.show_tasks(state, &narrator, out)?;
        self.show_ready(state, &narrator, out)?;
        self.show_timers(state, out)?;
        for line in last_lines(state) {
            writeln!(out, "  printed  {}", OneLine(line))?;
        }
        Ok(())
    }

    fn show_tasks(
        &self,
        state: &State,
        narrator: &Narrator<'_>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let listed = self.listed(state);
        for task in &listed {
            let mark = if state.running() == Some(task.id) {
                '>'
            } else {
                ' '
            };
            let name = self.names.task(task.id);
            let stage = self.stage(task, narrator);
            writeln!(out, "{mark} {name}: {stage}{}", held(task))?;
        }
        match state.tasks().len() - listed.len() {
            0 => Ok(()),
            more => writeln!(out, "  and {} more", count(more, "task")),
        }
    }

    /// Of many tasks those that matter, in their order: the one that runs, the one that this step is of, those in the
    /// ready queue, and then the first that have not ended.
    fn listed<'s>(&self, state: &'s State) -> Vec<&'s TaskState> {
        let all = state.tasks();
        if all.len() <= TASKS_LISTED {
            return all.iter().collect();
        }
        let of_step = task_of(&self.records[self.at].event);
        let ready = state.ready().map(|ready| ready.task);
        let first = state.running().into_iter().chain(of_step).chain(ready);
        let unfinished = all.iter().filter(|task| !task.stage.is_end());
        let mut chosen = BTreeSet::new();
        for id in first.chain(unfinished.map(|task| task.id)) {
            if chosen.len() == TASKS_LISTED {
                break;
            }
            chosen.extend(state.position(id));
        }
        chosen.into_iter().map(|at| &all[at]).collect()
    }

    fn stage(&self, task: &TaskState, narrator: &Narrator<'_>) -> String {
        let queued = if task.queued {
            ", in the ready queue"
        } else {
            ""
        };
        match (task.stage, task.waits.last()) {
            _ if narrator.is_ready(task) => "ready: it has its output".to_owned(),
            (Stage::Waiting, _) if task.aborted => format!("to be dropped{queued}, aborted"),
            (Stage::New, _) if task.aborted => format!("new{queued}, aborted"),
            (Stage::Running, _) if narrator.is_dropped(task) => format!("being dropped{queued}"),
            (Stage::Running, _) if task.aborted => {
                format!("running, poll {}{queued}, aborted", task.polls)
            }
            (Stage::Running, _) => format!("running, poll {}{queued}", task.polls),
            (Stage::Waiting, _) if task.kind == TaskKind::Blocking && !task.queued => {
                "waiting until it has run on another thread".to_owned()
            }
            (Stage::Waiting, last) if task.queued => {
                format!(
                    "woken{queued}{}",
                    self.at_or_last_seen(task, last, narrator)
                )
            }
            (Stage::Waiting, _) => {
                let at = self.at_or_last_seen(task, narrator.last_wait(task), narrator);
                format!("waiting{}{at}", narrator.waiting(task))
            }
            (stage, _) => format!("{stage}{queued}"),
        }
    }

    /// Where it waits, or else where it was seen last, with the code if the file is found. Of an `.await` of what is
    /// not watchglass's nobody is told.
    fn at_or_last_seen(
        &self,
        task: &TaskState,
        wait: Option<&Wait>,
        narrator: &Narrator<'_>,
    ) -> String {
        let (how, at) = match wait {
            Some(wait) => ("at", in_program(wait.at)),
            None => ("last seen at", narrator.last_seen(task.id)),
        };
        let Some(at) = at else {
            return String::new();
        };
        match self.sources.line(at.file(), at.line()) {
            Some(code) => format!(", {how} {at}  `{code}`"),
            None => format!(", {how} {at}"),
        }
    }

    fn show_ready(
        &self,
        state: &State,
        narrator: &Narrator<'_>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let entries = state.ready().take(TASKS_LISTED);
        let has_ended = |id| state.task(id).is_some_and(|task| task.stage.is_end());
        let entry = |task: TaskId, why: String| {
            let ended = if has_ended(task) {
                "; it has ended"
            } else {
                ""
            };
            format!("{} ({why}{ended})", self.names.task(task))
        };
        let entries: Vec<String> = entries
            .map(|ready| entry(ready.task, narrator.why(ready.why)))
            .collect();
        let more = state.ready().len() - entries.len();
        let text = match (entries.is_empty(), more) {
            (true, _) => "empty".to_owned(),
            (false, 0) => entries.join(", then "),
            (false, more) => format!("{}, then {more} more", entries.join(", then ")),
        };
        let parked = if state.parked() {
            "; the thread is parked"
        } else {
            ""
        };
        writeln!(out, "  ready queue  {text}{parked}")
    }

    fn show_timers(&self, state: &State, out: &mut impl Write) -> io::Result<()> {
        for timer in state.timers().take(TASKS_LISTED) {
            let wakes = timer.task.map_or("uses a waker".into(), |task| {
                format!("wakes {}", self.names.task(task))
            });
            let deadline = self.names.time(timer.deadline);
            writeln!(
                out,
                "  {}  {wakes} at {deadline}, {}",
                timer.id.described(timer.kind),
                lies(timer.place)
            )?;
        }
        match state.timers().len().saturating_sub(TASKS_LISTED) {
            0 => Ok(()),
            more => writeln!(out, "  and {} more", count(more, "timer")),
        }
    }
}

/// How many clones of its waker somebody holds, if that is known.
fn held(task: &TaskState) -> String {
    match task.wakers {
        // The clones of the main task's own cannot be counted after its first poll.
        _ if task.stage.is_end() || task.kind == TaskKind::Main => String::new(),
        None | Some(0) => String::new(),
        Some(1) => "; 1 clone of its waker is held".to_owned(),
        Some(many) => format!("; {many} clones of its waker are held"),
    }
}

/// The last lines that were printed.
fn last_lines(state: &State) -> Vec<&str> {
    let printed = state.printed().iter().rev().take(LINES_LISTED);
    let mut lines: Vec<&str> = printed.flat_map(|(_, text)| text.lines().rev()).collect();
    lines.truncate(LINES_LISTED);
    lines.reverse();
    lines
}
