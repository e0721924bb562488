//! A cancelled timer leaves the wheel at once, wherever it is.

use std::time::Duration;
use watchglass::trace::{Event, Record};
use watchglass::{Executor, race, sleep};

fn main() {
    let print = |record: &Record| {
        if matches!(
            record.event,
            Event::TimerArmed { .. } | Event::TimerFired { .. } | Event::TimerCancelled { .. }
        ) {
            println!("{record}");
        }
    };
    let executor = Executor::builder().virtual_time().observer(print).build();
    executor.block_on(async {
        let slow = sleep(Duration::from_secs(3600));
        let fast = sleep(Duration::from_secs(1));
        race(slow, fast).await;
    });
    println!("the next deadline: {:?}", executor.next_deadline());
}
