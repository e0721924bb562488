//! The two maps, README.md and the docs of the crate, hold what the source holds.
//!
//! What stands in README.md between `<!-- begin: ... -->` and `<!-- end -->` comes from the source
//! and from runs of the examples. `BLESS=1 cargo test --test readme` writes it anew.

mod example;

use std::env;
use std::fs;

use example::example;

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_readme_is_up_to_date() {
    let readme = read("README.md");
    let generated = generate(&readme);
    if env::var_os("BLESS").is_some_and(|value| value == "1") {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        fs::write(path, &generated).unwrap();
        return;
    }
    for (number, (found, wanted)) in (1..).zip(readme.lines().zip(generated.lines())) {
        assert_eq!(
            without_measurements(found),
            without_measurements(wanted),
            "README.md:{number} is out of date: run `BLESS=1 cargo test --test readme`"
        );
    }
    assert_eq!(readme.lines().count(), generated.lines().count());
}

#[test]
fn the_readme_states_the_minimum_rust_version() {
    let manifest = read("Cargo.toml");
    let mut lines = manifest.lines();
    let version = lines.find_map(|line| line.strip_prefix("rust-version = "));
    let stated = format!("Rust {}", version.unwrap().trim_matches('"'));
    assert!(read("README.md").contains(&stated), "{stated} is not there");
}

#[test]
fn the_docs_list_every_file_in_the_order_of_the_mod_lines() {
    let listed: Vec<String> = reading_order()
        .into_iter()
        .map(|entry| entry.file)
        .collect();
    let root = read("src/lib.rs");
    let mut files = Vec::new();
    for module in modules(&root) {
        let forms = [format!("{module}.rs"), format!("{module}/mod.rs")];
        let mut found = forms
            .into_iter()
            .filter(|file| fs::exists(source(file)).unwrap());
        let file = found.next().expect("a module has a file");
        let text = read(&format!("src/{file}"));
        files.push(file);
        files.extend(modules(&text).map(|inner| format!("{module}/{inner}.rs")));
    }
    assert_eq!(listed, files);
}

#[test]
fn a_file_uses_only_files_above_it() {
    let root = read("src/lib.rs");
    let order: Vec<&str> = modules(&root).collect();
    let place = |name: &str| order.iter().position(|module| *module == name);
    for Entry { file, .. } in reading_order() {
        let own = file.split(['/', '.']).next().unwrap();
        let text = read(&format!("src/{file}"));
        for line in without_tests(&text).lines().filter(|line| is_code(line)) {
            for used in line.split("crate::").skip(1) {
                let used = used
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next();
                // The one seam between the core and its features: what is built may be watched, and woken on time.
                if file == "builder.rs" && matches!(used, Some("view" | "slack")) {
                    continue;
                }
                let used = place(used.unwrap()).expect("`use crate::MODULE::...`, nothing shorter");
                assert!(Some(used) <= place(own), "src/{file} looks ahead: {line}");
            }
        }
    }
}

/// A line of the table in the docs of the crate.
struct Entry {
    file: String,
    what: String,
}

fn reading_order() -> Vec<Entry> {
    let entry = |line: &str| {
        let (file, what) = line.strip_prefix("//! | [")?.split_once("] | ")?;
        Some(Entry {
            file: file.to_owned(),
            what: what.strip_suffix(" |")?.to_owned(),
        })
    };
    read("src/lib.rs").lines().filter_map(entry).collect()
}

/// The modules that a file declares, without its tests and without those that are optional.
fn modules(text: &str) -> impl Iterator<Item = &str> {
    let mut is_optional = false;
    without_tests(text).lines().filter_map(move |line| {
        if !line.starts_with("mod ") && !line.starts_with("pub mod ") {
            is_optional = line.starts_with("#[cfg(") || is_optional && line.starts_with("#[");
            return None;
        }
        let skip = std::mem::take(&mut is_optional);
        let module = line.trim_start_matches("pub ").strip_prefix("mod ")?;
        module.strip_suffix(';').filter(|_| !skip)
    })
}

fn source(file: &str) -> String {
    format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

fn is_code(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("//")
}

/// The README with everything between `begin` and `end` made anew, if more than its measurements have changed.
fn generate(readme: &str) -> String {
    const BEGIN: &str = "<!-- begin: ";
    const END: &str = "<!-- end -->";
    let mut generated = String::new();
    let mut rest = readme;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (what, after) = after.split_once(" -->").expect("a complete comment");
        let (old, after) = after.split_once(END).expect("an end for each begin");
        let old = old.strip_prefix('\n').unwrap_or(old);
        let is_same = |new: &String| {
            let [old_is, new_is] = [old, new].map(|text| text.lines().map(without_measurements));
            old_is.eq(new_is)
        };
        // On a machine that stands still meanwhile an example may print something else: one run is enough.
        let mut new = content(what);
        for _ in 0..3 {
            if !is_same(&new) {
                new = content(what);
            }
        }
        let content = if is_same(&new) { old } else { &new };
        generated += &format!("{before}{BEGIN}{what} -->\n{content}{END}");
        rest = after;
    }
    generated + rest
}

fn content(what: &str) -> String {
    match what.split_once(' ') {
        Some(("source", name)) => {
            let text = read(&format!("examples/{name}.rs"));
            let (_, program) = text.split_once("\n\n").expect("a module doc first");
            format!("```rust,no_run\n{program}```\n")
        }
        Some(("output", name)) => {
            let output = output(name);
            let output = output.trim_matches('\n');
            format!("```text\n$ cargo run --example {name}\n{output}\n```\n")
        }
        Some(("steps", name)) => {
            let output = output(name);
            let steps = output
                .lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
            let steps: String = steps.map(|step| format!("{step}\n")).collect();
            format!("```text\n$ cargo run --quiet --example {name} | grep '^[0-9]'\n{steps}```\n")
        }
        _ if what == "reading order" => table(),
        _ => panic!(
            "README.md wants {what:?}, which is none of source, output, steps, reading order"
        ),
    }
}

/// What an example prints.
fn output(name: &str) -> String {
    let output = example(name).env_remove("WATCHGLASS").output().unwrap();
    assert!(output.status.success(), "{name} failed");
    String::from_utf8(output.stdout).unwrap()
}

/// The reading order with how many lines of code each file has, and with comments and blank lines.
fn table() -> String {
    let mut table = String::from("| file | what it is | code | lines |\n|---|---|---:|---:|\n");
    let (mut all_code, mut all_lines) = (0, 0);
    for Entry { file, what } in reading_order() {
        let text = read(&format!("src/{file}"));
        let text = without_tests(&text);
        let lines = text.trim_end().lines().count();
        let code = text.lines().filter(|line| is_code(line)).count();
        table += &format!("| [{file}](src/{file}) | {what} | {code} | {lines} |\n");
        all_code += code;
        all_lines += lines;
    }
    table + &format!("| | together, without the tests in them | {all_code} | {all_lines} |\n")
}

/// A line with each `0.123` and `45µs` replaced by `_`, and the place of a timer in the wheel: these
/// differ from run to run. Other numbers are kept.
fn without_measurements(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        kept += &rest[..at];
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, after) = rest.split_at(end.unwrap_or(rest.len()));
        let unit = ["ns", "µs", "ms", "s"]
            .into_iter()
            .find(|unit| after.starts_with(unit));
        let is_place = kept.ends_with("level ") || kept.ends_with("slot ");
        let is_time = unit.is_some() || number.trim_end_matches('.').contains('.');
        kept += if is_time || is_place { "_" } else { number };
        rest = &after[unit.map_or(0, str::len)..];
    }
    kept + rest
}

#[test]
fn measurements_differ_and_other_numbers_do_not() {
    let kept = "2. timer 0 of #1 at file.rs:12:34";
    assert_eq!(without_measurements(kept), kept);
    for (line, expected) in [
        ("0.100 s  after 18.749µs", "_ s  after _"),
        ("Total: 3.00 s", "Total: _ s"),
        ("712ns ago", "_ ago"),
        ("to level 4, slot 59 of it", "to level _, slot _ of it"),
    ] {
        assert_eq!(without_measurements(line), expected);
    }
}
