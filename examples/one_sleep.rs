//! The life of one sleep, in eight steps.
//!
//! A program with one task that sleeps for a second. The executor tells its observer everything that
//! it does: those are the lines with a time. The numbered lines say what it is about, each printed
//! when its step begins. The docs of the crate tell the same eight steps with links to the source.
//!
//! Watch the pause after step 5: the thread is parked, once, and nobody looks at a clock meanwhile.
//!
//! `cargo run --example one_sleep`

use std::cell::Cell;
use std::time::Duration;
use watchglass::trace::{Cause, Event, Record, TaskKind};
use watchglass::{Executor, sleep, spawn};

async fn sleeper() -> &'static str {
    sleep(Duration::from_secs(1)).await;
    "I have slept"
}

async fn program() -> &'static str {
    let handle = spawn(sleeper());
    handle.await.unwrap()
}

const STEPS: [&str; 8] = [
    "block_on makes its future a task, the main task, and polls it.",
    "The main task spawns another: it is put in the ready queue. Then main awaits its handle.",
    "The executor takes the task from the queue and polls it: the sleeper runs for the first time.",
    "The sleep puts its deadline in the timer wheel, and whom to wake then. It answers Pending.",
    "Nobody is ready, so the executor parks the thread until the next deadline in the wheel, or virtual time jumps there.",
    "The deadline has passed: the wheel hands the timer out, and its task is queued again.",
    "The second poll is Ready: the future is dropped, and its output waits for the handle.",
    "The end of the task wakes the main task, which awaits the handle. It gets the output.",
];

/// The step that begins with this event, if one does.
fn step_of(event: &Event) -> Option<usize> {
    Some(match event {
        Event::Spawned { kind, .. } if *kind == TaskKind::Main => 1,
        Event::Spawned { .. } => 2,
        Event::PollStarted { why, .. } => match why {
            Cause::Spawned => 3,
            Cause::Timer(_) => 7,
            _ => return None,
        },
        Event::TimerArmed { .. } => 4,
        Event::Parked { .. } | Event::ClockAdvanced { .. } => 5,
        Event::Unparked { .. } | Event::Cascaded { .. } => 6,
        Event::Woken {
            by: Cause::Joined(_),
            ..
        } => 8,
        _ => return None,
    })
}

fn main() {
    let steps_told = Cell::new(0);
    let tell = move |record: &Record| {
        if step_of(&record.event) == Some(steps_told.get() + 1) {
            println!("\n{}. {}", steps_told.get() + 1, STEPS[steps_told.get()]);
            steps_told.set(steps_told.get() + 1);
        }
        println!("   {record}");
    };
    let executor = Executor::builder().observer(tell).build();
    let said = executor.block_on(program());
    println!("\nThe sleeper said: {said}");
}
