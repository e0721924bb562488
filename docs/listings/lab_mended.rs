//! The seven programs of the lab, mended. Each mend is a function.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use async_channel::unbounded;
use watchglass::{Executor, join, sleep, spawn, spawn_blocking};

async fn download(name: &str, seconds: u64) -> String {
    sleep(Duration::from_secs(seconds)).await;
    format!("{name} is here")
}

async fn downloads() {
    let first = download("the page", 2);
    let second = download("its picture", 1);
    let (first, second) = join(first, second).await;
    println!("{first}\n{second}");
}

async fn save(name: &'static str) {
    sleep(Duration::from_millis(10)).await;
    println!("{name} is saved");
}

async fn edit() {
    println!("you write a letter, and save it");
    let saved = spawn(save("the letter"));
    println!("good bye");
    saved.await.expect("no panic");
}

async fn opens(picture: &'static str) {
    println!("{picture} is loaded");
    let scaled = spawn_blocking(|| thread::sleep(Duration::from_millis(800)));
    scaled.await.expect("no panic");
    println!("{picture} is scaled");
}

async fn office() {
    let (sender, receiver) = unbounded();
    let printer = spawn(async move {
        while let Ok(page) = receiver.recv().await {
            println!("printed: {page}");
        }
        println!("no more pages will come");
    });
    sender.send("a page").await.expect("the printer listens");
    drop(sender); // the last one
    printer.await.expect("no panic");
}

#[derive(Default)]
struct Door {
    is_open: Cell<bool>,
    guest: RefCell<Option<Waker>>,
}

struct Opened(Rc<Door>);

impl Future for Opened {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.is_open.get() {
            return Poll::Ready(());
        }
        self.0.guest.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

impl Door {
    fn open(&self) {
        self.is_open.set(true);
        if let Some(guest) = self.guest.take() {
            guest.wake();
        }
    }
}

async fn host() {
    let door = Rc::new(Door::default());
    let guest = spawn(Opened(door.clone()));
    sleep(Duration::from_secs(1)).await;
    door.open();
    guest.await.expect("no panic");
    println!("the guest comes in");
}

async fn cook() {
    let (boils, water) = async_channel::bounded(1);
    let kettle = spawn(async move {
        sleep(Duration::from_millis(200)).await;
        boils.send(()).await.expect("the cook waits");
    });
    water.recv().await.expect("the kettle is on");
    println!("the water boils");
    kettle.await.expect("no panic");
}

async fn counts(till: Rc<RefCell<u32>>) {
    let money = *till.borrow();
    sleep(Duration::from_secs(1)).await;
    println!("there were {money} coins");
}

async fn shop() {
    let till = Rc::new(RefCell::new(0));
    let counts = spawn(counts(till.clone()));
    let pays = spawn(async move { *till.borrow_mut() += 5 });
    pays.await.expect("no panic");
    counts.await.expect("no panic");
}

fn main() {
    let run = |number: usize, mended: Pin<Box<dyn Future<Output = ()>>>| {
        println!("{number}.");
        let executor = Executor::builder().virtual_time().build();
        executor.block_on(mended);
    };
    run(1, Box::pin(downloads()));
    run(2, Box::pin(edit()));
    run(3, Box::pin(opens("the picture")));
    run(4, Box::pin(office()));
    run(5, Box::pin(host()));
    run(6, Box::pin(cook()));
    run(7, Box::pin(shop()));
}
