//! The source files that the records point into, as far as they are found.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::trace::{Event, Record, in_program};

/// Files by the path that the compiler gave them.
#[derive(Default)]
pub(crate) struct Sources {
    files: BTreeMap<&'static str, Vec<String>>,
    /// Those that were written after the program was built.
    changed: Vec<&'static str>,
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
        let built = env::current_exe().ok().as_deref().and_then(written);
        let starts = starts();
        let folders = folders(&starts);
        let mut sources = Sources::default();
        for path in paths {
            if let Some(found) = find(path, &folders)
                && let Some(lines) = lines(&found)
            {
                sources.files.insert(path, lines);
                if built.is_some() && written(&found) > built {
                    sources.changed.push(path);
                }
            }
        }
        sources
    }

    /// One line, counted from 1, without the blanks around it.
    pub(crate) fn line(&self, file: &str, line: u32) -> Option<&str> {
        let lines = self.files.get(file)?;
        let text = lines.get((line as usize).checked_sub(1)?)?;
        Some(text.trim())
    }

    /// That lines may not be those that ran, if that is so.
    pub(crate) fn changed(&self) -> Option<String> {
        let files = self.changed.join(" and ");
        (!files.is_empty()).then(|| {
            format!("{files}: changed after the program was built, so these lines may not be those that ran")
        })
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.files.iter().map(|(path, lines)| (*path, &**lines))
    }
}

/// Where the program's package may be, or something in it: the program itself lies in its `target`, mostly, and may
/// have been started elsewhere.
fn starts() -> Vec<PathBuf> {
    let starts = [
        env::current_exe().ok(),
        env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
        env::current_dir().ok(),
    ];
    starts.into_iter().flatten().collect()
}

/// The compiler's paths start at the package, or at the workspace around it: where the lock file is. So a member's file
/// of the same name is not taken for that of the workspace.
fn folders(starts: &[PathBuf]) -> Vec<&Path> {
    let folders = starts.iter().flat_map(|start| start.ancestors());
    let has_lock = |folder: &&Path| folder.join("Cargo.lock").is_file();
    let (mut folders, others): (Vec<_>, Vec<_>) = folders.partition(has_lock);
    folders.extend(others);
    folders
}

fn find(path: &str, folders: &[&Path]) -> Option<PathBuf> {
    let mut candidates = folders.iter().map(|folder| folder.join(path));
    candidates.find(|found| found.is_file())
}

fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn lines(path: &Path) -> Option<Vec<String>> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn a_file_is_that_of_the_workspace_in_which_the_program_lies() {
        let root = env::temp_dir().join(format!("watchglass-sources-{}", process::id()));
        for folder in ["ws/src", "ws/member/src", "ws/target/debug", "other/src"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["ws/Cargo.lock", "other/Cargo.lock"] {
            fs::write(root.join(file), "").unwrap();
        }
        for file in ["ws/src/lib.rs", "ws/member/src/lib.rs", "other/src/lib.rs"] {
            fs::write(root.join(file), file).unwrap();
        }
        let found = |starts: &[&str]| {
            let starts: Vec<_> = starts.iter().map(|start| root.join(start)).collect();
            let found = find("src/lib.rs", &folders(&starts))?;
            Some(fs::read_to_string(found).unwrap())
        };
        let program = "ws/target/debug/app";
        assert_eq!(found(&[program, "other"]).unwrap(), "ws/src/lib.rs");
        assert_eq!(found(&[program, "ws/member"]).unwrap(), "ws/src/lib.rs");
        // The target directory may be elsewhere.
        assert_eq!(found(&["ws/member"]).unwrap(), "ws/src/lib.rs");
        assert_eq!(found(&["elsewhere"]), None);
        // Without a lock file the nearest is taken.
        fs::remove_file(root.join("ws/Cargo.lock")).unwrap();
        assert_eq!(found(&["ws/member"]).unwrap(), "ws/member/src/lib.rs");
        fs::remove_dir_all(root).unwrap();
    }
}
