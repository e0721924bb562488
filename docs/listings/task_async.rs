//! One async function. `main` runs it to its end once, and cancels it once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Needs no clock: it is ready after as many polls as its delay has seconds, plus one.
struct Sleep {
    pendings_left: u64,
}

fn sleep(delay: Duration) -> Sleep {
    Sleep {
        pendings_left: delay.as_secs(),
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.pendings_left == 0 {
            return Poll::Ready(());
        }
        self.pendings_left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        println!("a sleep is dropped");
    }
}

fn say(name: &str, what: &str) {
    println!("{name} {what}");
}

async fn task_async(name: &'static str, delay: Duration) {
    say(name, "starting");
    sleep(delay).await;
    say(name, "done");
}

fn main() {
    let mut cx = Context::from_waker(Waker::noop());

    let mut task = Box::pin(task_async("Task A", Duration::from_secs(1)));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    assert!(task.as_mut().poll(&mut cx).is_ready());

    let mut task = Box::pin(task_async("Task B", Duration::from_secs(1)));
    assert!(task.as_mut().poll(&mut cx).is_pending());
    drop(task);
    println!("Task B was cancelled");
}
