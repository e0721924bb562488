//! A future that is cancelled between two steps that belong together.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use watchglass::{Executor, sleep, spawn, timeout};

#[derive(Clone, Default)]
struct Bank {
    anna: Rc<Cell<i32>>,
    ben: Rc<Cell<i32>>,
}

async fn transfer(bank: Bank, amount: i32) {
    bank.anna.set(bank.anna.get() - amount);
    sleep(Duration::from_secs(2)).await;
    bank.ben.set(bank.ben.get() + amount);
}

fn main() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(async {
        let bank = Bank::default();
        let transferred = timeout(Duration::from_secs(1), transfer(bank.clone(), 10)).await;
        println!("the future itself: {transferred:?}");
        sleep(Duration::from_secs(2)).await;
        println!("  Anna {}, Ben {}", bank.anna.get(), bank.ben.get());

        let bank = Bank::default();
        let task = spawn(transfer(bank.clone(), 10));
        let transferred = timeout(Duration::from_secs(1), task).await;
        println!("a task's handle: {transferred:?}");
        sleep(Duration::from_secs(2)).await;
        println!("  Anna {}, Ben {}", bank.anna.get(), bank.ben.get());
    });
}
