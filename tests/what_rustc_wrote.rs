//! Chapter 5 shows what rustc makes of an async function, chapter 2 what it says of one that is called
//! in vain, and chapters 3 and 6 quote the standard library. This runs rustc and compares.
//!
//! Two kinds of block in the chapter come from here:
//!
//! - `<!-- mir: LISTING FUNCTION [signature] [bbN ...] -->`: the function as `--emit=mir` prints it, or
//!   only the named parts of it, without declarations and renumbered. See [`tidy`].
//! - `<!-- drop glue: LISTING FUNCTION -->`: what dropping the function's future does, from
//!   `--emit=llvm-ir`. See [`drop_glue`].
//!
//! `BLESS=1 cargo test --test what_rustc_wrote` writes the blocks. They are compared on the
//! compiler that the chapter names; on every compiler, the facts that the chapter states are checked.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

mod chapter;
mod example;

use chapter::{Page, chapters, files_under, read, relative, root};
use example::example;

/// The compiler whose output the chapter shows.
const VERSION: &str = "rustc 1.95.";

const MIR: &str = "rustc --edition 2024 --emit=mir=- docs/listings/task_async.rs";

#[test]
fn the_chapter_shows_what_rustc_writes() {
    let path = root().join("docs/05-what-rustc-wrote.md");
    let text = read(&path);
    assert!(
        text.contains(VERSION),
        "the chapter names its compiler, {VERSION}"
    );
    assert!(
        text.contains(MIR),
        "the chapter says how to see all of it: {MIR}"
    );
    let version = rustc(&["--version"], &root());
    if !version.starts_with(VERSION) {
        println!("skipped: the chapter shows {VERSION}, this is {version}");
        return;
    }
    let mut wrong = Vec::new();
    let mut shown = 0;
    let mut page = Page::read(&path);
    for block in page.blocks() {
        let actual = if let Some(note) = block.note.strip_prefix("mir: ") {
            let mut words = note.split(' ');
            let listing = words.next().unwrap_or_default();
            let function = words.next().unwrap_or_default();
            let wanted: Vec<&str> = words.collect();
            tidy(&function_of(&mir(&listings(), listing), function), &wanted)
        } else if let Some(note) = block.note.strip_prefix("drop glue: ") {
            let (listing, function) = note.split_once(' ').expect("a listing and a function");
            drop_glue(listing, function)
        } else {
            continue;
        };
        shown += 1;
        page.expect(&block, &actual, |a, b| a == b, &mut wrong);
    }
    page.write_if_blessed();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(shown >= 10, "the chapter has its blocks");
}

#[test]
fn no_other_chapter_shows_mir() {
    for chapter in chapters() {
        let shows = Page::read(&chapter)
            .blocks()
            .iter()
            .any(|b| b.note.starts_with("mir: "));
        assert_eq!(shows, relative(&chapter) == "docs/05-what-rustc-wrote.md");
    }
    assert!(files_under("docs/listings").len() >= 3);
}

#[test]
fn a_call_packs_its_arguments_and_calls_nothing() {
    let call = function_of(&mir(&listings(), "task_async.rs"), "task_async");
    assert!(call.contains("{ name: move _1, delay: copy _2 }") || call.contains("name: copy _1"));
    assert!(
        !call.contains("-> [return"),
        "no function is called:\n{call}"
    );
}

/// For any number of awaits n: one switch with 3 + n targets, for the start, the end, a panic and
/// each await; one store of 3, 4, ... for each await; one of 1; one of 2; and both messages.
#[test]
fn each_await_adds_one_state() {
    for awaits in 0..4 {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let file = format!("awaits_{awaits}.rs");
        let body = "std::future::ready(()).await; ".repeat(awaits);
        let source = format!("pub async fn f() {{ g(); {body} }} fn g() {{}} fn main() {{}}");
        fs::write(folder.join(&file), source).expect("the folder for tests can be written");
        let poll = function_of(&mir(&folder, &file), "f::{closure#0}");

        let switch = poll
            .lines()
            .find(|line| line.contains("switchInt"))
            .expect("a switch");
        let targets: Vec<u32> = switch[switch.find('[').expect("targets")..]
            .trim_start_matches('[')
            .split(", ")
            .filter_map(|target| target.split(':').next()?.parse().ok())
            .collect();
        let expected: Vec<u32> = (0..3 + awaits as u32).collect();
        assert_eq!(targets, expected, "{switch}");

        let stores = stores(&poll);
        let expected: BTreeMap<u32, usize> = (1..3 + awaits as u32).map(|s| (s, 1)).collect();
        assert_eq!(stores, expected, "each state but the first is stored once");
    }
}

#[test]
fn a_future_that_ended_or_panicked_refuses_to_be_polled() {
    let poll = function_of(
        &mir(&listings(), "task_async.rs"),
        "task_async::{closure#0}",
    );
    assert!(poll.contains("`async fn` resumed after completion"));
    assert!(poll.contains("`async fn` resumed after panicking"));
}

#[test]
fn a_borrow_across_an_await_points_from_one_field_to_another() {
    let poll = function_of(
        &mir(&listings(), "self_reference.rs"),
        "self_reference::{closure#0}",
    );
    let field = |place: &str| place.contains("as variant#3)");
    let assignments = || {
        poll.lines()
            .filter_map(|line| line.trim().split_once(" = "))
    };
    let pointer = assignments()
        .find(|(_, value)| value.starts_with('&') && field(value))
        .map(|(local, _)| format!("copy {local};"))
        .unwrap_or_else(|| panic!("nothing points at a field:\n{poll}"));
    assert!(
        assignments().any(|(place, value)| field(place) && value == pointer),
        "{poll}"
    );
}

#[test]
fn dropping_a_suspended_future_drops_what_its_state_holds() {
    let glue = drop_glue("task_async.rs", "task_async");
    let arms: Vec<&str> = glue
        .lines()
        .filter(|line| line.trim().starts_with("i32 "))
        .collect();
    assert_eq!(arms.len(), 2, "only states 0 and 3 are told apart:\n{glue}");
    assert_eq!(
        glue.matches("drop_in_place<task_async::Sleep>").count(),
        1,
        "{glue}"
    );
}

/// Chapter 2 quotes the compiler's warning.
#[test]
fn the_compiler_warns_of_a_future_that_is_dropped_at_once() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let source = "async fn f() {} fn main() { f(); }";
    fs::write(folder.join("dropped.rs"), source).expect("the folder for tests can be written");
    let arguments = ["--edition", "2024", "--emit=metadata", "dropped.rs"];
    let mut command = Command::new("rustc");
    let output = command.args(arguments).current_dir(&folder).output();
    let warned = String::from_utf8(output.expect("rustc runs").stderr).expect("text");
    let quoted = "futures do nothing unless you `.await` or poll them";
    assert!(warned.contains(quoted), "{warned}");
    assert!(read(&root().join("docs/02-calling-does-nothing.md")).contains(quoted));
}

/// `<!-- quoted: std -->` above a block: it is in the standard library. What is quoted of a trait and an
/// enum must fit the real ones: each can be made of the other.
#[test]
fn what_is_quoted_of_the_standard_library_fits_it() {
    let mut quoted: Vec<String> = Vec::new();
    for chapter in chapters() {
        for block in Page::read(&chapter).blocks() {
            if block.note == "quoted: std" {
                quoted.push(block.text);
            } else {
                let place = block.place(&chapter);
                assert!(block.language != "rs" || !block.note.is_empty(), "{place}");
            }
        }
    }
    let [future, poll, method] = &quoted[..] else {
        panic!("another number of quotations: {quoted:#?}");
    };
    assert!(future.contains(method.trim()), "{method} in {future}");
    let source = format!(
        "#![allow(dead_code)]
         use std::pin::Pin;
         use std::task::Context;

         mod quoted {{
             use std::pin::Pin;
             use std::task::Context;
             {future}
             {poll}
         }}
         struct FromStd<F>(F);
         impl<F: Future + Unpin> quoted::Future for FromStd<F> {{
             type Output = F::Output;
             fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> quoted::Poll<F::Output> {{
                 match Pin::new(&mut self.get_mut().0).poll(cx) {{
                     std::task::Poll::Ready(output) => quoted::Poll::Ready(output),
                     std::task::Poll::Pending => quoted::Poll::Pending,
                 }}
             }}
         }}
         struct IntoStd<F>(F);
         impl<F: quoted::Future + Unpin> Future for IntoStd<F> {{
             type Output = F::Output;
             fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> std::task::Poll<F::Output> {{
                 match quoted::Future::poll(Pin::new(&mut self.get_mut().0), cx) {{
                     quoted::Poll::Ready(output) => std::task::Poll::Ready(output),
                     quoted::Poll::Pending => std::task::Poll::Pending,
                 }}
             }}
         }}"
    );
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::write(folder.join("quoted.rs"), source).expect("the folder for tests can be written");
    let arguments = ["--edition", "2024", "--crate-type", "lib"];
    rustc(
        &[&arguments[..], &["--emit=metadata", "quoted.rs"]].concat(),
        &folder,
    );
}

/// What chapter 5 advises about sizes. That its arguments count twice is not here: that may be mended
/// in the compiler any day.
#[test]
fn a_future_holds_what_lives_across_an_await_and_nothing_else() {
    let output = example("sizes").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let bytes = |name: &str| -> usize {
        let line = printed.lines().find(|line| line.starts_with(name));
        let words: Vec<&str> = line.unwrap().split_whitespace().collect();
        words[words.len() - 2].parse().unwrap()
    };
    let buffer = 1024;
    assert!(bytes("used_after_the_await") >= buffer);
    assert!(bytes("an_argument") >= buffer);
    assert!(bytes("in_a_block_before_the_await") < buffer);
    assert!(bytes("dropped_before_the_await") < buffer);
    assert!(bytes("in_a_box") < buffer);
    assert!(bytes("task_async by rustc") >= bytes("TaskAsync by hand"));
}

/// How often each number is stored into the future's state.
fn stores(poll: &str) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for line in poll
        .lines()
        .filter(|line| line.trim().starts_with("discriminant("))
    {
        let number = line
            .split(" = ")
            .nth(1)
            .expect("a store")
            .trim_end_matches(';');
        *counts.entry(number.parse().expect("a number")).or_default() += 1;
    }
    counts
}

fn mir(folder: &Path, listing: &str) -> String {
    rustc(&["--edition", "2024", "--emit=mir=-", listing], folder)
}

fn listings() -> PathBuf {
    root().join("docs/listings")
}

fn rustc(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new("rustc")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.expect("rustc runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "rustc {arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("rustc prints text")
}

fn function_of(mir: &str, name: &str) -> String {
    let start = mir
        .find(&format!("fn {name}("))
        .unwrap_or_else(|| panic!("no function {name}"));
    let length = mir[start..].find("\n}\n").expect("a function ends");
    mir[start..start + length + 3].to_string()
}

/// The lines that matter: the signature and the blocks, without the declarations of locals.
///
/// The blocks stand in the order in which a reader comes to them who follows each way to its end
/// before the next one, and they are numbered in that order. Locals are numbered by first use; `_0`, `_1` and `_2` are the result and the two
/// parameters, and keep their names. With `wanted`, only
/// these blocks are kept, and the `signature` if it is among them.
fn tidy(function: &str, wanted: &[&str]) -> String {
    let mut blocks: BTreeMap<String, String> = BTreeMap::new();
    let mut label = String::new();
    for line in function.lines() {
        let starts = line.starts_with("    bb");
        if starts {
            label = line
                .trim()
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_string();
        }
        if !label.is_empty() && line.starts_with("    ") {
            let block = blocks.entry(label.clone()).or_default();
            block.push_str(&format!("{}\n", without_span(&line[4..])));
        }
    }

    let mut order: Vec<String> = Vec::new();
    let mut to_visit = vec!["bb0".to_string()];
    while let Some(label) = to_visit.pop() {
        if !order.contains(&label) {
            // The first target is visited first, so it goes on top.
            to_visit.extend(names(&blocks[&label], "bb").into_iter().rev());
            order.push(label);
        }
    }
    let mut renamed: HashMap<String, String> = HashMap::new();
    for (number, label) in order.iter().enumerate() {
        renamed.insert(label.clone(), format!("bb{number}"));
    }
    let mut next_local = 3;
    for label in &order {
        for local in names(&blocks[label], "_") {
            if !["_0", "_1", "_2"].contains(&&*local) && !renamed.contains_key(&local) {
                renamed.insert(local, format!("_{next_local}"));
                next_local += 1;
            }
        }
    }

    let mut tidied = String::new();
    if wanted.is_empty() || wanted.contains(&"signature") {
        tidied.push_str(&format!(
            "{}\n",
            function.lines().next().unwrap_or_default()
        ));
    }
    for label in &order {
        if wanted.is_empty() || wanted.contains(&&*renamed[label]) {
            tidied.push_str(&rename(&blocks[label], &renamed));
        }
    }
    if wanted.is_empty() {
        tidied.push_str("}\n");
    }
    tidied
}

/// `{coroutine@file.rs:1:2: 3:4 (#0)}` without the place in the file.
fn without_span(line: &str) -> String {
    match line
        .split_once(".rs:")
        .and_then(|(left, right)| Some((left, right.split_once(')')?.1)))
    {
        Some((left, right)) => format!("{left}.rs{right}"),
        None => line.to_string(),
    }
}

/// The names of a kind in a text, such as `bb12` or `_3`, in order.
fn names(text: &str, kind: &str) -> Vec<String> {
    words(text)
        .filter(|word| is_name(word, kind))
        .map(str::to_string)
        .collect()
}

fn rename(text: &str, renamed: &HashMap<String, String>) -> String {
    let new_name = |word| renamed.get(word).map_or(word, String::as_str);
    words(text).map(new_name).collect()
}

fn is_name(word: &str, kind: &str) -> bool {
    let digits = word.strip_prefix(kind).unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// A text cut into words and what stands between them; joined again they give the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest
            .find(|c| is_word(c) != is_word(first))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// What the function that drops the future does: the look at the state, and the block for each
/// state. The compiler writes such a function for every type; LLVM's text shows it on stable.
///
/// A call is shown by the comment that names it; the line below with the mangled name is left out.
fn drop_glue(listing: &str, function: &str) -> String {
    let ir = rustc(
        &["--edition", "2024", "--emit=llvm-ir=-", listing],
        &listings(),
    );
    let name = format!("; core::ptr::drop_in_place<{function}::{function}::{{{{closure}}}}>\n");
    let start = ir
        .find(&name)
        .unwrap_or_else(|| panic!("no drop glue of {function}"));
    let length = ir[start..].find("\n}\n").expect("a function ends");
    let mut blocks: Vec<String> = Vec::new();
    for line in ir[start..start + length].lines() {
        let starts_block = line.split(':').next().is_some_and(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric()) && line != label
        });
        if starts_block {
            let label = line.split(':').next().unwrap_or_default();
            blocks.push(format!("{label}:\n"));
        } else if let Some(block) = blocks.last_mut() {
            let is_noise = ["invoke ", "to label ", "%0 = alloca"];
            if !line.is_empty() && !is_noise.iter().any(|noise| line.trim().starts_with(noise)) {
                block.push_str(&format!("{line}\n"));
            }
        }
    }
    let entry = blocks.first().expect("a function has a block").clone();
    let targets: Vec<&str> = entry
        .split("label %")
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default()
        })
        .collect();
    let is_target = |block: &&String| targets.iter().any(|t| block.starts_with(&format!("{t}:")));
    entry.clone() + &blocks.iter().filter(is_target).cloned().collect::<String>()
}
