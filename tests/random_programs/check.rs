//! Runs one program on both, and compares.

use std::any::Any;
use std::cell::Cell;
use std::fmt::Write;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::model;
use crate::program::program;
use crate::real::{self, Mode, Ran};

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
pub(crate) fn fault(bytes: &[u8]) -> Option<String> {
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
