//! Step 2 of an executor: a waker, and a thread that is parked until the waker is used.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Waking means: unpark the thread that runs `block_on`.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut polls = 0;
    loop {
        polls += 1;
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            println!("{polls} polls");
            return output;
        }
        thread::park();
    }
}

/// Ready once its deadline has passed. Until then, a thread of its own waits for it.
struct Sleep {
    deadline: Instant,
}

fn sleep(duration: Duration) -> Sleep {
    Sleep {
        deadline: Instant::now() + duration,
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || {
            thread::sleep(remaining);
            waker.wake();
        });
        Poll::Pending
    }
}

async fn task_async(name: &str, delay: Duration) {
    println!("{name} starting");
    sleep(delay).await;
    println!("{name} done");
}

fn main() {
    let start = Instant::now();
    block_on(task_async("Task A", Duration::from_secs(1)));
    println!("total {:.2} s", start.elapsed().as_secs_f64());
}
