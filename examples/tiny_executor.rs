//! An executor in a hundred lines: tasks, a queue, wakers, timers, and one place to park.
//!
//! `docs/08-an-executor-in-a-hundred-lines.md` builds it step by step.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
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

    /// Who is to be woken when. Equal deadlines share a list, first in, first out.
    static TIMERS: RefCell<BTreeMap<Instant, Vec<Waker>>> = const { RefCell::new(BTreeMap::new()) };
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
        let next_deadline = fire_timers();
        let popped = queue.lock().unwrap().pop_front();
        let Some(id) = popped else {
            park(next_deadline);
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

/// Wakes whoever waits for a deadline that has passed, and says when the next one is due.
fn fire_timers() -> Option<Instant> {
    loop {
        let deadline = TIMERS.with_borrow(|timers| timers.keys().next().copied())?;
        if deadline > Instant::now() {
            return Some(deadline);
        }
        let wakers = TIMERS.with_borrow_mut(|timers| timers.remove(&deadline));
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The one place where the thread waits: for a waker or for a deadline, whichever is first.
fn park(next_deadline: Option<Instant>) {
    match next_deadline {
        Some(deadline) => {
            thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        }
        None => thread::park(),
    }
}

/// Ready once its deadline has passed. Until then, its waker waits among the timers.
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
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        TIMERS.with_borrow_mut(|timers| timers.entry(self.deadline).or_default().push(waker));
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
