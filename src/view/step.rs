//! The walk through a run, in the terminal, a step at a time, forward and back.
//!
//! It reads commands from one side and writes blocks to the other, so it is the same at a terminal,
//! in a pipe and in a test.

mod shown;

use std::io::{self, BufRead, Write};

use super::findings::{self, Finding, task_of};
use super::names::Names;
use super::sources::Sources;
use crate::task::TaskId;
use crate::trace::{Effect, Event, OneLine, Record, State, named};

const HELP: &str = "\
Type a command, and then Enter.
Enter alone: forward   b: back   a number: that step   q: quit this walk   h: this help
n: the next poll   p TASK: its next poll   p: the same task's next poll   w: why this poll
f: the next thing that was found to be wrong   (> before a task: it runs)";
/// More findings than this are counted when the walk begins.
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
    let full_names = Names::of(records);
    let mut walk = Walk {
        records,
        names: full_names.clone().cut(),
        full_names,
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
    if let Some(changed) = walk.sources.changed() {
        writeln!(output, "{changed}")?;
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
    full_names: Names,
    /// Those that are shown.
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
            _ if !rest.is_empty() && !matches!(word, "p" | "poll") => Err(unknown(command)),
            "" | "forward" if self.at == last => {
                Err("this is the last step; b goes back, q quits".into())
            }
            "" | "forward" => Ok(Go::To(self.at + 1)),
            "b" | "back" if self.at == 0 => Err("this is the first step".into()),
            "b" | "back" => Ok(Go::To(self.at - 1)),
            "h" | "help" | "?" => Err(HELP.into()),
            "n" | "next" => {
                let next = self.next_poll(|_| true).map(Go::To);
                next.ok_or_else(|| "nobody is polled after this step".into())
            }
            "p" | "poll" => {
                let task = match rest {
                    "" => self.followed()?,
                    name => self.named(name)?,
                };
                let next = self.next_poll(|polled| polled == task).map(Go::To);
                next.ok_or_else(|| {
                    format!("{} is not polled after this step", self.names.task(task))
                })
            }
            "w" | "why" => self.wake().map(Go::To),
            "f" | "found" => {
                let next = self.next_finding().map(Go::To);
                next.ok_or_else(|| match self.found().is_empty() {
                    true => "nothing was found to be wrong".into(),
                    false => "nothing more was found to be wrong after this step".into(),
                })
            }
            "q" | "quit" => Ok(Go::Quit),
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
        findings::all(self.records, &self.names)
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
            let names = [self.full_names.task(*id), self.names.task(*id)];
            names.iter().any(|called| called == name) || number == name || number[1..] == *name
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

    /// The wake that led to the poll that one is in, or at the end of.
    fn wake(&self) -> Result<usize, String> {
        if let Event::Woken { effect, .. } = self.records[self.at].event {
            return Err(match effect {
                Effect::Finished => "this step is a wake itself, and it did nothing".into(),
                _ => "this step is a wake itself; p leads to the poll that it leads to".into(),
            });
        }
        let (task, seq) = self.last_poll()?;
        let now = &self.records[self.at];
        let running = State::after(&self.records[..=self.at]).running();
        if running != Some(task) && (running.is_some() || task_of(&now.event) != Some(task)) {
            return Err("no poll goes on at this step; n leads to the next one".into());
        }
        let until_poll = self.records.iter().take_while(|record| record.seq <= seq);
        let state = State::after(until_poll);
        let wake = state.task(task).and_then(|task| task.woken_by);
        let at = wake.and_then(|wake| self.records.iter().position(|record| record.seq == wake));
        at.ok_or_else(|| "the wake behind this poll was not recorded".into())
    }
}

fn unknown(command: &str) -> String {
    format!("`{}` is no command\n{HELP}", OneLine(command))
}

#[cfg(test)]
mod tests;
