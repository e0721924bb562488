//! What a task costs in memory, each runtime in a process of its own.
//!
//! In one process the runtimes would inherit each other's freed memory, and
//! nothing could be said about any of them. So the parent starts this program
//! again under a hidden subcommand, and the child prints one number.

use std::cell::Cell;
use std::fs;
use std::pin::Pin;
use std::process::{self, Command};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::futures::Latch;
use crate::heap;
use crate::random::Random;
use crate::runtimes::{Runtime, Timers};
use crate::workloads::Sample;

/// The subcommand that makes this program the child.
pub const SUBCOMMAND: &str = "memory-of";

const TASKS: u64 = 1_000_000;

/// Measures `runtime` in a new process, where it will find itself by its name.
pub fn in_own_process(workload: &str, runtime: &str) -> Sample {
    let program = std::env::current_exe().expect("this program knows its own path");
    let mut command = Command::new(program);
    command.args([SUBCOMMAND, workload, runtime]);
    let child = heap::as_the_system_has_it(&mut command)
        .output()
        .expect("this program can be started again");
    let output = String::from_utf8_lossy(&child.stdout);
    let complaint = String::from_utf8_lossy(&child.stderr);
    let bytes = output.trim().parse();
    vec![bytes.unwrap_or_else(|_| panic!("{workload} on {runtime} failed: {complaint}"))]
}

/// In the child: a million tasks that wait for something that belongs to no runtime.
pub fn of_waiting_tasks<R: Runtime>() -> ! {
    let mut runtime = R::new();
    let spawner = runtime.spawner();
    // Written to before the first look, so that it is not counted with the tasks.
    let wakers: Rc<Vec<Cell<Option<Waker>>>> =
        Rc::new((0..TASKS).map(|_| Cell::default()).collect());
    runtime.block_on(async {
        let waiting = Latch::new(TASKS);
        let before = resident_bytes();
        for task in 0..TASKS as usize {
            let (wakers, waiting) = (Rc::clone(&wakers), Rc::clone(&waiting));
            let waits = Waits {
                wakers,
                waiting,
                task,
            };
            R::spawn_detached(&spawner, waits);
        }
        waiting.reached().await;
        print_and_exit(before)
    })
}

/// Leaves its waker where nobody will use it, and waits: 24 bytes, so that
/// what is measured is the runtime's share.
struct Waits {
    wakers: Rc<Vec<Cell<Option<Waker>>>>,
    waiting: Rc<Latch>,
    task: usize,
}

impl Future for Waits {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = Some(context.waker().clone());
        if self.wakers[self.task].replace(waker).is_none() {
            self.waiting.count_down();
        }
        Poll::Pending
    }
}

/// In the child: a million tasks that sleep, for longer than anybody will look.
pub fn of_sleeping_tasks<R: Timers>() -> ! {
    let mut runtime = R::new();
    let spawner = runtime.spawner();
    runtime.block_on(async {
        let mut random = Random::new();
        let asleep = Latch::new(TASKS);
        let before = resident_bytes();
        for _ in 0..TASKS {
            let duration = Duration::from_millis(60_000 + random.below(3_600_000));
            let asleep = Rc::clone(&asleep);
            R::spawn_detached(&spawner, async move {
                // The task runs on to the end of its first poll before anybody
                // else does, so it is asleep by the time the count is noticed.
                let sleep = R::sleep(duration);
                asleep.count_down();
                sleep.await;
            });
        }
        asleep.reached().await;
        print_and_exit(before)
    })
}

/// Leaves without dropping a million tasks, which nobody wants to wait for.
fn print_and_exit(bytes_before: u64) -> ! {
    let bytes = resident_bytes() - bytes_before;
    println!("{}", bytes as f64 / TASKS as f64);
    process::exit(0)
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("this needs Linux's /proc");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("statm's second field is a number") * rustix::param::page_size() as u64
}
