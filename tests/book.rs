//! The book is held to the truth: every command in it is run, every listing is a file.
//!
//! A chapter in `docs/` is plain Markdown. Three kinds of code block are checked here; a fourth,
//! the programs in ```` ```rust ````, is compiled and run by `cargo test --doc`.
//!
//! - A ```` ```console ```` block holds commands (`$ ...`), each followed by what it prints. The
//!   commands are run from the top of the repository and the output is compared. See
//!   [`line_matches`] for what may differ. `<!-- any time, any order -->` above a block: all its
//!   times and the order of its lines depend on the machine, and only the rest is compared.
//!   `<!-- only rustc 1.95. -->`: it is compared on this compiler alone.
//! - `<!-- file: PATH -->` above a block: the block is that whole file.
//! - `<!-- part of: PATH -->` above a block: the block is a run of lines of that file. Its language
//!   is `rs` and not `rust`, so that rustdoc does not take it for a program.
//!
//! `BLESS=1 cargo test --test book` writes outputs, files and parts into the chapters; it finds a
//! part by its first and its last line. The links between docs, source and examples are checked too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

mod chapter;

use chapter::{Page, chapters, files_under, is_left_out, labels, read, relative, root};

/// Where a path begins that stands in a page or a comment.
const TOPS: [&str; 5] = ["src/", "examples/", "tests/", "docs/", "benches/"];

/// Most commands only wait, so they are run side by side.
const BLOCKS_AT_ONCE: usize = 6;

#[test]
fn every_command_prints_what_the_book_says() {
    let mut commands = Vec::new();
    for chapter in chapters() {
        for block in Page::read(&chapter).blocks() {
            if block.language != "console" {
                continue;
            }
            match other_compiler(&block.note) {
                Some(why) => println!("{}: skipped, {why}", block.place(&chapter)),
                None => commands.push((block.text, rule(&block.note))),
            }
        }
    }
    let printed = run_all(commands);
    let mut wrong = Vec::new();
    for chapter in chapters() {
        let mut page = Page::read(&chapter);
        for block in page.blocks() {
            match printed.get(&block.text) {
                Some(Ok(actual)) => page.expect(&block, actual, rule(&block.note), &mut wrong),
                Some(Err(missing)) => println!("{}: skipped, no {missing}", block.place(&chapter)),
                None => {} // No command, or skipped above.
            }
        }
        page.write_if_blessed();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// How a block's output is compared with what its commands print now.
type Rule = fn(&str, &str) -> bool;

fn rule(note: &str) -> Rule {
    match note {
        "any time, any order" => same_but_for_times_and_order,
        _ => same_output,
    }
}

/// `<!-- only rustc 1.95. -->`: the compiler decides what the block shows. Says so on another one.
fn other_compiler(note: &str) -> Option<String> {
    let wanted = note.strip_prefix("only ")?;
    let output = Command::new("rustc").arg("--version").output();
    let found = String::from_utf8(output.expect("rustc runs").stdout).expect("text");
    let found = found.trim();
    (!found.starts_with(wanted)).then(|| format!("this is for {wanted} and not {found}"))
}

/// Runs all blocks, and gives by their text what they print now, or the program that is missing.
fn run_all(commands: Vec<(String, Rule)>) -> BTreeMap<String, Result<String, String>> {
    let printed = Mutex::new(BTreeMap::new());
    let commands = Mutex::new(commands.into_iter());
    let work = || {
        loop {
            let next = commands.lock().unwrap().next();
            let Some((block, same)) = next else {
                return;
            };
            let result = run_until(&block, same);
            printed.lock().unwrap().insert(block, result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..BLOCKS_AT_ONCE {
            scope.spawn(work);
        }
    });
    printed.into_inner().unwrap()
}

/// Runs a block up to three times: a machine that is busy with other things may be late, and what is drawn to the scale
/// of a time is then another drawing, or a task that spins for 0.2 s is not polled a thousand times.
fn run_until(block: &str, same: Rule) -> Result<String, String> {
    let mut actual = run_console(block)?;
    for _ in 0..2 {
        if !same(block, &actual) {
            actual = run_console(block)?;
        }
    }
    Ok(actual)
}

#[test]
fn every_listing_in_the_book_is_the_file() {
    let mut wrong = Vec::new();
    for chapter in chapters() {
        let mut page = Page::read(&chapter);
        for block in page.blocks() {
            let Some((kind, path)) = block.note.split_once(": ") else {
                continue;
            };
            if is_left_out(Path::new(path)) {
                println!("skipped: there is no {path}");
            } else if kind == "file" {
                let file = read(&root().join(path));
                page.expect(&block, &file, |a, b| a == b, &mut wrong);
            } else if kind == "part of" {
                let file = read(&root().join(path));
                let place = block.place(&chapter);
                assert_eq!(
                    block.language, "rs",
                    "{place}: a part is no program of its own"
                );
                match part_of(&file, &block.text) {
                    Some(part) => page.expect(&block, &part, |a, b| a == b, &mut wrong),
                    None => wrong.push(format!("{place}: not in {path}:\n{}", block.text)),
                }
            }
        }
        page.write_if_blessed();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Chapter 12 says what maps to what, and each column is a program with a function for each row. The
/// programs run elsewhere: the first in tests/python.rs, the second as an example, and the others in
/// `scripts/mapping`.
#[test]
fn every_name_in_the_table_of_chapter_12_is_used_in_the_program_of_its_column() {
    let chapter = read(&root().join("docs/12-back-to-python.md"));
    let columns = [
        "examples/python/what_maps_to_what.py",
        "docs/listings/what_maps_to_what.rs",
        "benches/peers/mapping/src/bin/tokio.rs",
        "benches/peers/mapping/src/bin/smol.rs",
    ]
    .map(|path| (path, fs::read_to_string(root().join(path))));
    let (_, table) = chapter.split_once("| you want to |").expect("a table");
    let mut count = 0;
    for row in table.lines().skip(2).take_while(|line| !line.is_empty()) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 1 + columns.len(), "{row}");
        let function = cells[0].replace(' ', "_");
        for (cell, (path, program)) in cells[1..].iter().zip(&columns) {
            if is_left_out(Path::new(path)) {
                continue;
            }
            let program = program.as_deref().expect(path);
            for name in cell.split('`').skip(1).step_by(2) {
                let body = body_of(&function, program);
                let body = body.unwrap_or_else(|| panic!("{path} has no {function}"));
                assert!(body.contains(name), "{path}: no `{name}` in {function}");
                count += 1;
            }
        }
    }
    assert!(count > 30, "only {count} names were seen");
}

/// The lines of a function at the top of a program in Rust or Python, up to the next one.
fn body_of(function: &str, program: &str) -> Option<String> {
    let heads = ["fn ", "async fn ", "def ", "async def "];
    let is_head = |line: &str| heads.iter().any(|head| line.starts_with(head));
    let name = format!(" {function}(");
    let is_its_head = |line: &&str| is_head(line) && line.contains(&name);
    let mut lines = program.lines().skip_while(|line| !is_its_head(line));
    lines.next()?;
    let body: Vec<&str> = lines.take_while(|line| !is_head(line)).collect();
    Some(body.join("\n"))
}

#[test]
fn every_listing_file_is_in_the_book_and_can_be_run() {
    let manifest = read(&root().join("Cargo.toml"));
    let book: String = chapters().iter().map(|chapter| read(chapter)).collect();
    for file in files_under("docs/listings") {
        let path = relative(&file);
        let name = path.trim_start_matches("docs/");
        assert!(book.contains(name), "no chapter mentions {path}");
        if path.ends_with(".rs") {
            let entry = format!("path = \"{path}\"");
            assert!(
                manifest.contains(&entry),
                "Cargo.toml needs an [[example]] with {entry}"
            );
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = BTreeSet::new();
    let mut pages = chapters();
    pages.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
    for page in pages.iter().filter(|page| page.exists()) {
        for link in links(&read(page)) {
            if let Err(why) = follow(page, &link) {
                broken.insert(format!("{}: {link}: {why}", relative(page)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// `[words][label]` without a definition is shown as it stands, brackets and all.
#[test]
fn every_link_label_is_defined_and_used() {
    let mut pages = chapters();
    pages.push(root().join("README.md"));
    for page in pages {
        let text = read(&page);
        let defined: BTreeSet<String> = labels(&text).into_iter().map(|(label, _)| label).collect();
        assert_eq!(used_labels(&text), defined, "{}", relative(&page));
    }
}

/// A comment may send its reader to a file: `src/wheel.rs`, `docs/09-the-timer-wheel.md`.
#[test]
fn every_path_in_a_comment_or_a_script_leads_somewhere() {
    let mut broken = BTreeSet::new();
    let mut count = 0;
    for file in sources() {
        for line in read(&file).lines() {
            let breaks = |c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c);
            for word in line.split(breaks) {
                let path = word.trim_end_matches('.');
                let names_a_file = Path::new(path).extension().is_some();
                if names_a_file && TOPS.iter().any(|top| path.starts_with(top)) {
                    count += 1;
                    // A package within this one counts from its own top.
                    let exists = file.ancestors().any(|folder| folder.join(path).exists());
                    if !exists && !is_left_out(Path::new(path)) {
                        broken.insert(format!("{}: {path}", relative(&file)));
                    }
                }
            }
        }
    }
    assert!(count > 50, "only {count} paths were seen");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// All that is written by hand and is no page.
fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = [
        "src",
        "examples",
        "tests",
        "docs/listings",
        "scripts",
        ".ci",
    ]
    .map(|folder| root().join(folder))
    .into();
    folders.retain(|folder| folder.exists());
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            match path.extension().and_then(|ending| ending.to_str()) {
                // What was built is not written by hand.
                _ if path.ends_with("target") => {}
                _ if path.is_dir() => folders.push(path),
                Some("rs" | "py" | "gdb") | None => files.push(path),
                Some(_) => {}
            }
        }
    }
    files
}

/// rustdoc shows the same chapters, where a relative path leads nowhere. `src/book_links.md` gives
/// every label a second meaning that rustdoc knows; a label forgotten there would be a dead link,
/// and a label that meant two things could not be given one.
#[test]
fn every_link_label_also_leads_somewhere_in_the_api_docs() {
    let mut known = BTreeMap::new();
    for page in ["src/book_links.md", "src/book_pictures.md"] {
        known.extend(labels(&read(&root().join(page))));
    }
    // What rustdoc makes of a heading that is a file's name.
    let programs = read(&root().join("src/book/programs.rs")).replace('.', "");
    for (label, target) in &known {
        if let Some(heading) = target.strip_prefix("crate::book::programs#") {
            let is_there = programs.contains(&format!("program!(\"{heading}\""));
            assert!(is_there, "[{label}]: src/book/programs.rs has no {heading}");
        }
    }
    let book = read(&root().join("src/book.rs"));
    let mut meanings = BTreeMap::new();
    for chapter in chapters() {
        let text = read(&chapter);
        let inline = text.match_indices("](").map(|(at, _)| &text[at + 2..]);
        for target in inline.filter(|_| book.contains(&relative(&chapter))) {
            assert!(
                target.starts_with('#') || target.starts_with("https://"),
                "{}: give this a label: {}",
                relative(&chapter),
                target.lines().next().expect("a line")
            );
        }
        for (label, target) in labels(&text) {
            if target.starts_with("https://") {
                continue;
            }
            assert!(
                known.contains_key(&label),
                "src/book_links.md needs a line for [{label}]"
            );
            let first = meanings.entry(label.clone()).or_insert(target.clone());
            assert_eq!(*first, target, "[{label}] means two things");
        }
    }
}

/// The rules by which an output may differ from the one in the book.
///
/// - `1.23 s`, a measured time: at most 0.05 s less and 0.75 s more.
/// - `about 1234`, a count that depends on the machine: any number.
/// - `0x7f12`, an address: any address.
/// - `thread 'main' (77) panicked`: the number of the thread is left out.
fn line_matches(expected: &str, actual: &str) -> bool {
    let expected = pieces(expected);
    let actual = pieces(actual);
    expected.len() == actual.len()
        && expected.iter().zip(&actual).all(|pair| match pair {
            (Piece::Seconds(e), Piece::Seconds(a)) => *a >= e - 0.05 && *a <= e + 0.75,
            (e, a) => e == a,
        })
}

#[test]
fn the_rules_for_differences_are_kept() {
    assert!(line_matches("took 2.00 s", "took 2.31 s"));
    assert!(!line_matches("took 2.00 s", "took 1.90 s"));
    assert!(!line_matches("took 2.00 s", "took 2.90 s"));
    assert!(!line_matches("took 2.00 s", "lasted 2.00 s"));
    assert!(line_matches("about 12 polls", "about 99999 polls"));
    assert!(!line_matches("12 polls", "13 polls"));
    assert!(line_matches("at 0x7ffd10", "at 0x55aa"));
    assert!(line_matches(
        "thread 'main' panicked at",
        "thread 'main' (12) panicked at"
    ));
    let two = |a: &str, b: &str| same_but_for_times_and_order(a, b);
    assert!(two("a 1.00 s\nb after 3µs", "b after 12.5ms\na 0.10 s"));
    assert!(!two("a 1.00 s\nb 2.00 s", "a 1.00 s\nc 2.00 s"));
    assert!(!two("timer 1", "timer 2"));
}

#[derive(PartialEq)]
enum Piece {
    Word(String),
    Seconds(f64),
}

fn pieces(line: &str) -> Vec<Piece> {
    let words: Vec<&str> = line.split(' ').collect();
    let mut pieces = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let before = if index == 0 { "" } else { words[index - 1] };
        let after = words
            .get(index + 1)
            .unwrap_or(&"")
            .trim_end_matches([',', '.', ';', ')', ':']);
        let bare = word.trim_start_matches('(');
        pieces.push(match bare.parse::<f64>() {
            Ok(seconds) if bare.contains('.') && after == "s" => Piece::Seconds(seconds),
            Ok(_) if before == "about" => Piece::Word("N".to_string()),
            _ if word.starts_with("0x") => Piece::Word("0x".to_string()),
            _ if after == "panicked" && word.starts_with('(') => continue,
            _ => Piece::Word(word.to_string()),
        });
    }
    pieces
}

fn same_output(expected: &str, actual: &str) -> bool {
    expected.lines().count() == actual.lines().count()
        && expected
            .lines()
            .zip(actual.lines())
            .all(|(e, a)| line_matches(e, a))
}

fn same_but_for_times_and_order(expected: &str, actual: &str) -> bool {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(without_times).collect();
        lines.sort();
        lines
    };
    sorted(expected) == sorted(actual)
}

/// The line with `_` for each time (`1.23 s`, `1.23 s)`, `12.5µs`), and without the numbers of the
/// pool's threads.
fn without_times(line: &str) -> String {
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let time = |word: &str| {
        let bare = word.trim_matches(['(', ')', ',', ';']);
        let amount = bare.trim_end_matches(['n', 'µ', 'm', 's']);
        is_number(amount) && (amount.contains('.') || amount != bare)
    };
    let words = line.split(' ');
    let thread = "blocking-";
    let word = |word| match word {
        _ if time(word) => "_",
        // Which of the pool's threads comes first depends on the machine too.
        _ if word.starts_with(thread) => thread,
        _ => word,
    };
    words.map(word).collect::<Vec<&str>>().join(" ")
}

/// Runs the commands of a console block; the error is the program that this machine lacks.
fn run_console(block: &str) -> Result<String, String> {
    let mut transcript = String::new();
    for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
        // Behind variables that are set for it: `NAME=value program`.
        let mut words = command.split(' ');
        let program = words.find(|word| !word.contains('=')).unwrap_or_default();
        if !has_program(program) {
            return Err(program.to_string());
        }
        // Where the build may be elsewhere: CARGO_TARGET_DIR says so.
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("it is in there");
        let command_here = match target == root().join("target") {
            true => command.to_string(),
            false => command.replace("target/", &format!("\"{}\"/", target.display())),
        };
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command_here}\n}} 2>&1")])
            .current_dir(root())
            .env("RUST_BACKTRACE", "0")
            .env("CARGO_TERM_COLOR", "never")
            .env_remove("WATCHGLASS")
            // A debugger needs what these may leave out.
            .env_remove("CARGO_PROFILE_DEV_DEBUG")
            .output()
            .expect("sh runs");
        let printed = String::from_utf8_lossy(&output.stdout);
        // And says it in what it prints.
        let printed = printed.replace(&format!("{}/", target.display()), "target/");
        transcript.push_str(&format!("$ {command}\n"));
        for line in printed.lines() {
            transcript.push_str(line.trim_end());
            transcript.push('\n');
        }
    }
    Ok(transcript)
}

fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// The lines of `file` from the first to the last line of `wanted`: what `wanted` should say.
///
/// Where these two lines stand more than once, the range that is `wanted` itself comes first.
fn part_of(file: &str, wanted: &str) -> Option<String> {
    if let Some(at) = format!("\n{file}").find(&format!("\n{wanted}")) {
        return Some(file[at..at + wanted.len()].to_string());
    }
    let (first, last) = (wanted.lines().next()?, wanted.lines().last()?);
    let lines: Vec<&str> = file.lines().collect();
    let start = lines.iter().position(|line| *line == first)?;
    let length = lines[start..].iter().position(|line| *line == last)?;
    Some(lines[start..=start + length].join("\n") + "\n")
}

/// Every place that a page points to: inline links, reference definitions, and paths in backticks.
fn links(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for paragraph in prose(text) {
        for rest in paragraph.split("](").skip(1) {
            found.insert(rest.split(')').next().unwrap_or_default().to_string());
        }
        for (number, code) in paragraph.split('`').enumerate() {
            let inside = number % 2 == 1;
            if inside && TOPS.iter().any(|top| code.starts_with(top)) && !code.contains(['*', ' '])
            {
                found.insert(format!("/{code}"));
            }
        }
    }
    found.extend(labels(text).into_iter().map(|(_, target)| target));
    found
}

/// The labels of `[words][label]` and `[label]`.
fn used_labels(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for paragraph in prose(&without_definitions(text)) {
        let spans = paragraph.split('`').enumerate();
        let words: Vec<&str> = spans
            .map(|(number, span)| if number % 2 == 0 { span } else { "code" })
            .collect();
        let words = words.concat();
        for rest in words.split('[').skip(1) {
            let (label, after) = rest.split_once(']').unwrap_or((rest, ""));
            // `[words][` and `[words](`: these are no label, but what is shown.
            let is_shown = after.starts_with('(') || after.is_empty() && rest.ends_with(']');
            if !is_shown {
                found.insert(label.to_string());
            }
        }
    }
    found
}

fn without_definitions(text: &str) -> String {
    let is_definition = |line: &&str| line.starts_with('[') && line.contains("]: ");
    let lines: Vec<&str> = text.lines().filter(|line| !is_definition(line)).collect();
    lines.join("\n")
}

/// The paragraphs of a page without its code blocks.
fn prose(text: &str) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if line.is_empty() {
            paragraphs.push(String::new());
        } else if !in_code {
            let last = paragraphs.last_mut().expect("there is a first paragraph");
            last.push_str(line);
            last.push(' ');
        }
    }
    paragraphs
}

fn follow(page: &Path, link: &str) -> Result<(), String> {
    if link.starts_with("https://") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.to_path_buf()
    } else {
        join(page, path)
    };
    if is_left_out(&target) {
        return Ok(());
    }
    if !target.exists() {
        return Err("no such file".to_string());
    }
    if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
        return Err("no such heading".to_string());
    }
    Ok(())
}

/// The path that a link on a page means; one that starts with `/` begins at the repository's top.
fn join(page: &Path, link: &str) -> PathBuf {
    let mut path = match link.strip_prefix('/') {
        Some(_) => root(),
        None => page.parent().expect("a page has a folder").to_path_buf(),
    };
    for step in link.trim_start_matches('/').split('/') {
        match step {
            ".." => drop(path.pop()),
            "." => {}
            name => path.push(name),
        }
    }
    path
}

/// The anchors that GitHub makes from a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for paragraph in text.lines().filter(|line| line.starts_with('#')) {
        let title = paragraph.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    found
}
