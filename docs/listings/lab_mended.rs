//! The seven programs of the lab, mended: of each the functions that have changed, and what they need.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender, bounded, unbounded};
use watchglass::{Executor, interval, join, sleep, spawn, spawn_blocking};

// ---- 1

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

// ---- 2

async fn save(name: &'static str) {
    sleep(Duration::from_millis(10)).await;
    println!("{name} is saved");
}

async fn edit() {
    println!("you write a letter, and save it");
    let saved = spawn(save("the letter"));
    saved.await.expect("no panic");
    println!("good bye");
}

// ---- 3

async fn clock() {
    let mut ticks = interval(Duration::from_millis(100));
    loop {
        ticks.tick().await;
    }
}

fn scale() {
    thread::sleep(Duration::from_millis(800));
}

async fn opens(picture: &str) {
    sleep(Duration::from_millis(250)).await;
    println!("{picture} is loaded");
    spawn_blocking(scale).await.expect("no panic");
    println!("{picture} is scaled");
}

async fn window() {
    let clock = spawn(clock());
    opens("the picture").await;
    sleep(Duration::from_millis(250)).await;
    clock.abort();
}

// ---- 4

async fn writer(name: &str, printer: Sender<String>) {
    for page in 1..=2 {
        let page = format!("page {page} of {name}");
        printer.send(page).await.expect("the printer listens");
    }
}

async fn printer(pages: Receiver<String>) {
    while let Ok(page) = pages.recv().await {
        println!("printed: {page}");
    }
    println!("no more pages will come");
}

async fn office() {
    let (sender, receiver) = unbounded();
    let printer = spawn(printer(receiver));
    join(
        writer("the letter", sender.clone()),
        writer("the bill", sender),
    )
    .await;
    printer.await.expect("no panic");
}

// ---- 5

#[derive(Default)]
struct Door {
    is_open: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Door {
    fn open(&self) {
        self.is_open.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

struct Opened(Rc<Door>);

impl Future for Opened {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.is_open.get() {
            return Poll::Ready(());
        }
        self.0.waker.replace(Some(cx.waker().clone()));
        Poll::Pending
    }
}

async fn guest(door: Rc<Door>) {
    Opened(door).await;
    println!("the guest comes in");
}

async fn host() {
    let door = Rc::new(Door::default());
    let guest = spawn(guest(door.clone()));
    sleep(Duration::from_secs(1)).await;
    println!("the door is opened");
    door.open();
    guest.await.expect("no panic");
}

// ---- 6

async fn kettle(boils: Sender<()>) {
    sleep(Duration::from_millis(200)).await;
    boils.send(()).await.expect("the cook waits");
}

async fn cook() {
    let (boils, water) = bounded(1);
    let kettle = spawn(kettle(boils));
    water.recv().await.expect("the kettle is on");
    println!("the water boils");
    kettle.await.expect("no panic");
}

// ---- 7

type Till = Rc<RefCell<u32>>;

async fn counts(till: Till) {
    let money = *till.borrow();
    sleep(Duration::from_secs(1)).await;
    println!("there were {money} coins");
}

async fn pays(till: Till) {
    *till.borrow_mut() += 5;
    println!("paid");
}

async fn shop() {
    let till = Till::default();
    let counts = spawn(counts(till.clone()));
    let pays = spawn(pays(till));
    pays.await.expect("no panic");
    counts.await.expect("no panic");
}

fn run(number: usize, mended: impl Future<Output = ()>) {
    println!("{number}.");
    Executor::new().block_on(mended);
}

fn main() {
    run(1, downloads());
    run(2, edit());
    run(3, window());
    run(4, office());
    run(5, host());
    run(6, cook());
    run(7, shop());
}
