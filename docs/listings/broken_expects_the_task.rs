//! Clause 8 broken: an executor that believes that a woken task still exists.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};

use waker_fn::waker_fn;

fn main() {
    let (timer, timers) = mpsc::channel::<Waker>();
    let task = poll_fn(move |cx| {
        println!("the task leaves its waker with a timer, and ends without it");
        let _ = timer.send(cx.waker().clone());
        Poll::Ready(())
    });

    let (queue, woken) = mpsc::channel();
    let mut tasks: HashMap<u32, Pin<Box<dyn Future<Output = ()>>>> = HashMap::new();
    tasks.insert(1, Box::pin(task));
    queue.send(1).expect("the queue is open");
    loop {
        for number in woken.try_iter() {
            let task = tasks.get_mut(&number).expect("a woken task exists");
            let queue = queue.clone();
            let waker = waker_fn(move || queue.send(number).expect("the queue is open"));
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                tasks.remove(&number);
            }
        }
        println!("the timer fires");
        let Ok(waker) = timers.recv() else { break };
        waker.wake();
    }
}
