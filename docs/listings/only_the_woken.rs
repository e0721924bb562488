//! Three tasks wait. One is woken. One is polled.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use waker_fn::waker_fn;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The waker of whoever waits for bell 0, 1 or 2.
type Bells = Rc<RefCell<Vec<Option<Waker>>>>;

async fn task(number: usize, bells: Bells) {
    poll_fn(|cx| {
        println!("task {number} is polled");
        bells.borrow_mut()[number] = Some(cx.waker().clone());
        Poll::<()>::Pending
    })
    .await;
}

fn main() {
    let (queue, ready) = mpsc::channel();
    let bells: Bells = Rc::new(RefCell::new(vec![None; 3]));
    let mut tasks: Vec<Task> = Vec::new();
    for number in 0..3 {
        tasks.push(Box::pin(task(number, bells.clone())));
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
    let waker = bells.borrow_mut()[1].take();
    waker.expect("task 1 waits").wake();
    run(&mut tasks);
}
