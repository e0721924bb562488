//! Every test that `docs/reliability.md` and the pages behind it name exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files that tests of this name may be in.
fn files(name: &str) -> [PathBuf; 3] {
    let src = root().join("src");
    [
        root().join("tests").join(format!("{name}.rs")),
        src.join(format!("{name}.rs")),
        src.join(name).join("tests.rs"),
    ]
}

/// Everything in backquotes that looks like `file::test`.
fn named_tests(text: &str) -> BTreeSet<(&str, &str)> {
    let is_name = |name: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !name.is_empty() && name.chars().all(plain)
    };
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| quoted.split_once("::"))
        .filter(|(file, test)| is_name(file) && is_name(test) && !["thread", "file"].contains(file))
        .collect()
}

#[test]
fn every_test_that_the_tables_name_exists() {
    let pages = ["reliability", "reliability-coverage", "reliability-mutants"];
    let read = |page| fs::read_to_string(root().join(format!("docs/{page}.md"))).unwrap();
    let text = pages.map(read).concat();
    let tests = named_tests(&text);
    assert!(tests.len() > 90, "{}", tests.len());
    let missing: Vec<_> = tests
        .iter()
        .filter(|(file, test)| {
            let function = format!("fn {test}(");
            let texts = files(file).map(|file| fs::read_to_string(file).unwrap_or_default());
            !texts.iter().any(|text| text.contains(&function))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

#[test]
fn no_test_of_a_fault_or_of_a_peer_s_property_is_left_out() {
    let text = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let named = named_tests(&text);
    for path in fs::read_dir(root().join("tests")).unwrap() {
        let path = path.unwrap().path();
        let file = path.file_stem().unwrap().to_str().unwrap();
        if !file.starts_with("faults_") && !file.starts_with("peers_") {
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        for test in code.split("#[test]\n").skip(1) {
            let test = test.trim_start_matches("fn ").split('(').next().unwrap();
            assert!(
                named.contains(&(file, test)),
                "{file}::{test} is in no table"
            );
        }
    }
}

#[test]
fn each_file_that_is_counted_has_a_row_and_each_row_a_file() {
    for script in ["coverage", "mutants"] {
        let text = fs::read_to_string(root().join("scripts").join(script)).unwrap();
        let (_, core) = text.split_once("CORE = \"\"\"").expect("the files");
        let (core, _) = core.split_once("\"\"\"").expect("their end");
        // In lib.rs there is nothing to count.
        let counted = core.split_whitespace().filter(|&file| file != "lib");
        let counted: BTreeSet<String> = counted.map(str::to_owned).collect();
        let page =
            fs::read_to_string(root().join(format!("docs/reliability-{script}.md"))).unwrap();
        let row = |line: &str| {
            let (file, rest) = line.strip_prefix("| `")?.split_once(".rs` | ")?;
            rest.starts_with(|c: char| c.is_ascii_digit())
                .then(|| file.to_owned())
        };
        let rows: BTreeSet<String> = page.lines().filter_map(row).collect();
        assert_eq!(rows, counted, "docs/reliability-{script}.md");
    }
}
