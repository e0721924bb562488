//! The chapters of the book as tests read them: their code blocks, and how `BLESS=1` mends them.
#![allow(dead_code)] // Each test file is a crate of its own, and none needs all of this.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One fenced code block of a chapter.
pub(crate) struct Block {
    pub(crate) language: String,
    /// What the HTML comment on the line above says.
    pub(crate) note: String,
    pub(crate) text: String,
    /// The number of the opening fence's line, from 0.
    pub(crate) line: usize,
}

impl Block {
    pub(crate) fn place(&self, chapter: &Path) -> String {
        format!("{}:{}", relative(chapter), self.line + 1)
    }
}

/// Two tests that write the same chapter must take turns.
static WRITING: Mutex<()> = Mutex::new(());

/// A chapter, and the changes that `BLESS=1` makes to it.
pub(crate) struct Page {
    path: PathBuf,
    text: String,
    changes: Vec<(String, String)>,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Page {
    /// The reference definitions of a page: `[label]: target`.
    pub(crate) fn labels(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for line in text.lines() {
            if let Some((label, target)) = line.strip_prefix('[').and_then(|l| l.split_once("]: "))
            {
                found.push((label.to_string(), target.to_string()));
            }
        }
        found
    }

    pub(crate) fn read(path: &Path) -> Page {
        let turn = blessing().then(|| WRITING.lock().unwrap_or_else(PoisonError::into_inner));
        Page {
            path: path.to_path_buf(),
            text: read(path),
            changes: Vec::new(),
            _turn: turn,
        }
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let lines: Vec<&str> = self.text.lines().collect();
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in lines.iter().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, Some(language)) => {
                    let above = if number == 0 { "" } else { lines[number - 1] };
                    let note = above
                        .strip_prefix("<!-- ")
                        .and_then(|n| n.strip_suffix(" -->"));
                    open = Some(Block {
                        language: language.to_string(),
                        note: note.unwrap_or_default().to_string(),
                        text: String::new(),
                        line: number,
                    });
                }
                (None, None) => {}
            }
        }
        assert!(
            open.is_none(),
            "{}: a code block is not closed",
            relative(&self.path)
        );
        blocks
    }

    pub(crate) fn expect(
        &mut self,
        block: &Block,
        actual: &str,
        same: impl Fn(&str, &str) -> bool,
        wrong: &mut Vec<String>,
    ) {
        if same(&block.text, actual) {
            return;
        }
        if blessing() {
            let fenced = |text: &str| format!("```{}\n{text}```\n", block.language);
            self.changes.push((fenced(&block.text), fenced(actual)));
        } else {
            let place = block.place(&self.path);
            let expected = &block.text;
            wrong.push(format!(
                "{place}: the book says\n{expected}but it is\n{actual}"
            ));
        }
    }

    pub(crate) fn write_if_blessed(mut self) {
        if self.changes.is_empty() {
            return;
        }
        for (old, new) in &self.changes {
            self.text = self.text.replacen(old, new, 1);
        }
        fs::write(&self.path, &self.text).expect("the chapter can be written");
    }
}

pub(crate) fn blessing() -> bool {
    std::env::var_os("BLESS").is_some_and(|value| value == "1")
}

pub(crate) fn chapters() -> Vec<PathBuf> {
    let mut pages = files_under("docs");
    pages.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    assert!(!pages.is_empty(), "docs/ holds the book");
    pages
}

pub(crate) fn files_under(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("the folder exists");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// The reference definitions of a page: `[label]: target`.
pub(crate) fn labels(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some((label, target)) = line.strip_prefix('[').and_then(|l| l.split_once("]: ")) {
            found.push((label.to_string(), target.to_string()));
        }
    }
    found
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// A published package leaves out `benches/`, and then nothing can be said of what is in it.
pub(crate) fn is_left_out(path: &Path) -> bool {
    let benches = root().join("benches");
    root().join(path).starts_with(&benches) && !benches.exists()
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
