//! Makes, of `src/inbox.rs`, `src/waiter.rs` with its part, and `src/join_all.rs`, what the checkers run.
//!
//! The files are taken as they are, except for their imports: where one says `std::thread`, it gets
//! the checker's. And once for each planted fault, with that fault. A text that is to be replaced and is
//! not found exactly once ends the build, so no fault goes missing when a file changes.

use std::env;
use std::fs;
use std::path::PathBuf;

const CHECKERS: [&str; 2] = ["under_loom", "under_shuttle"];

/// The name of a fault, and what it replaces by what.
type Fault = (&'static str, &'static str, &'static str);

/// What is replaced in the inbox for the checkers.
const INBOX_IMPORTS: [(&str, &str); 3] = [
    ("use std::sync::atomic::", "use super::atomic::"),
    (
        "use std::thread::{self, Thread, ThreadId};",
        "use std::thread::ThreadId;
        use super::thread::{self, Thread};",
    ),
    ("use crossbeam_channel::", "use super::channel::"),
];

/// The atomics of a join's wakers stay the standard library's: what orders them is the count of an `Arc`, and that
/// is not modelled.
const WAITER_IMPORTS: [(&str, &str); 1] = [("use crate::guard::", "use super::guard::")];

const WOKEN_CHILDREN_IMPORTS: [(&str, &str); 2] = [
    ("use std::sync::atomic::", "use super::super::atomic::"),
    (
        "use std::sync::{Arc, Mutex, MutexGuard, PoisonError};",
        "use std::sync::{Arc, PoisonError};
        use super::super::{Mutex, MutexGuard};",
    ),
];

const JOIN_ALL_IMPORTS: [(&str, &str); 4] = [
    ("use crate::context::", "use super::context::"),
    ("use crate::guard::", "use super::guard::"),
    ("use crate::counted_waker::", "use super::counted_waker::"),
    ("use crate::waiter::", "use super::waiter::"),
];

const COUNTED_WAKER_IMPORTS: [(&str, &str); 1] = [("use crate::inbox::", "use super::inbox::")];

const INBOX_FAULTS: [Fault; 15] = [
    ("none", "", ""),
    (
        "flag_cleared_after_the_poll",
        "letter.sent.swap(false, Ordering::AcqRel);",
        "crate::after_the_poll({
             let letter = letter.clone();
             move || { letter.sent.swap(false, Ordering::AcqRel); }
         });",
    ),
    (
        "inbox_looked_at_before_the_parked_mark",
        "home.parked.swap(true, Ordering::Acquire);
        fence(Ordering::SeqCst);
        if !self.is_empty() || ready() {",
        "let found = !self.is_empty() || ready();
        home.parked.swap(true, Ordering::Acquire);
        fence(Ordering::SeqCst);
        if found {",
    ),
    ("unpark_dropped", "self.thread.unpark();", ""),
    (
        "unparked_before_the_letter_is_sent",
        "if self.inbox.send(letter).is_ok() {
            self.mail.swap(true, Ordering::Release);
            self.unpark();
        }",
        "self.unpark();
        self.inbox.send(letter).ok();
        self.mail.swap(true, Ordering::Release);",
    ),
    (
        "mail_raised_by_a_store",
        "self.mail.swap(true, Ordering::Release);",
        "self.mail.store(true, Ordering::Release);",
    ),
    (
        "mail_taken_down_without_acquiring",
        "self.mail.swap(false, Ordering::AcqRel)",
        "self.mail.swap(false, Ordering::Relaxed)",
    ),
    (
        "mail_raised_before_the_letter_is_sent",
        "if self.inbox.send(letter).is_ok() {
            self.mail.swap(true, Ordering::Release);",
        "self.mail.swap(true, Ordering::Release);
        if self.inbox.send(letter).is_ok() {",
    ),
    (
        "no_fence_before_the_unpark",
        "fence(Ordering::SeqCst);
        if self.parked.load(",
        "if self.parked.load(",
    ),
    (
        "no_fence_before_the_last_look",
        "fence(Ordering::SeqCst);
        if !self.is_empty()",
        "if !self.is_empty()",
    ),
    (
        "flag_cleared_without_reading_it",
        "letter.sent.swap(false, Ordering::AcqRel);",
        "letter.sent.store(false, Ordering::Relaxed);",
    ),
    (
        "count_of_jobs_acquires_nothing",
        "self.blocking_calls.load(Ordering::Acquire)",
        "self.blocking_calls.load(Ordering::Relaxed)",
    ),
    (
        "nobody_unparked_when_a_job_ends",
        "self.blocking_calls.fetch_sub(1, Ordering::Release);
        self.unpark();",
        "self.blocking_calls.fetch_sub(1, Ordering::Release);",
    ),
    (
        "nobody_unparked_when_the_last_waker_goes",
        "if *self.watched.get_mut() {",
        "if false {",
    ),
    (
        "what_is_not_in_the_inbox_not_looked_at_again",
        "if !self.is_empty() || ready() {",
        "if !self.is_empty() {",
    ),
];

/// Faults of `src/waiter.rs`, its part and `src/join_all.rs`: each is in one of them.
const JOIN_FAULTS: [Fault; 10] = [
    ("none", "", ""),
    (
        "woken_flag_cleared_after_the_poll",
        "self.woken.begin_poll(index, target.strong_count() == 1);",
        "crate::after_the_poll({
             let woken = self.woken.clone();
             move || woken.begin_poll(index, false)
         });",
    ),
    (
        "list_not_looked_at_before_the_join_waits",
        "if !locked.list.is_empty() {",
        "if false {",
    ),
    (
        "flag_raised_without_the_lock",
        "let mut locked = self.lock();
        if self.is_listed[index].load(Ordering::Relaxed) {
            // `returned` is dropped after `locked`, being an argument: its drop may take this lock.
            return Parent::default();
        }
        self.is_listed[index].store(true, Ordering::Relaxed);",
        "if self.is_listed[index].load(Ordering::Relaxed) {
            return Parent::default();
        }
        self.is_listed[index].store(true, Ordering::Relaxed);
        let mut locked = self.lock();",
    ),
    (
        "flag_cleared_without_the_lock",
        "false => Some(self.lock()),",
        "false => None::<MutexGuard<'_, Locked>>,",
    ),
    (
        "lent_waker_that_goes_is_not_noticed",
        "if *self.is_lent.get_mut() {",
        "if false {",
    ),
    (
        "lent_waker_that_went_is_not_looked_for_before_the_join_waits",
        "locked.parent = parent;
        let unneeded = self.unneeded(&mut locked.parent);
        drop(locked);
        drop(unneeded);",
        "locked.parent = parent;
        drop(locked);",
    ),
    (
        "first_wake_forgets_the_parent",
        "1 => mem::take(&mut locked.parent),",
        "1 => Parent::default(),",
    ),
    (
        "waker_that_nobody_has_any_more_counts_as_lent",
        "target.end_lending();
        if !others_have_it {",
        "if !others_have_it {",
    ),
    (
        "flags_raised_only_when_the_join_is_closed",
        "for is_listed in &self.is_listed {
            is_listed.store(true, Ordering::Relaxed);
        }
        let before = mem::take(&mut *locked);
        drop(locked);",
        "let before = mem::take(&mut *locked);
        drop(locked);
        for is_listed in &self.is_listed {
            is_listed.store(true, Ordering::Relaxed);
        }",
    ),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let inbox = source("inbox", &INBOX_IMPORTS);
    let woken_children = source("waiter/woken_children", &WOKEN_CHILDREN_IMPORTS);
    let inline = format!("mod woken_children {{\n{woken_children}\n}}");
    let waiter = replaced_once(
        source("waiter", &WAITER_IMPORTS),
        &("mod woken_children;", &inline),
    );
    let join: String = [
        ("inbox", inbox.clone()),
        (
            "counted_waker",
            source("counted_waker", &COUNTED_WAKER_IMPORTS),
        ),
        ("waiter", waiter),
        ("join_all", source("join_all", &JOIN_ALL_IMPORTS)),
    ]
    .map(|(name, text)| format!("pub mod {name} {{\n{text}\n}}\n"))
    .concat();
    let inbox = copies(&(inbox + "\ncrate::inbox_scenarios!();"), &INBOX_FAULTS);
    let join = copies(&(join + "crate::join_scenarios!();"), &JOIN_FAULTS);
    let checked = CHECKERS.map(|checker| {
        format!(
            "pub mod {checker} {{\nuse crate::shims::{checker}::*;\n\
             pub mod inbox {{\nuse super::*;\n{inbox}}}\n\
             pub mod join {{\nuse super::*;\n{join}}}\n}}\n"
        )
    });
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("checked.rs");
    fs::write(target, checked.concat()).unwrap();
}

/// A file of the library with other imports, without its tests.
fn source(name: &str, imports: &[(&str, &str)]) -> String {
    let path = format!("../../src/{name}.rs");
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).unwrap();
    // An included file cannot have a module's doc.
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    let text = lines.collect::<Vec<_>>().join("\n");
    imports.iter().fold(text, replaced_once)
}

/// A module for each fault, and a list of them all.
fn copies(text: &str, faults: &[Fault]) -> String {
    let (mut modules, mut list) = (String::new(), String::new());
    for &(name, from, to) in faults {
        let text = match name {
            "none" => text.to_owned(),
            _ => replaced_once(text.to_owned(), &(from, to)),
        };
        modules += &format!("pub mod {name} {{\nuse super::*;\n{text}\n}}\n");
        list += &format!("(\"{name}\", {name}::SCENARIOS),\n");
    }
    format!("pub const COPIES: &[crate::Checked] = &[\n{list}];\n{modules}")
}

fn replaced_once(text: String, &(from, to): &(&str, &str)) -> String {
    let found = text.matches(from).count();
    assert_eq!(found, 1, "this is there {found} times: {from}");
    text.replace(from, to)
}
