//! `join_all`: any number of futures that wait together inside one task.
//!
//! To poll all of n futures for each that was woken would be n polls a wake. So each future has a waker
//! of its own, which notes that it was woken before it wakes the task:
//!
//! ```text
//!   the child's waker ──▶ its index into `Woken` ──▶ the task's waker ──▶ JoinAll::poll
//!                                                                              │
//!                           the child is polled, with its own waker  ◀─────────┘
//! ```

use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::combine::waits;
use crate::trace::WaitsOn;

/// Awaits all the futures, at the same time, in this task, and gives their outputs in the order in
/// which the futures were given.
///
/// At first all are polled, in order; then each time only those that were woken, in the order of
/// their wakes. One that wakes itself is polled again at the task's next poll.
///
/// ```
/// let squares = watchglass::block_on(watchglass::join_all((0..4).map(|n| async move { n * n })));
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
#[doc(alias = "gather")]
pub fn join_all<I>(futures: I) -> JoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let running = |future| Child::Running {
        future: Box::pin(future),
        waker: None,
    };
    let children: Vec<_> = futures.into_iter().map(running).collect();
    JoinAll {
        running: children.len(),
        wakeable: 0,
        woken: Arc::new(Mutex::new(Woken {
            indices: (0..children.len()).collect(),
            parent: None,
        })),
        polled: Vec::new(),
        children,
        spare: None,
    }
}

/// The future of [`join_all`].
#[must_use = "a join does nothing unless you `.await` it"]
pub struct JoinAll<F: Future> {
    children: Vec<Child<F>>,
    running: usize,
    /// How many of them have a waker of their own: nobody can wake any other.
    wakeable: usize,
    woken: Arc<Mutex<Woken>>,
    /// The indices of the last poll, empty again: kept for its memory.
    polled: Vec<usize>,
    /// A waker that is no child's yet. As in the executor, a child that never gives its waker away
    /// never has one of its own.
    spare: Option<HeldChildWaker>,
}

enum Child<F: Future> {
    Running {
        future: Pin<Box<F>>,
        waker: Option<HeldChildWaker>,
    },
    Done(Option<F::Output>),
}

/// What the children's wakers tell the join.
struct Woken {
    /// The children to be polled, in the order of their wakes.
    indices: Vec<usize>,
    /// Whom to wake for them. `None` while the join itself is being polled: it looks at `indices`
    /// before it returns.
    parent: Option<Waker>,
}

struct ChildWaker {
    index: AtomicUsize,
    /// True while the index is in `Woken`, so that it is there once.
    queued: AtomicBool,
    woken: Arc<Mutex<Woken>>,
}

/// A child's waker, and a handle on it that tells whether anybody has a clone.
struct HeldChildWaker {
    target: Arc<ChildWaker>,
    waker: Waker,
}

impl HeldChildWaker {
    fn new(woken: &Arc<Mutex<Woken>>) -> Self {
        let target = Arc::new(ChildWaker {
            index: AtomicUsize::new(0),
            queued: AtomicBool::new(false),
            woken: woken.clone(),
        });
        let waker = Waker::from(target.clone());
        HeldChildWaker { target, waker }
    }

    fn is_cloned(&self) -> bool {
        Arc::strong_count(&self.target) > 2
    }
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let parent = {
            let mut woken = lock(&self.woken);
            woken.indices.push(self.index.load(Ordering::Relaxed));
            woken.parent.take()
        };
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

fn lock(woken: &Mutex<Woken>) -> MutexGuard<'_, Woken> {
    woken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<F: Future> JoinAll<F> {
    /// Polls one child, unless it is done, with its own waker or with the spare one.
    #[track_caller]
    fn poll_child(&mut self, index: usize) {
        let Child::Running { future, waker } = &mut self.children[index] else {
            return;
        };
        let held = match waker.take() {
            Some(own) => {
                self.wakeable -= 1;
                // Cleared before the poll, by a swap: see "Why no wake is lost" in `inbox.rs`.
                own.target.queued.swap(false, Ordering::AcqRel);
                own
            }
            None => {
                let spare = self.spare.take();
                let spare = spare.unwrap_or_else(|| HeldChildWaker::new(&self.woken));
                spare.target.index.store(index, Ordering::Relaxed);
                spare.target.queued.store(false, Ordering::Relaxed);
                spare
            }
        };
        match future.as_mut().poll(&mut Context::from_waker(&held.waker)) {
            Poll::Ready(output) => {
                self.children[index] = Child::Done(Some(output));
                self.running -= 1;
                if !held.is_cloned() {
                    self.spare = Some(held);
                }
            }
            Poll::Pending if held.is_cloned() => {
                *waker = Some(held);
                self.wakeable += 1;
            }
            Poll::Pending => self.spare = Some(held),
        }
    }
}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut indices = mem::take(&mut this.polled);
        let parent = {
            let mut woken = lock(&this.woken);
            mem::swap(&mut indices, &mut woken.indices);
            woken.parent.take()
        };
        for &index in &indices {
            this.poll_child(index);
        }
        indices.clear();
        this.polled = indices;
        if this.running == 0 {
            let mut outputs = Vec::with_capacity(this.children.len());
            for child in &mut this.children {
                outputs.push(child.take());
            }
            return Poll::Ready(outputs);
        }
        waits(WaitsOn::Children(this.running), Location::caller());
        // The wakers are cloned and dropped with nothing locked: both may be anybody's code. None is
        // kept where no future had given its own away when it was last polled: the executor would
        // take it for a hope, and wait for ever.
        let parent = match parent {
            _ if self.wakeable == 0 => None,
            Some(same) if same.will_wake(cx.waker()) => Some(same),
            _ => Some(cx.waker().clone()),
        };
        let mut woken = lock(&self.woken);
        if woken.indices.is_empty() {
            woken.parent = parent;
        } else {
            drop(woken);
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// The children are boxed, so the join itself may be moved.
impl<F: Future> Unpin for JoinAll<F> {}

impl<F: Future> Child<F> {
    #[track_caller]
    fn take(&mut self) -> F::Output {
        match self {
            Child::Done(output) => output
                .take()
                .expect("a join is polled only until it is ready"),
            Child::Running { .. } => unreachable!("none is running"),
        }
    }
}

impl<F: Future> fmt::Debug for JoinAll<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll")
            .field("futures", &self.children.len())
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
