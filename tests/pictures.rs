//! The pictures in the docs are those of a fresh run. `BLESS=1 cargo test --test pictures` makes them
//! anew.
//!
//! They come from the virtual clock, where every run is the same. So an example that blocks the
//! thread, or is woken by threads of its own, has none: what it shows takes real time.

mod example;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use example::example;

const PICTURES: [&str; 5] = [
    "asynchronous",
    "deadlock",
    "lost_waker",
    "one_sleep",
    "timeout_and_cancel",
];

fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images")
}

#[test]
fn the_pictures_are_those_of_a_fresh_run() {
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    fs::create_dir_all(&fresh).unwrap();
    for name in PICTURES {
        let drawn = fresh.join(format!("{name}.svg"));
        let mut command = example(name);
        command.env("WATCHGLASS", format!("virtual,svg:{}", drawn.display()));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name} failed");
        let drawn = fs::read_to_string(drawn).unwrap();
        let kept = images().join(format!("{name}.svg"));
        if env::var_os("BLESS").is_some() {
            fs::create_dir_all(images()).unwrap();
            fs::write(&kept, &drawn).unwrap();
        }
        let kept = fs::read_to_string(&kept).unwrap_or_default();
        assert!(
            kept == drawn,
            "docs/images/{name}.svg is not what the example draws now; look at the difference \
             after `BLESS=1 cargo test --test pictures`"
        );
    }
}

#[test]
fn there_is_no_picture_that_no_run_draws() {
    for entry in fs::read_dir(images()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(PICTURES.contains(&name), "nobody draws {}", path.display());
    }
}
