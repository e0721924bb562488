//! Random programs run on the real executor and on a model of it, and must look the same from
//! inside: who did what at which time, in which order, and with which outcome.
//!
//! Each program is made of bytes, the bytes of a seed. A failing seed is printed together with the
//! smallest program found that fails too, and `WATCHGLASS_SEED=... cargo test --test random_programs`
//! runs it alone. `WATCHGLASS_SEEDS=100000` runs as many as that.
//!
//! Blocking closures are not among the operations: when they end is up to the operating system.

mod model;
mod program;
mod real;

use std::any::Any;
use std::cell::Cell;
use std::env;
use std::fmt::Write;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use program::program;
use real::{Mode, Ran};

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn bytes_of(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let length = 10 + random(&mut state) % 300;
    (0..length).map(|_| random(&mut state) as u8).collect()
}

thread_local! {
    /// True while programs run: their panics are part of them, and nobody wants to read of them.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

fn be_quiet_while_programs_run() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                tell(info);
            }
        }));
    });
}

/// What is wrong with the run of these bytes' program, if something is.
fn fault(bytes: &[u8]) -> Option<String> {
    be_quiet_while_programs_run();
    let phases = program(bytes);
    QUIET.set(true);
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let model = model::run(&phases);
        let plain = real::run(&phases, Mode::Plain);
        difference("the model and the executor", &model, &plain.log).or_else(|| {
            let traced = real::run(&phases, Mode::Traced);
            let again = real::run(&phases, Mode::Traced);
            let shuffled = real::run(&phases, Mode::Shuffled(7));
            let shuffled_again = real::run(&phases, Mode::Shuffled(7));
            difference("untraced and traced", &plain.log, &traced.log)
                .or_else(|| same("two runs", &traced, &again))
                .or_else(|| same("two shuffled runs", &shuffled, &shuffled_again))
        })
    }));
    QUIET.set(false);
    checked.unwrap_or_else(|payload| Some(format!("a panic: {:?}", text(&*payload))))
}

fn text(payload: &dyn Any) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

fn same(what: &str, one: &Ran, two: &Ran) -> Option<String> {
    difference(what, &one.log, &two.log).or_else(|| difference(what, &one.trace, &two.trace))
}

/// The first lines that differ, with what comes before.
fn difference(what: &str, one: &[String], two: &[String]) -> Option<String> {
    let lines = one.len().max(two.len());
    let first = (0..lines).find(|&line| one.get(line) != two.get(line))?;
    let mut text = format!("{what} differ in line {first}:\n");
    for line in &one[first.saturating_sub(12)..first] {
        writeln!(text, "      {line}").unwrap();
    }
    for line in [one.get(first), two.get(first)] {
        writeln!(text, "  !!  {line:?}").unwrap();
    }
    Some(text)
}

/// Leaves out what the fault does not need.
fn shrink(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut size = bytes.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < bytes.len() {
            let mut fewer = bytes.clone();
            fewer.drain(at..(at + size).min(bytes.len()));
            match fault(&fewer) {
                Some(_) => bytes = fewer,
                None => at += size,
            }
        }
        size /= 2;
    }
    bytes
}

fn number(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {value}")),
    )
}

#[test]
fn every_program_looks_the_same_as_on_the_model() {
    let seeds = match number("WATCHGLASS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WATCHGLASS_SEEDS").unwrap_or(1500),
    };
    for seed in seeds {
        if let Some(fault) = fault(&bytes_of(seed)) {
            let small = shrink(bytes_of(seed));
            panic!(
                "{fault}\nrun it again: WATCHGLASS_SEED={seed} cargo test --test random_programs\n\
                 {:#?}\nin this smaller program: {}",
                program(&small),
                self::fault(&small).unwrap_or_default(),
            );
        }
    }
}

#[test]
fn the_programs_do_everything() {
    let logs: Vec<String> = (0..2000)
        .flat_map(|seed| model::run(&program(&bytes_of(seed))))
        .collect();
    for what in [
        "has yielded",
        "has slept",
        "has slept until",
        "reset to",
        "elapsed true",
        "elapsed false",
        "gives None",
        "gives Some",
        "tick",
        "spawns",
        "awaits",
        "gets the output",
        "was cancelled",
        "task panicked",
        "too short a time",
        "finished true",
        "finished false",
        "joined all",
        "won",
        "received",
        "a drop",
        "drops a set of 1",
        "no outcome in time",
        "gets nothing",
        "stalled",
        "done",
        "panics",
    ] {
        assert!(logs.iter().any(|line| line.contains(what)), "none {what}");
    }
}
