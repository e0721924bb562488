//! The source files that the records point into, as far as they are found.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::panic::Location;
use std::path::{Path, PathBuf};

use crate::trace::{Event, Record, in_program};

/// Files by the path that the compiler gave them.
#[derive(Default)]
pub(crate) struct Sources {
    files: BTreeMap<&'static str, Vec<String>>,
}

impl Sources {
    /// Reads the files of all places in the records. One that is not found is left out.
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut paths: Vec<&'static str> = records
            .iter()
            .filter_map(|record| match record.event {
                Event::Spawned { at, .. } | Event::Waits { at, .. } => {
                    in_program(at).map(Location::file)
                }
                _ => None,
            })
            .collect();
        paths.sort_unstable();
        paths.dedup();
        let read = |path| Some((path, lines(&find(path)?)?));
        Sources {
            files: paths.into_iter().filter_map(read).collect(),
        }
    }

    /// One line, counted from 1, without the blanks around it.
    pub(crate) fn line(&self, file: &str, line: u32) -> Option<&str> {
        let lines = self.files.get(file)?;
        let text = lines.get((line as usize).checked_sub(1)?)?;
        Some(text.trim())
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.files.iter().map(|(path, lines)| (*path, &**lines))
    }
}

/// The compiler's paths start at the package, or at the workspace around it; the program may have
/// been started elsewhere.
fn find(path: &str) -> Option<PathBuf> {
    let starts = [
        env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
        env::current_dir().ok(),
    ];
    let starts = starts.iter().flatten();
    starts
        .flat_map(|start| start.ancestors())
        .map(|start| start.join(path))
        .find(|found| found.is_file())
}

fn lines(path: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}
