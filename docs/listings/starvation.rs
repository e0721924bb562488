//! A long computation, and a task that waits for its turn.

use std::cell::Cell;
use std::rc::Rc;
use watchglass::{block_on, join, spawn, yield_now};

/// Counts to a million, and gives the others a turn after so many rounds.
async fn computes(rounds: Rc<Cell<u32>>, give_way_every: u32) {
    for round in 1..=1_000_000 {
        rounds.set(round);
        if round % give_way_every == 0 {
            yield_now().await;
        }
    }
}

async fn waits_for_its_turn(rounds: Rc<Cell<u32>>) {
    println!("my turn came after {} rounds", rounds.get());
}

fn main() {
    for give_way_every in [u32::MAX, 1000] {
        block_on(async {
            let rounds = Rc::new(Cell::new(0));
            let computing = spawn(computes(rounds.clone(), give_way_every));
            let waiting = spawn(waits_for_its_turn(rounds));
            let _ = join(computing, waiting).await;
        });
    }
}
