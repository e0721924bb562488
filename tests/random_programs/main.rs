//! Random programs run on the real executor and on a model of it, and must look the same from
//! inside: who did what at which time, in which order, and with which outcome.
//!
//! Each program is made of bytes, the bytes of a seed. A failing seed is printed together with the
//! smallest program found that fails too, and `WATCHGLASS_SEED=... cargo test --test random_programs`
//! runs it alone. `WATCHGLASS_SEEDS=100000` runs as many as that.
//!
//! Blocking closures are not among the operations: when they end is up to the operating system.

mod check;
mod model;
mod program;
mod real;

use std::env;
use std::fs;

use check::fault;
use program::program;

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
        None => 0..number("WATCHGLASS_SEEDS").unwrap_or(5000),
    };
    for seed in seeds {
        if let Some(fault) = fault(&bytes_of(seed)) {
            let small = shrink(bytes_of(seed));
            panic!(
                "{fault}\nrun it again: WATCHGLASS_SEED={seed} cargo test --test random_programs\n\
                 {:#?}\nin this smaller program: {}",
                program(&small),
                check::fault(&small).unwrap_or_default(),
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

/// What the fuzzer has collected (see `fuzz/README.md`). A package has none of it.
#[test]
fn the_corpus_of_the_fuzzer_looks_the_same_as_on_the_model() {
    let Ok(corpus) = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/executor"))
    else {
        return;
    };
    for file in corpus {
        let path = file.unwrap().path();
        let fault = fault(&fs::read(&path).unwrap());
        assert_eq!(fault, None, "{}", path.display());
    }
}
