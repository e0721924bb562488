//! Clause 7 broken: a waker that polls at once, instead of leaving a note.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// Asks at once for a second poll, and is ready in it.
struct YieldNow(bool);

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Task(Mutex<YieldNow>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        match self.0.try_lock() {
            Ok(mut future) => {
                let answer = Pin::new(&mut *future).poll(&mut Context::from_waker(&waker));
                println!("polled: {answer:?}");
            }
            Err(_) => println!("woken, but it is being polled already: this wake is lost"),
        }
    }
}

fn main() {
    let task = Arc::new(Task(Mutex::new(YieldNow(false))));
    Waker::from(task).wake();
    println!("there is nobody left who would poll again");
}
