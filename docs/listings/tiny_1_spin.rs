//! Step 1 of an executor: a loop that asks again and again.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0;
    loop {
        polls += 1;
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            println!("about {polls} polls");
            return output;
        }
    }
}

/// Ready once its deadline has passed.
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

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
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
