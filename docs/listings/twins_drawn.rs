//! An async function and its twin as two tasks of one executor.

use watchglass::{Executor, join, spawn_named};

/// What the twins wait on: the real thing.
mod leaf {
    pub(crate) use watchglass::time::Sleep;
    pub(crate) use watchglass::{join, sleep};

    pub(crate) fn say(name: &str, what: &str) {
        println!("{name} {what}");
    }
}
#[allow(dead_code)] // Only one pair of the four is used here.
#[path = "../../examples/shared/twins.rs"]
mod twins;

fn main() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        let by_rustc = spawn_named("async fn", twins::both());
        let by_hand = spawn_named("twin", twins::both_by_hand());
        let _ = join(by_rustc, by_hand).await;
    });
}
