//! The walk through a run, in the terminal, a step at a time, forward and back.
//!
//! It reads commands from one side and writes blocks to the other, so it is the same at a terminal,
//! in a pipe and in a test.

use std::io::{self, BufRead, Write};

use super::names::Names;
use super::narrator::{Narrator, comma_at, lies};
use super::sources::Sources;
use crate::task::TaskId;
use crate::trace::{Effect, Event, OneLine, Record, Stage, State, TaskKind, TaskState, Wait};

const HELP: &str = "\
Enter: forward   b: back   a number: that step   q: quit this walk   h: this help
n: the next poll   p TASK: its next poll   p: the same task's next poll   w: why this poll";
/// So many printed lines are shown.
const LINES_LISTED: usize = 4;
/// More tasks than this are counted and not listed.
const TASKS_LISTED: usize = 16;

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
    walk.show(&mut output)?;
    loop {
        write!(output, "> ")?;
        output.flush()?;
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return writeln!(output);
        }
        match walk.go(line.trim()) {
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
        match word {
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
                let task = match rest.trim() {
                    "" => self.followed()?,
                    name => self.named(name)?,
                };
                let next = self.next_poll(|polled| polled == task).map(Go::To);
                next.ok_or_else(|| {
                    format!("{} is not polled after this step", self.names.task(task))
                })
            }
            "w" => self.wake().map(Go::To),
            "q" => Ok(Go::Quit),
            number => match number.parse::<usize>() {
                Ok(step) if step <= last => Ok(Go::To(step)),
                Ok(_) => Err(format!("the last step is {last}")),
                Err(_) => Err(format!("`{command}` is no command\n{HELP}")),
            },
        }
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
        let is_named = |task: &&TaskState| {
            self.names.task(task.id) == name || task.id.to_string() == name || task.name == name
        };
        if let Some(task) = state.tasks().iter().find(is_named) {
            return Ok(task.id);
        }
        let names = state.tasks().iter().map(|task| self.names.task(task.id));
        let names: Vec<String> = names.collect();
        let names = names.join(", ");
        Err(format!("no task is called `{name}`; there are: {names}"))
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
        let all = state.tasks();
        let listed: Vec<&TaskState> = match all.len() <= TASKS_LISTED {
            true => all.iter().collect(),
            false => {
                let unfinished = all.iter().filter(|task| !task.stage.is_end());
                unfinished.take(TASKS_LISTED).collect()
            }
        };
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
        match all.len() - listed.len() {
            0 => Ok(()),
            more => writeln!(out, "  and {more} tasks more"),
        }
    }

    fn stage(&self, task: &TaskState, narrator: &Narrator<'_>) -> String {
        let queued = if task.queued {
            ", in the ready queue"
        } else {
            ""
        };
        match (task.stage, task.waits.last()) {
            _ if narrator.is_ready(task) => "ready: it has its output".to_owned(),
            (Stage::Running, _) if narrator.is_dropped(task) => format!("being dropped{queued}"),
            (Stage::Running, _) => format!("running, poll {}{queued}", task.polls),
            (Stage::Waiting, _) if task.kind == TaskKind::Blocking && !task.queued => {
                "waiting until it has run on another thread".to_owned()
            }
            (Stage::Waiting, last) => {
                let at = last.map_or(String::new(), |wait| self.place(wait));
                match task.queued {
                    true => format!("woken{queued}{at}"),
                    false => format!("waiting for {}{at}", narrator.waits(task)),
                }
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
        let entry = |task: TaskId, why: String| format!("{} ({why})", self.names.task(task));
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
            more => writeln!(out, "  and {more} timers more"),
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

#[cfg(test)]
mod tests {
    use std::cell::OnceCell;
    use std::future::{pending, poll_fn};
    use std::pin::pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;
    use crate::trace::{Cause, Observer, Recording};
    use crate::{
        AbortHandle, Executor, join_all, sleep, spawn_blocking, spawn_named, timeout, yield_now,
    };

    fn recorded() -> (Executor, Recording) {
        let recording = Recording::new();
        let builder = Executor::builder().virtual_time();
        (builder.observer(recording.clone()).build(), recording)
    }

    /// Twenty tasks of one name, each with a timer, after a task that ends at once and a timer that wakes nobody.
    fn crowd() -> Recording {
        let (executor, recording) = recorded();
        executor.block_on(async {
            let nap = || sleep(Duration::from_secs(1));
            let mut of_nobody = pin!(nap());
            let nobody = &mut Context::from_waker(Waker::noop());
            assert!(of_nobody.as_mut().poll(nobody).is_pending());
            spawn_named("early", yield_now()).await.unwrap();
            let naps: Vec<_> = (0..20).map(|_| spawn_named("nap", nap())).collect();
            drop(join_all(naps).await);
        });
        recording
    }

    /// What the walk shows last.
    fn shown(recording: &Recording, commands: &[&str]) -> String {
        let (input, mut output) = (commands.join("\n"), Vec::new());
        let walked = recording.read(|records| walk(records, input.as_bytes(), &mut output));
        walked.unwrap();
        let output = String::from_utf8(output).unwrap();
        output.rsplit("\nstep ").next().unwrap().to_owned()
    }

    #[test]
    fn who_is_woken_waits_no_more_and_a_closure_s_task_waits_for_the_closure() {
        let (executor, recording) = recorded();
        executor.block_on(async {
            drop(join_all([1, 2].map(|n| sleep(Duration::from_secs(n)))).await);
            spawn_blocking(|| ()).await.unwrap();
        });
        let at_the_wake = shown(&recording, &["n", "n", "b"]);
        assert!(
            at_the_wake.contains(": woken, in the ready queue"),
            "{at_the_wake}"
        );
        let started = |event: &Event| matches!(event, Event::BlockingStarted { .. });
        let step = recording.events().iter().position(started).unwrap();
        let handed_over = shown(&recording, &[&format!("{step}")]);
        assert!(
            handed_over.contains(": waiting until it has run on another thread"),
            "{handed_over}"
        );
    }

    #[test]
    fn what_is_dropped_does_not_run_and_a_wake_leads_to_no_wake() {
        let (executor, recording) = recorded();
        executor.block_on(async {
            let aborted = spawn_named("aborted", yield_now());
            drop(spawn_named("left", std::future::pending::<()>()));
            aborted.abort();
            yield_now().await;
        });
        drop(executor);
        let events = recording.events();
        let step = |is: fn(&Event) -> bool| events.iter().position(is).unwrap().to_string();
        let is_abort = |event: &Event| matches!(event, Event::PollStarted { why, .. } if *why == Cause::Aborted);
        for step in [
            step(is_abort),
            step(|event| matches!(event, Event::Dropping { .. })),
        ] {
            let dropped = shown(&recording, &[&step]);
            assert!(dropped.contains(": being dropped"), "{dropped}");
        }
        let woken = step(|event| matches!(event, Event::Woken { .. }));
        let refused = shown(&recording, &[&woken, "w"]);
        assert!(refused.contains("this step is a wake itself"), "{refused}");
    }

    #[test]
    fn of_many_tasks_and_timers_the_first_are_listed_and_the_others_counted() {
        let recording = crowd();
        let asleep = shown(&recording, &["p nap #20"]);
        for lines in [
            "  nap #15: waiting for its timer for 1.000 s\n  and 6 tasks more\n",
            "  timer 0  uses a waker at 1.000 s, in level 4",
            "  timer 15  wakes nap #15 at 1.000 s, in level 4, slot 59 of the wheel\n  and 4 timers more\n",
        ] {
            assert!(asleep.contains(lines), "{asleep}");
        }
        assert!(!asleep.contains("early"), "it has ended: {asleep}");
        let woken = shown(&recording, &["p nap #20", "p nap", "b"]);
        let queue = "nap #16 (its timer for 1.000 s fired), then 4 more\n";
        assert!(woken.contains(queue), "{woken}");
    }

    #[test]
    fn a_task_is_followed_by_its_label_its_id_or_the_first_of_its_name() {
        let (recording, mut commands) = (crowd(), Vec::new());
        for (command, says) in [
            ("p nap #7", "nap #7 polled (poll 1): it is new"),
            ("p #8", "nap #8 polled (poll 1): it is new"),
            (
                "p nap",
                "nap #1.1 polled (poll 2): its timer for 1.000 s fired",
            ),
            ("p early", "early is not polled after this step"),
        ] {
            commands.push(command);
            let shown = shown(&recording, &commands);
            assert!(shown.contains(says), "{command}: {shown}");
        }
    }

    #[test]
    fn the_first_step_is_where_it_goes_back_no_further_and_help_is_there() {
        for (command, says) in [("b", "this is the first step\n"), ("h", HELP), ("?", HELP)] {
            let shown = shown(&crowd(), &[command]);
            assert!(shown.starts_with("0 of "), "{shown}");
            assert!(shown.contains(&format!("> {says}")), "{shown}");
        }
    }

    #[test]
    fn the_last_lines_that_were_printed_are_shown_and_that_the_thread_is_parked() {
        let recording = Recording::new();
        let lines = (1..4).map(|n| Event::Printed {
            task: None,
            text: format!("{n}, a\n{n}, b\n"),
        });
        for (seq, event) in (0..).zip(lines.chain([Event::Parked { until: None }])) {
            let time = Duration::ZERO;
            recording.observe(&Record { seq, time, event });
        }
        let [printed, parked] = ["2", "3"].map(|step| shown(&recording, &[step]));
        assert!(!printed.contains("; the thread is parked"), "{printed}");
        assert!(parked.contains("; the thread is parked\n"), "{parked}");
        let lines = parked
            .lines()
            .filter_map(|line| line.strip_prefix("  printed  "));
        assert_eq!(lines.collect::<Vec<_>>(), ["2, a", "2, b", "3, a", "3, b"]);
    }

    #[test]
    fn p_follows_who_was_polled_last_and_not_who_was_woken_in_vain() {
        let (executor, recording) = recorded();
        executor.block_on(async {
            let ends = poll_fn(|cx| Poll::Ready(cx.waker().clone()));
            spawn_named("ended", ends).await.unwrap().wake();
            yield_now().await;
        });
        let in_vain = |event: &Event| {
            let Event::Woken { effect, .. } = event else {
                return false;
            };
            *effect == Effect::Finished
        };
        let step = step_of(&recording, in_vain);
        let next = shown(&recording, &[&step, "p"]);
        assert!(next.contains("polled (poll 3): it woke itself"), "{next}");
        let why = shown(&recording, &[&step, "w"]);
        assert!(
            why.contains("is a wake itself, and it did nothing"),
            "{why}"
        );
    }

    /// The step of the first such event.
    fn step_of(recording: &Recording, is_it: impl Fn(&Event) -> bool) -> String {
        let step = recording.events().iter().position(is_it);
        step.unwrap().to_string()
    }

    #[test]
    fn a_task_that_aborts_itself_runs_until_its_poll_is_over() {
        let (executor, recording) = recorded();
        let own = Rc::new(OnceCell::<AbortHandle>::new());
        let selfish = {
            let own = own.clone();
            async move {
                own.get().unwrap().abort();
                drop(spawn_named("child", async {}));
                yield_now().await;
            }
        };
        let selfish = executor.spawn_named("selfish", selfish);
        own.set(selfish.abort_handle()).unwrap();
        executor.block_on(selfish).unwrap_err();
        let is_child =
            |event: &Event| matches!(event, Event::Spawned { name, .. } if name == "child");
        let is_dropped = |event: &Event| {
            matches!(
                event,
                Event::PollStarted {
                    why: Cause::Aborted,
                    ..
                }
            )
        };
        let runs = shown(&recording, &[&step_of(&recording, is_child)]);
        assert!(runs.contains("> selfish: running, poll 1"), "{runs}");
        let dropped = shown(&recording, &[&step_of(&recording, is_dropped)]);
        assert!(dropped.contains("> selfish: being dropped"), "{dropped}");
    }

    #[test]
    fn the_wakers_of_the_main_task_that_cannot_be_counted_later_are_not_counted_at_first() {
        let (executor, recording) = recorded();
        executor.block_on(async {
            let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
            yield_now().await;
            drop(waker);
        });
        let is_counted = |event: &Event| {
            matches!(
                event,
                Event::PollEnded {
                    wakers: Some(1),
                    ..
                }
            )
        };
        let pending = shown(&recording, &[&step_of(&recording, is_counted)]);
        assert!(!pending.contains("of its waker"), "{pending}");
    }

    #[test]
    fn who_is_ready_is_so_until_its_end_also_where_its_poll_was_long() {
        let recording = Recording::new();
        let builder = Executor::builder().virtual_time().long_poll(Duration::ZERO);
        builder
            .observer(recording.clone())
            .build()
            .block_on(async {});
        let is_long = |event: &Event| matches!(event, Event::LongPoll(_));
        let found = shown(&recording, &[&step_of(&recording, is_long)]);
        assert!(found.contains(": ready: it has its output\n"), "{found}");
    }

    #[test]
    fn what_a_task_waits_for_is_the_same_when_its_limit_has_fired() {
        let (executor, recording) = recorded();
        let limited = timeout(Duration::from_secs(1), pending::<()>());
        executor.block_on(limited).unwrap_err();
        let has_fired = |event: &Event| matches!(event, Event::TimerFired { .. });
        let fired = shown(&recording, &[&step_of(&recording, has_fired)]);
        let waits = "waiting for something that is not watchglass's and its time limit at 1.000 s";
        assert!(fired.contains(waits), "{fired}");
    }
}
