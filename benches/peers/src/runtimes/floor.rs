//! The floor: plain code that runs tasks and little else.
//!
//! A boxed future, a `VecDeque` of task numbers, a waker that pushes a number
//! back. No handles, no timers, no threads, no deduplication of wakes and no
//! care about panics. It is there to show what the features of the others
//! cost, not to be used.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::{Kind, Runtime};

/// The number that stands for `block_on`'s own future in the queue.
const MAIN: usize = usize::MAX;

thread_local! {
    /// A waker has to be `Send`, so it carries a number and finds the queue here.
    static READY: RefCell<VecDeque<usize>> = const { RefCell::new(VecDeque::new()) };
}

struct Number(usize);

impl Wake for Number {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        READY.with_borrow_mut(|ready| ready.push_back(self.0));
    }
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

#[derive(Default)]
pub struct Tasks {
    /// By number. A task is out of its slot while it is polled, so that it may
    /// spawn others.
    slots: Vec<Option<Task>>,
    /// Numbers of tasks that are done.
    free: Vec<usize>,
}

pub struct Floor {
    tasks: Rc<RefCell<Tasks>>,
    main_waker: Waker,
}

impl Runtime for Floor {
    const NAME: &'static str = "floor";
    const KIND: Kind = Kind::Floor;
    type Spawner = Rc<RefCell<Tasks>>;

    fn new() -> Self {
        Floor {
            tasks: Rc::default(),
            main_waker: Waker::from(Arc::new(Number(MAIN))),
        }
    }

    fn spawner(&self) -> Self::Spawner {
        Rc::clone(&self.tasks)
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut main = pin!(future);
        let mut number = MAIN;
        loop {
            if number != MAIN {
                self.poll_task(number);
            } else {
                let mut context = Context::from_waker(&self.main_waker);
                if let Poll::Ready(output) = main.as_mut().poll(&mut context) {
                    return output;
                }
            }
            let next = READY.with_borrow_mut(VecDeque::pop_front);
            number = next.expect("no task is ready, and none can become so");
        }
    }

    fn spawn_detached<F: Future<Output = ()> + 'static>(spawner: &Self::Spawner, future: F) {
        let mut tasks = spawner.borrow_mut();
        let number = tasks.free.pop().unwrap_or(tasks.slots.len());
        let waker = Waker::from(Arc::new(Number(number)));
        let future = Box::pin(future);
        if number == tasks.slots.len() {
            tasks.slots.push(None);
        }
        tasks.slots[number] = Some(Task { future, waker });
        READY.with_borrow_mut(|ready| ready.push_back(number));
    }
}

impl Floor {
    fn poll_task(&mut self, number: usize) {
        let Some(mut task) = self.tasks.borrow_mut().slots[number].take() else {
            return; // Woken after its end.
        };
        let mut context = Context::from_waker(&task.waker);
        let done = task.future.as_mut().poll(&mut context).is_ready();
        let mut tasks = self.tasks.borrow_mut();
        if done {
            tasks.free.push(number);
        } else {
            tasks.slots[number] = Some(task);
        }
    }
}
