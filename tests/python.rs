//! Each program of `examples/python/` and its counterpart in Rust print the same lines and take the
//! same time.

mod example;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use example::example;

/// A run's lines, each with a `_` for every time in it, and the times.
#[derive(Debug)]
struct Run {
    lines: Vec<String>,
    seconds: Vec<f64>,
}

/// Both programs at the same time, so that both suffer from whatever else the machine does. `None`
/// without python3.
fn run_both(python: &str, rust: &str) -> Option<(Run, Run)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/python/{python}.py"));
    let mut command = Command::new("python3");
    command.arg(script).stdout(Stdio::piped());
    let python = command.stderr(Stdio::null()).spawn();
    let Ok(python) = python else {
        println!("skipped: there is no python3");
        return None;
    };
    let rust = example(rust).stdout(Stdio::piped()).spawn().unwrap();
    Some((read(python), read(rust)))
}

fn read(child: std::process::Child) -> Run {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let mut seconds = Vec::new();
    let lines = output.lines().map(|line| take_times(line, &mut seconds));
    Run {
        lines: lines.collect(),
        seconds,
    }
}

fn take_times(line: &str, seconds: &mut Vec<f64>) -> String {
    let time = |word: &str| word.contains('.').then(|| word.parse::<f64>().ok())?;
    let mut words = Vec::new();
    for word in line.split(' ') {
        match time(word) {
            Some(time) => {
                seconds.push(time);
                words.push("_");
            }
            None => words.push(word),
        }
    }
    words.join(" ")
}

/// Compares a program of examples/python/ with the example of the same name.
fn assert_alike(name: &str, translate: impl Fn(&str) -> String) {
    for attempt in 1.. {
        let Some((python, rust)) = run_both(name, name) else {
            return;
        };
        let translated: Vec<String> = python.lines.iter().map(|line| translate(line)).collect();
        let says_the_same = translated == rust.lines && python.seconds.len() == rust.seconds.len();
        // 2 s and 3 s must not be taken for the same, but a busy machine may be late three times.
        let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 0.7;
        if says_the_same && python.seconds.iter().zip(&rust.seconds).all(alike) {
            return;
        }
        assert!(attempt < 4, "{name}: {python:?} {rust:?}");
    }
}

/// Both programs of chapter 1, and the first two warnings. They only wait, so they do it together.
#[test]
fn the_programs_that_wait() {
    let waits = |name| move || assert_alike(name, str::to_owned);
    thread::scope(|scope| {
        scope.spawn(waits("synchronous"));
        scope.spawn(waits("asynchronous"));
        scope.spawn(waits("one_after_the_other"));
        scope.spawn(|| {
            assert_alike("blocking_in_async", |line| {
                line.replace("time.sleep", "thread::sleep")
                    .replace("asyncio.to_thread", "spawn_blocking")
            });
        });
    });
}

/// How long a computation takes is not the same in the two languages. That one begins when the
/// other has ended is.
#[test]
fn the_third_warning_concurrent_is_not_parallel() {
    let Some((python, rust)) = run_both("not_parallel", "not_parallel") else {
        return;
    };
    let without_numbers = |line: &String| {
        let is_digit = |c: char| c.is_ascii_digit();
        line.split(is_digit).collect::<String>()
    };
    let python_lines: Vec<String> = python
        .lines
        .iter()
        .map(|line| line.replace("MainThread", "main"))
        .collect();
    let ours = &rust.lines[..python_lines.len()];
    assert!(
        python_lines
            .iter()
            .map(without_numbers)
            .eq(ours.iter().map(without_numbers)),
        "{python_lines:?} {ours:?}"
    );
    // From and to of A, from and to of B, and the total; of the calls, and then of the tasks.
    for run in [&python, &rust] {
        for times in [&run.seconds[..5], &run.seconds[5..10]] {
            let (a_ends, b_begins) = (times[1], times[2]);
            assert!(a_ends <= b_begins, "they overlap: {times:?}");
        }
    }
}

#[test]
fn calling_runs_nothing() {
    let Some((python, mut rust)) = run_both("calling", "calling") else {
        return;
    };
    rust.lines.retain(|line| line != "the argument is computed");
    assert_eq!(python.lines, rust.lines);
}

/// Its rows are functions of the two programs. Only one of the two has virtual time.
#[test]
fn the_table_of_chapter_12() {
    let mut python = Command::new("python3");
    let has_groups = python.args(["-c", "import asyncio; asyncio.TaskGroup"]);
    if !has_groups.output().is_ok_and(|run| run.status.success()) {
        println!("skipped: asyncio.TaskGroup came with Python 3.11");
        return;
    }
    assert_alike("what_maps_to_what", |line| {
        line.replace("waiting: -", "waiting: an hour took no minute")
    });
}

/// Chapter 12 says what maps to what: the names on Python's side are names of asyncio.
#[test]
fn the_names_of_asyncio_in_the_book_exist() {
    let chapter = include_str!("../docs/12-back-to-python.md");
    let names = chapter.split("`asyncio.").skip(1);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names: BTreeSet<&str> = names
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap())
        .collect();
    assert!(names.len() > 10, "{names:?}");
    let missing = "print([n for n in sys.argv[1:] if not hasattr(asyncio, n)])";
    let recent = "sys.version_info >= (3, 11) or sys.exit()";
    let script = format!("import asyncio, sys; {recent}; {missing}");
    let mut python = Command::new("python3");
    let Ok(output) = python.args(["-c", &script]).args(names).output() else {
        println!("skipped: there is no python3");
        return;
    };
    let printed = String::from_utf8(output.stdout).unwrap();
    // Nothing at all from a Python without asyncio.TaskGroup.
    assert!(["[]", ""].contains(&printed.trim()), "no {printed}");
}
