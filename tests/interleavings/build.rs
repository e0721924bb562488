//! Makes, of `src/inbox.rs`, what the checkers run.
//!
//! The file is taken as it is, except for its imports: where it says `std::thread`, it gets the
//! checker's. And once for each planted fault, with that fault. A text that is to be replaced and is
//! not found exactly once ends the build, so no fault goes missing when the file changes.

use std::env;
use std::fs;
use std::path::PathBuf;

const CHECKERS: [&str; 2] = ["under_loom", "under_shuttle"];

/// What the checkers replace.
const IMPORTS: [(&str, &str); 3] = [
    ("use std::sync::atomic::", "use super::atomic::"),
    (
        "use std::thread::{self, Thread};",
        "use super::thread::{self, Thread};",
    ),
    ("use crossbeam_channel::", "use super::channel::"),
];

/// The name of each fault, and what it replaces by what.
const FAULTS: [(&str, &str, &str); 15] = [
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
        "self.blocking_jobs.load(Ordering::Acquire)",
        "self.blocking_jobs.load(Ordering::Relaxed)",
    ),
    (
        "nobody_unparked_when_a_job_ends",
        "self.blocking_jobs.fetch_sub(1, Ordering::Release);
        self.unpark();",
        "self.blocking_jobs.fetch_sub(1, Ordering::Release);",
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

fn main() {
    let source = "../../src/inbox.rs";
    println!("cargo::rerun-if-changed={source}");
    println!("cargo::rerun-if-changed=build.rs");
    let text = fs::read_to_string(source).unwrap();
    // An included file cannot have a module's doc.
    let lines = text.lines().filter(|line| !line.starts_with("//!"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = IMPORTS.iter().fold(text, replaced_once);
    let mut all = String::new();
    for checker in CHECKERS {
        let mut modules = String::new();
        let mut list = String::new();
        for (name, from, to) in FAULTS {
            let text = match name {
                "none" => text.clone(),
                _ => replaced_once(text.clone(), &(from, to)),
            };
            modules += &format!("pub mod {name} {{\n{text}\ncrate::scenarios!();\n}}\n");
            list += &format!("(\"{name}\", {name}::SCENARIOS),\n");
        }
        all += &format!(
            "/// `src/inbox.rs` {checker}, as it is and with each fault.\n\
             pub mod {checker} {{\n\
             pub use crate::shims::{checker}::*;\n\
             pub const INBOXES: &[crate::Inbox] = &[\n{list}];\n{modules}}}\n"
        );
    }
    let target = PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("inboxes.rs");
    fs::write(target, all).unwrap();
}

fn replaced_once(text: String, &(from, to): &(&str, &str)) -> String {
    let found = text.matches(from).count();
    assert_eq!(found, 1, "src/inbox.rs has this {found} times: {from}");
    text.replace(from, to)
}
