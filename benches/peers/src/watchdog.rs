//! The watchdog: says which runtime hangs, and ends the comparison.
//!
//! An executor that loses a wake waits for ever, and a benchmark of it would
//! stand still without a word. No sample takes a hundredth of the patience here.

use std::process;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(100);

/// What is running, and since when.
type Sampled = Option<(&'static str, &'static str, Instant)>;

pub struct Watchdog(Arc<Mutex<Sampled>>);

impl Watchdog {
    /// Starts the thread that looks every ten seconds.
    pub fn start() -> Self {
        let watched = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&watched);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs(10));
                complain_if_stuck(*seen.lock().unwrap());
            }
        });
        Watchdog(watched)
    }

    /// A sample of `workload` on `runtime` begins; the one before has ended.
    pub fn begins(&self, workload: &'static str, runtime: &'static str) {
        *self.0.lock().unwrap() = Some((workload, runtime, Instant::now()));
    }

    /// Nothing is being sampled.
    pub fn ends(&self) {
        *self.0.lock().unwrap() = None;
    }
}

fn complain_if_stuck(sampled: Sampled) {
    if let Some((workload, runtime, since)) = sampled
        && since.elapsed() > PATIENCE
    {
        eprintln!(
            "{workload} on {runtime} has hung for {:?}: a wake is lost",
            since.elapsed()
        );
        process::exit(1);
    }
}
