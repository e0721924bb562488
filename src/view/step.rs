//! The walk through a run, in the terminal, a step at a time, forward and back.
//!
//! It reads commands from one side and writes blocks to the other, so it is the same at a terminal,
//! in a pipe and in a test.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

use super::findings::{self, Finding};
use super::names::Names;
use super::narrator::{Narrator, comma_at, lies};
use super::sources::Sources;
use super::sums::count;
use crate::task::TaskId;
use crate::trace::{
    Effect, Event, OneLine, Record, Stage, State, TaskKind, TaskState, Wait, named,
};

const HELP: &str = "\
Enter: forward   b: back   a number: that step   q: quit this walk   h: this help
n: the next poll   p TASK: its next poll   p: the same task's next poll   w: why this poll
f: the next thing that was found to be wrong   (> before a task: it runs)";
/// So many printed lines are shown.
const LINES_LISTED: usize = 4;
/// More tasks than this are counted and not listed.
const TASKS_LISTED: usize = 16;
/// And more findings, when the walk begins.
const FINDINGS_LISTED: usize = 8;

/// Walks until the input ends or says `q`.
pub(crate) fn walk(
    records: &[Record],
    mut input: impl BufRead,
    mut output: impl Write,
) -> io::Result<()> {
    if records.is_empty() {
        return writeln!(output, "nothing has happened");
    }
    let mut walk = Walk {
        records,
        names: Names::of(records),
        sources: Sources::of(records),
        at: 0,
    };
    writeln!(output, "{HELP}")?;
    let found = walk.found();
    for Finding { step, says } in found.iter().take(FINDINGS_LISTED) {
        writeln!(output, "found at step {step}: {says}")?;
    }
    if let Some(more @ 1..) = found.len().checked_sub(FINDINGS_LISTED) {
        writeln!(output, "and {more} more: f leads to each")?;
    }
    walk.show(&mut output)?;
    loop {
        write!(output, "> ")?;
        output.flush()?;
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return writeln!(output);
        }
        match walk.go(String::from_utf8_lossy(&line).trim()) {
            Ok(Go::To(at)) => {
                walk.at = at;
                walk.show(&mut output)?;
            }
            Ok(Go::Quit) => return Ok(()),
            Err(why_not) => writeln!(output, "{why_not}")?,
        }
    }
}

enum Go {
    To(usize),
    Quit,
}

struct Walk<'a> {
    records: &'a [Record],
    names: Names,
    sources: Sources,
    at: usize,
}

impl Walk<'_> {
    /// Where a command leads, or why it leads nowhere.
    fn go(&self, command: &str) -> Result<Go, String> {
        let last = self.records.len() - 1;
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match word {
            _ if !rest.is_empty() && word != "p" => Err(unknown(command)),
            "" if self.at == last => Err("this is the last step; b goes back, q quits".into()),
            "" => Ok(Go::To(self.at + 1)),
            "b" if self.at == 0 => Err("this is the first step".into()),
            "b" => Ok(Go::To(self.at - 1)),
            "h" | "?" => Err(HELP.into()),
            "n" => {
                let next = self.next_poll(|_| true).map(Go::To);
                next.ok_or_else(|| "nobody is polled after this step".into())
            }
            "p" => {
                let task = match rest {
                    "" => self.followed()?,
                    name => self.named(name)?,
                };
                let next = self.next_poll(|polled| polled == task).map(Go::To);
                next.ok_or_else(|| {
                    format!("{} is not polled after this step", self.names.task(task))
                })
            }
            "w" => self.wake().map(Go::To),
            "f" => {
                let next = self.next_finding().map(Go::To);
                next.ok_or_else(|| match self.found().is_empty() {
                    true => "nothing was found to be wrong".into(),
                    false => "nothing more was found to be wrong after this step".into(),
                })
            }
            "q" => Ok(Go::Quit),
            number if number.bytes().all(|digit| digit.is_ascii_digit()) => {
                match number.parse::<usize>() {
                    Ok(step) if step <= last => Ok(Go::To(step)),
                    _ => Err(format!("the last step is {last}")),
                }
            }
            _ => Err(unknown(command)),
        }
    }

    fn found(&self) -> Vec<Finding> {
        findings::of(self.records, &self.names, usize::MAX)
    }

    fn next_finding(&self) -> Option<usize> {
        let found = self.found();
        let mut steps = found.iter().map(|finding| finding.step);
        steps.find(|&step| step > self.at)
    }

    /// The next poll of such a task.
    fn next_poll(&self, is_such: impl Fn(TaskId) -> bool) -> Option<usize> {
        let mut later = self.records.iter().skip(self.at + 1);
        let is_poll = |record: &Record| match record.event {
            Event::PollStarted { task, .. } => is_such(task),
            _ => false,
        };
        Some(self.at + 1 + later.position(is_poll)?)
    }

    /// The task that is woken by this step, or was polled last.
    fn followed(&self) -> Result<TaskId, String> {
        match self.records[self.at].event {
            Event::Woken { task, effect, .. } if effect != Effect::Finished => Ok(task),
            _ => self.last_poll().map(|(task, _)| task),
        }
    }

    fn named(&self, name: &str) -> Result<TaskId, String> {
        let state = State::after(self.records);
        let all = || state.tasks().iter().map(|task| task.id);
        let is_id = |id: &TaskId| {
            let number = id.to_string();
            self.names.task(*id) == name || number == name || number[1..] == *name
        };
        if let Some(id) = all().find(is_id) {
            return Ok(id);
        }
        let of_that_name = state.tasks().iter().filter(|task| task.name == name);
        let of_that_name: Vec<TaskId> = of_that_name.map(|task| task.id).collect();
        let list = |ids: &[TaskId]| {
            let (named, others) = named(ids);
            self.names.tasks(named, others)
        };
        match of_that_name.as_slice() {
            [] => {
                let (all, name) = (list(&all().collect::<Vec<_>>()), OneLine(name));
                Err(format!("no task is called `{name}`; there are: {all}"))
            }
            [one] => Ok(*one),
            several => {
                let several = list(several);
                Err(format!("several are called `{}`: {several}", OneLine(name)))
            }
        }
    }

    /// The poll of this step, or the last one before it: of which task, and its record's number.
    fn last_poll(&self) -> Result<(TaskId, u64), String> {
        let mut before = self.records[..=self.at].iter().rev();
        let poll = before.find_map(|record| match record.event {
            Event::PollStarted { task, .. } => Some((task, record.seq)),
            _ => None,
        });
        poll.ok_or_else(|| "nothing has been polled yet".into())
    }

    /// The wake that led to the poll of this step, or to the last one before it.
    fn wake(&self) -> Result<usize, String> {
        if let Event::Woken { effect, .. } = self.records[self.at].event {
            return Err(match effect {
                Effect::Finished => "this step is a wake itself, and it did nothing".into(),
                _ => "this step is a wake itself; p leads to the poll that it leads to".into(),
            });
        }
        let (task, seq) = self.last_poll()?;
        let until_poll = self.records.iter().take_while(|record| record.seq <= seq);
        let state = State::after(until_poll);
        let wake = state.task(task).and_then(|task| task.woken_by);
        let at = wake.and_then(|wake| self.records.iter().position(|record| record.seq == wake));
        at.ok_or_else(|| "the wake behind this poll was not recorded".into())
    }

    fn show(&self, out: &mut impl Write) -> io::Result<()> {
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
                let at = last.map_or(String::new(), |wait| self.place(wait));
                format!("woken{queued}{at}")
            }
            (Stage::Waiting, _) => {
                let at = narrator.last_wait(task);
                let at = at.map_or(String::new(), |wait| self.place(wait));
                format!("waiting{}{at}", narrator.waiting(task))
            }
            (stage, _) => format!("{stage}{queued}"),
        }
    }

    /// The place of an `.await`, with the code if the file is found.
    fn place(&self, wait: &Wait) -> String {
        match self.sources.line(wait.at.file(), wait.at.line()) {
            Some(code) => format!("{}  `{code}`", comma_at(wait.at)),
            None => comma_at(wait.at),
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

/// The task that an event is about.
fn task_of(event: &Event) -> Option<TaskId> {
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

fn unknown(command: &str) -> String {
    format!("`{}` is no command\n{HELP}", OneLine(command))
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

#[cfg(test)]
mod tests;
