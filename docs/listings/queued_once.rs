//! Step 3 of an executor, mended: a task that is woken twice is in the queue once.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Queue = Arc<Mutex<VecDeque<usize>>>;

thread_local! {
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
    /// Who was polled, in order.
    static POLLS: RefCell<String> = const { RefCell::new(String::new()) };
}

fn spawn(future: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(future)));
}

struct TaskWaker {
    id: usize,
    is_queued: AtomicBool, // new
    queue: Queue,
    thread: Thread,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if self.is_queued.swap(true, AcqRel) {
            return; // new: it is in the queue already
        }
        self.queue.lock().unwrap().push_back(self.id);
        self.thread.unpark();
    }
}

fn run() {
    let queue = Queue::default();
    let mut tasks: HashMap<usize, (Task, Arc<TaskWaker>)> = HashMap::new(); // was: Waker
    let mut next_id = 0;
    loop {
        for task in SPAWNED.take() {
            let waker = Arc::new(TaskWaker {
                id: next_id,
                is_queued: AtomicBool::new(true), // new: it is put there two lines below
                queue: queue.clone(),
                thread: thread::current(),
            });
            tasks.insert(next_id, (task, waker));
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
        let Some((task, waker)) = tasks.get_mut(&id) else {
            continue;
        };
        waker.is_queued.swap(false, AcqRel); // new: before the poll
        let waker = Waker::from(waker.clone());
        if task
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready()
        {
            tasks.remove(&id);
        }
    }
}

/// Wakes itself so many times in each poll.
struct Turns {
    name: char,
    left: u32,
    wakes: u32,
}

impl Future for Turns {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        POLLS.with_borrow_mut(|polls| polls.push(self.name));
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        for _ in 0..self.wakes {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

fn main() {
    spawn(Turns {
        name: 'A',
        left: 3,
        wakes: 2,
    });
    spawn(Turns {
        name: 'B',
        left: 3,
        wakes: 1,
    });
    run();
    println!("{}", POLLS.take());
}
