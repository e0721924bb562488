//! Lab 4: the printer prints all that it is sent, and then the program hangs.

use async_channel::{Receiver, Sender, unbounded};
use watchglass::{block_on, join, spawn};

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
        writer("the bill", sender.clone()),
    )
    .await;
    printer.await.expect("no panic");
}

fn main() {
    block_on(office());
}
