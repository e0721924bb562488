//! Random programs do the same things in the same order at the same times on asyncio and here.
//!
//! A program is a tree of tasks. Its tasks say what they do, yield, sleep, spawn others, await the
//! end of others, and cancel others. asyncio runs it under a virtual clock of its own
//! (`tests/asyncio/run_programs.py`), watchglass under its virtual clock, and the lines are compared.
//!
//! The programs keep clear of what differs by design. Chapter 12 of the book lists it, with reasons:
//! timers for the same instant, a sleep of no length, and cancelling a task that awaits another.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use watchglass::{Executor, JoinHandle, now, sleep, spawn, yield_now};

const PROGRAMS: u64 = 3000;

#[test]
fn asyncio_and_watchglass_say_the_same() {
    let programs: Vec<Program> = (0..PROGRAMS).map(Program::random).collect();
    let Some(theirs) = run_on_asyncio(&programs) else {
        println!("skipped: there is no python3");
        return;
    };
    let ours: Vec<String> = programs.iter().map(run_here).collect();
    assert_eq!(theirs.len(), ours.len());
    let differs = |seed: &usize| theirs[*seed] != ours[*seed];
    let smallest = (0..programs.len())
        .filter(differs)
        .min_by_key(|&seed| ours[seed].len());
    if let Some(seed) = smallest {
        let lines = |said: &str| said.replace('|', "\n  ");
        panic!(
            "seed {seed}: {}\nasyncio:\n  {}\nwatchglass:\n  {}",
            programs[seed],
            lines(&theirs[seed]),
            lines(&ours[seed])
        );
    }
}

/// The comparison is worth something only if the programs do enough.
#[test]
fn the_programs_do_what_they_are_meant_to_do() {
    let said: Vec<String> = (0..PROGRAMS)
        .map(|seed| run_here(&Program::random(seed)))
        .collect();
    for (what, at_least) in [
        (" yield ", 15_000),
        (" sleep ", 7000),
        (" spawn ", 7000),
        (" dropped", 500),
        (" was done", 1000),
        (" was cancelled", 500),
        (" no handle", 500),
    ] {
        let times: usize = said.iter().map(|said| said.matches(what).count()).sum();
        assert!(times >= at_least, "only {times} times{what}");
    }
}

#[derive(Clone, Copy)]
enum Step {
    Yield,
    /// So many nanoseconds.
    Sleep(u64),
    /// Each task is spawned once.
    Spawn(usize),
    /// Awaits a task's end, if its handle is still there.
    Join(usize),
    /// Cancels a task, if its handle is still there.
    Abort(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Yield => write!(f, "yield 0"),
            Step::Sleep(ns) => write!(f, "sleep {ns}"),
            Step::Spawn(task) => write!(f, "spawn {task}"),
            Step::Join(task) => write!(f, "join {task}"),
            Step::Abort(task) => write!(f, "abort {task}"),
        }
    }
}

/// By number, what each task does. Task 0 is the one that is given to `block_on`.
#[derive(Clone)]
struct Program(Vec<Vec<Step>>);

impl Program {
    fn random(seed: u64) -> Program {
        let mut random = Random(seed);
        let tasks = 2 + random.below(9);
        let mut program: Vec<Vec<Step>> = vec![Vec::new(); tasks];
        // Only a task that joins nobody may be cancelled.
        let joins: Vec<bool> = (0..tasks).map(|_| random.below(2) == 0).collect();
        for (task, steps) in program.iter_mut().enumerate() {
            for _ in 0..random.below(8) {
                let other = random.below(tasks);
                steps.push(match random.below(8) {
                    0..3 => Step::Yield,
                    3..5 => Step::Sleep(random.distinct_ns()),
                    // A task awaits only tasks with higher numbers, so none waits for itself.
                    5..7 if joins[task] && other > task => Step::Join(other),
                    5..8 if other != task && !joins[other] && other > 0 => Step::Abort(other),
                    _ => Step::Yield,
                });
            }
        }
        for task in 1..tasks {
            let parent = random.below(task);
            let steps = &mut program[parent];
            let mut place = random.below(steps.len() + 1);
            steps.insert(place, Step::Spawn(task));
            // Its parent has its handle, and often uses it.
            if !joins[task] && random.below(3) == 0 {
                place += 1 + random.below(steps.len() - place);
                steps.insert(place, Step::Abort(task));
            }
            if joins[parent] && random.below(2) == 0 {
                place += 1 + random.below(steps.len() - place);
                steps.insert(place, Step::Join(task));
            }
        }
        // Half of the programs end when all tasks have, the others in the middle.
        if random.below(2) == 0 {
            program[0].push(Step::Sleep(1 << 48));
        }
        Program(program)
    }
}

/// As JSON: `[[["sleep", 5], ["spawn", 1]], []]`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = |step: &Step| match step.to_string().split_once(' ') {
            Some((name, value)) => format!("[\"{name}\", {value}]"),
            None => unreachable!("every step has a value"),
        };
        let task = |steps: &Vec<Step>| {
            let steps: Vec<String> = steps.iter().map(step).collect();
            format!("[{}]", steps.join(", "))
        };
        let tasks: Vec<String> = self.0.iter().map(task).collect();
        write!(f, "[{}]", tasks.join(", "))
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Up to 18 minutes. With so many to choose from, no two sums of these are equal.
    fn distinct_ns(&mut self) -> u64 {
        1 + self.next() % (1 << 40)
    }
}

// ---- on asyncio

/// What each program says, or `None` without python3.
fn run_on_asyncio(programs: &[Program]) -> Option<Vec<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/asyncio/run_programs.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = python.stdin.take().expect("it is piped");
    let lines: String = programs
        .iter()
        .map(|program| format!("{program}\n"))
        .collect();
    // From a thread of its own: python3 prints before it has read everything.
    let writer = thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().expect("python3 ends");
    writer.join().unwrap().expect("python3 reads it all");
    assert!(output.status.success(), "python3 failed");
    let output = String::from_utf8(output.stdout).expect("text");
    Some(output.lines().map(str::to_owned).collect())
}

// ---- on watchglass

/// What a running program shares: its text, its handles, and what it has said.
struct Run {
    program: Program,
    start: Instant,
    handles: RefCell<HashMap<usize, JoinHandle<()>>>,
    said: RefCell<Vec<String>>,
    over: Cell<bool>,
}

impl Run {
    fn say(&self, who: usize, what: impl fmt::Display) {
        if !self.over.get() {
            let ns = (now() - self.start).as_nanos();
            self.said.borrow_mut().push(format!("{ns} {who} {what}"));
        }
    }
}

/// Says how its task ended.
struct Ending {
    run: Rc<Run>,
    who: usize,
    done: bool,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let how = if self.done { "done" } else { "dropped" };
        self.run.say(self.who, how);
    }
}

async fn task(run: Rc<Run>, who: usize) {
    let mut ending = Ending {
        run: run.clone(),
        who,
        done: false,
    };
    let steps = run.program.0[who].clone();
    for (number, step) in steps.into_iter().enumerate() {
        run.say(who, format_args!("{number} {step}"));
        match step {
            Step::Yield => yield_now().await,
            Step::Sleep(ns) => sleep(Duration::from_nanos(ns)).await,
            Step::Spawn(whom) => {
                // Boxed: a future cannot contain itself.
                let task: std::pin::Pin<Box<dyn Future<Output = ()>>> =
                    Box::pin(task(run.clone(), whom));
                run.handles.borrow_mut().insert(whom, spawn(task));
            }
            Step::Abort(whom) => {
                if let Some(handle) = run.handles.borrow().get(&whom) {
                    handle.abort();
                }
            }
            Step::Join(whom) => {
                let handle = run.handles.borrow_mut().remove(&whom);
                match handle {
                    None => run.say(who, "no handle"),
                    Some(handle) => match handle.await {
                        Ok(()) => run.say(who, format_args!("{whom} was done")),
                        Err(_) => run.say(who, format_args!("{whom} was cancelled")),
                    },
                }
            }
        }
    }
    ending.done = true;
}

fn run_here(program: &Program) -> String {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        let run = Rc::new(Run {
            program: program.clone(),
            start: now(),
            handles: RefCell::default(),
            said: RefCell::default(),
            over: Cell::new(false),
        });
        task(run.clone(), 0).await;
        run.over.set(true);
        let said = run.said.borrow().join("|");
        // Handles know the run through their tasks: let go of them, or nothing is ever freed.
        drop(run.handles.take());
        said
    })
}
