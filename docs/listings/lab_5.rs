//! Lab 5: the guest waits for the door, which is open.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use watchglass::{block_on, sleep, spawn};

/// Ready when the door is open.
struct Opened(Rc<Cell<bool>>);

impl Future for Opened {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        match self.0.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

async fn guest(door: Rc<Cell<bool>>) {
    Opened(door).await;
    println!("the guest comes in");
}

async fn host() {
    let door = Rc::new(Cell::new(false));
    let guest = spawn(guest(door.clone()));
    sleep(Duration::from_secs(1)).await;
    println!("the door is opened");
    door.set(true);
    guest.await.expect("no panic");
}

fn main() {
    block_on(host());
}
