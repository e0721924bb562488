//! What the timer wheel does with six deadlines, told by the executor's own events.

use std::time::Duration;
use watchglass::trace::{Event, Record};
use watchglass::{Executor, join_all, sleep};

/// The number in base 64, as a clock would write it.
fn digits(mut number: u64) -> String {
    let mut digits = vec![number % 64];
    while number >= 64 {
        number /= 64;
        digits.insert(0, number % 64);
    }
    let digits: Vec<String> = digits.iter().map(|digit| format!("{digit:02}")).collect();
    digits.join(":")
}

fn at(time: &Duration) -> String {
    digits(time.as_nanos() as u64)
}

fn main() {
    let print = |record: &Record| match &record.event {
        Event::TimerArmed {
            timer,
            deadline,
            place,
            ..
        } => println!("{timer}, due at {:>8}, is put in {place}", at(deadline)),
        Event::ClockAdvanced { to, .. } => println!("it is {}", at(to)),
        Event::Cascaded { timer, place } => println!("  {timer} moves to {place}"),
        Event::TimerFired { timer, .. } => println!("  {timer} fires"),
        _ => {}
    };
    let executor = Executor::builder().virtual_time().observer(print).build();
    executor.block_on(async {
        let deadlines = [5, 70, 130, 131, 130, 70_000];
        join_all(deadlines.map(|ns| sleep(Duration::from_nanos(ns)))).await;
    });
}
