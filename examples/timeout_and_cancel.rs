//! Three ways to stop a future: a time limit, a race, an abort. In all three, to cancel is to drop.
//!
//! A future that waits is a value that holds what it has so far. To stop it, drop that value: what it
//! holds is dropped with it, at the `.await` where it was. The future is not asked, and no exception is
//! raised inside it (Python would raise one). Watch the doors: each is closed, although no call of
//! `visit` came to its end.
//!
//! `cargo run --example timeout_and_cancel`

use std::time::Duration;
use watchglass::{block_on, race, sleep, spawn, timeout, yield_now};

struct Door(&'static str);

impl Drop for Door {
    fn drop(&mut self) {
        println!("  the {} door is closed", self.0);
    }
}

async fn visit(which: &'static str) -> &'static str {
    let _door = Door(which);
    println!("  the {which} door is open");
    sleep(Duration::from_secs(60)).await;
    println!("  the visit is over"); // Nobody has that much time here.
    "the visit"
}

fn main() {
    block_on(async {
        println!("timeout:");
        let visited = timeout(Duration::from_millis(50), visit("first")).await;
        println!("  {}", visited.unwrap_err());

        println!("race:");
        let bell = async {
            sleep(Duration::from_millis(50)).await;
            "the bell"
        };
        println!("  the winner is {}", race(visit("second"), bell).await);

        println!("abort:");
        let task = spawn(visit("third"));
        yield_now().await; // The task is polled for the first time.
        task.abort();
        println!("  aborted: it is dropped when its turn comes");
        println!("  {}", task.await.unwrap_err());
    });
}
