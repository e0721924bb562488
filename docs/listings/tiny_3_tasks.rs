//! Step 3 of an executor: a queue, and as many tasks as one likes.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

type Task = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// Tasks that were spawned and that `run` has not taken over yet.
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

fn spawn(future: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(future)));
}

/// The numbers of the tasks that are to be polled. Wakers on any thread add to it.
type Queue = Arc<Mutex<VecDeque<usize>>>;

/// Waking means: queue one task, then unpark the thread that runs `run`.
struct TaskWaker {
    id: usize,
    queue: Queue,
    thread: Thread,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.queue.lock().unwrap().push_back(self.id);
        self.thread.unpark();
    }
}

/// Polls tasks until all of them are done.
fn run() {
    let queue = Queue::default();
    let mut tasks: HashMap<usize, (Task, Waker)> = HashMap::new();
    let mut next_id = 0;
    loop {
        for task in SPAWNED.take() {
            let waker = TaskWaker {
                id: next_id,
                queue: queue.clone(),
                thread: thread::current(),
            };
            tasks.insert(next_id, (task, Waker::from(Arc::new(waker))));
            queue.lock().unwrap().push_back(next_id);
            next_id += 1;
        }
        if tasks.is_empty() {
            return;
        }
        let popped = queue.lock().unwrap().pop_front();
        let Some(id) = popped else {
            thread::park();
            continue;
        };
        // A task that was woken and then completed is no longer here.
        let Some((task, waker)) = tasks.get_mut(&id) else {
            continue;
        };
        let mut cx = Context::from_waker(waker);
        if task.as_mut().poll(&mut cx).is_ready() {
            tasks.remove(&id);
        }
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

/// How many threads this process has, as Linux counts them.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn main() {
    let start = Instant::now();
    spawn(task_async("Task A", Duration::from_secs(2)));
    spawn(task_async("Task B", Duration::from_secs(1)));
    spawn(async { println!("threads: {}", threads()) });
    run();
    println!("total {:.2} s", start.elapsed().as_secs_f64());
}
