//! Three tasks wait. One is woken. One is polled.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use waker_fn::waker_fn;

type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The waker of whoever waits for bell 0, 1 or 2.
    static BELLS: RefCell<[Option<Waker>; 3]> = const { RefCell::new([const { None }; 3]) };
}

async fn task(number: usize) {
    poll_fn(|cx| {
        println!("task {number} is polled");
        BELLS.with_borrow_mut(|bells| bells[number] = Some(cx.waker().clone()));
        Poll::<()>::Pending
    })
    .await;
}

fn main() {
    let (queue, ready) = mpsc::channel();
    let mut tasks: Vec<Task> = Vec::new();
    for number in 0..3 {
        tasks.push(Box::pin(task(number)));
        queue.send(number).expect("the queue is open");
    }
    let run = |tasks: &mut Vec<Task>| {
        for number in ready.try_iter() {
            let queue = queue.clone();
            let waker = waker_fn(move || queue.send(number).expect("the queue is open"));
            let _ = tasks[number]
                .as_mut()
                .poll(&mut Context::from_waker(&waker));
        }
    };

    println!("each task is polled once, to start it");
    run(&mut tasks);
    println!("nothing happened");
    run(&mut tasks);
    println!("bell 1 rings");
    let waker = BELLS.with_borrow_mut(|bells| bells[1].take());
    waker.expect("task 1 waits").wake();
    run(&mut tasks);
}
