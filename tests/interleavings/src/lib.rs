//! What watchglass's threads share, under two checkers of interleavings: its inbox, and the list in which a
//! `join_all` finds which of its futures were woken.
//!
//! [loom](https://docs.rs/loom) goes through every order in which the steps of the threads can happen
//! (with at most three switches that nothing asks for) and every value that a load may see under the
//! memory model. [shuttle](https://docs.rs/shuttle) tries random orders, many more steps long, and
//! takes every atomic for sequentially consistent: what is only wrong with the orderings it cannot
//! find.
//!
//! The code that they run is that of `src/` itself (see `build.rs`): `inbox.rs` alone, and `join_all.rs` with
//! `waiter.rs` and the inbox. The channel is modelled by `src/shims/channel.rs` in here, and the count of an
//! `Arc` is the real one: it orders nothing in loom's eyes. A wake that is lost leaves the executor parked for
//! ever, which both report as a deadlock.

// Each copy has what only the executor uses.
#![allow(dead_code, unused_imports, unused_variables, missing_docs)]

use std::cell::{Cell, RefCell};
use std::panic::{self, catch_unwind};
use std::sync::Once;
use std::time::Instant;

mod inbox_scenarios;
mod join_scenarios;
pub mod shims;
pub mod task;
pub mod trace;

include!(concat!(env!("OUT_DIR"), "/checked.rs"));

/// The name of a fault, or `none`, and what is to be tried: each scenario by its name.
pub type Checked = (&'static str, &'static [(&'static str, fn())]);

thread_local! {
    static IS_CHECKING: Cell<bool> = const { Cell::new(false) };
    static LATE: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// Does something only when the poll is over, which is too late.
pub fn after_the_poll(late: impl FnOnce() + 'static) {
    LATE.with_borrow_mut(|all| all.push(Box::new(late)));
}

pub(crate) fn the_poll_is_over() {
    LATE.take().into_iter().for_each(|late| late());
}

pub(crate) fn forget_late() {
    std::mem::forget(LATE.take());
}

/// Fails unless the checker finds nothing in the copy as it is, something in each with a fault that
/// is `wanted`, and nothing in the others.
pub fn hold(copies: &[Checked], check: fn(fn()), wanted: impl Fn(&str) -> bool) {
    let mut wrong = Vec::new();
    for (fault, scenarios) in copies {
        let start = Instant::now();
        let find = |(name, scenario): &(&str, fn())| {
            let text = found(check, *scenario)?;
            Some(format!("{name}: {text:.60}"))
        };
        let found = scenarios.iter().find_map(find);
        let told = found.clone().unwrap_or("nothing is found".to_owned());
        eprintln!("fault: {fault}: {told} ({:.1?})", start.elapsed());
        let is_fault = |text: String| {
            ["deadlock", "false verdict", "lost wake", "kept for ever"]
                .iter()
                .any(|kind| text.contains(kind))
        };
        if found.is_some_and(is_fault) != (*fault != "none" && wanted(fault)) {
            wrong.push(fault);
        }
    }
    assert!(wrong.is_empty(), "not as expected: {wrong:?}");
}

/// What the checker finds, if it finds something.
fn found(check: fn(fn()), scenario: fn()) -> Option<String> {
    // The panics are what is wanted, by the ten thousand: nobody needs to read them. The hook is for all threads, also
    // for those on which the other tests run.
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_CHECKING.get() {
                loud(info);
            }
        }));
    });
    IS_CHECKING.set(true);
    let checked = catch_unwind(|| check(scenario));
    IS_CHECKING.set(false);
    let payload = checked.err()?;
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref().map(|text: &&str| (*text).to_owned()))
}
