//! Who is told that a timer has fired, or that a task has ended: a task, a future of a `join_all` inside a task, or
//! somebody else's waker.
//!
//! Whoever reads this for the first time may stop at [`WokenChildren`], and come back with `join_all.rs`: the rest is
//! only for that.
//!
//! What threads share here is [`WokenChildren`], in which a `join_all` finds which of its futures were woken.
//! `tests/interleavings/` runs it, as it is, through every order in which their steps can happen.

use std::cell::{Cell, RefCell};
use std::mem;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::guard::{contain, drop_contained};
use crate::task::TaskId;

/// Somebody who waits inside the executor, for a timer or for a task's end.
///
/// A task that waits under its own waker is remembered by its id, and a future of a `join_all` by its
/// index: nothing is cloned or counted, so nobody outside seems to have a waker who has none. A future may
/// also be polled with another waker (that of somebody else's combinator, of another executor).
pub(crate) enum Waiter {
    Task(TaskId),
    Child(Arc<WokenChildren>, usize),
    Waker(ForeignWaker),
}

impl Waiter {
    pub(crate) fn task(&self) -> Option<TaskId> {
        match self {
            Waiter::Task(id) => Some(*id),
            Waiter::Child(..) | Waiter::Waker(_) => None,
        }
    }
}

/// Who is told that a task has ended.
pub(crate) enum Joiner {
    Waiter(Waiter),
    /// A `JoinSet`, which notes the task's id and wakes whoever awaits the set; or a task of another executor.
    Told(Rc<dyn Fn(TaskId)>),
}

/// A waker whose code is not ours. Wherever the executor uses it or lets go of it, a panic ends there:
/// whoever is woken next must not suffer, and whoever cancels a sleep must not either.
pub(crate) struct ForeignWaker(Waker);

impl ForeignWaker {
    pub(crate) fn clone_of(waker: &Waker) -> Self {
        ForeignWaker(waker.clone())
    }

    pub(crate) fn will_wake(&self, other: &Waker) -> bool {
        self.0.will_wake(other)
    }

    pub(crate) fn wake(mut self) {
        let waker = self.take();
        contain(|| waker.wake());
    }

    fn take(&mut self) -> Waker {
        mem::replace(&mut self.0, Waker::noop().clone())
    }
}

impl Drop for ForeignWaker {
    fn drop(&mut self) {
        drop_contained(self.take());
    }
}

/// Which futures of a `join_all` were woken, and whom to wake for them.
pub(crate) struct WokenChildren {
    /// By index, true while it is in the list, so that it is there once.
    queued: Box<[AtomicBool]>,
    list: Mutex<List>,
}

struct List {
    /// The futures to be polled, in the order of their wakes.
    indices: Vec<usize>,
    /// Nobody while the join itself is being polled: it looks at `indices` before it returns.
    parent: Parent,
    /// Of how many futures the waker is kept outside, and not by the join.
    lent: usize,
}

/// Whom to wake when a future of a `join_all` was woken.
#[derive(Default)]
pub(crate) struct Parent {
    /// For the executor itself, which needs no waker.
    pub(crate) inside: Option<Waiter>,
    /// For everybody else, on any thread.
    pub(crate) outside: Option<ForeignWaker>,
    /// True if only those who have a future's waker need `outside`. Then it is dropped with the last of these wakers:
    /// as long as it is there, the executor believes that somebody outside may wake the task.
    pub(crate) goes_with_lent: bool,
}

impl WokenChildren {
    /// All of so many are to be polled.
    pub(crate) fn all(children: usize) -> Arc<Self> {
        Arc::new(WokenChildren {
            queued: (0..children).map(|_| AtomicBool::new(true)).collect(),
            list: Mutex::new(List {
                indices: (0..children).collect(),
                parent: Parent::default(),
                lent: 0,
            }),
        })
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a future was woken, by the executor itself. Whoever comes first has the parent to wake.
    pub(crate) fn note(&self, index: usize) -> Parent {
        let list = self.push(index);
        list.map_or(Parent::default(), |mut list| mem::take(&mut list.parent))
    }

    /// Notes that a future was woken, by anybody on any thread. Whoever comes first has the parent to wake.
    pub(crate) fn note_outside(&self, index: usize) -> Option<ForeignWaker> {
        let mut list = self.push(index)?;
        let outside = list.parent.outside.take()?;
        let inside = mem::take(&mut list.parent);
        drop(list);
        drop(inside);
        Some(outside)
    }

    fn push(&self, index: usize) -> Option<MutexGuard<'_, List>> {
        if self.queued[index].swap(true, Ordering::AcqRel) {
            return None;
        }
        let mut list = self.list();
        list.indices.push(index);
        Some(list)
    }

    /// The futures that are to be polled now come into `indices`, whose memory is used for those that
    /// are woken from now on; and until [`wait`](WokenChildren::wait) nobody wakes the parent, who is given back.
    pub(crate) fn take(&self, indices: &mut Vec<usize>) -> Parent {
        let mut list = self.list();
        mem::swap(indices, &mut list.indices);
        mem::take(&mut list.parent)
    }

    /// From now on a wake puts the future in the list again, which is polled now. `alone` says that nobody
    /// outside can wake it.
    #[inline]
    pub(crate) fn begin_poll(&self, index: usize, alone: bool) {
        match alone {
            // Whoever had its waker has let go of it: the count of clones says so. With the fence, the poll
            // sees what they did before that, also whoever woke it and was not the first.
            true => {
                fence(Ordering::Acquire);
                self.queued[index].store(false, Ordering::Relaxed);
            }
            // By a swap: see "Why no wake is lost" in `inbox.rs`.
            false => _ = self.queued[index].swap(false, Ordering::AcqRel),
        }
    }

    /// A future that is done is woken no more. `Relaxed`, for nothing depends on it: of a wake that comes just before,
    /// the index is in the list, and the join passes it over.
    pub(crate) fn end(&self, index: usize) {
        self.queued[index].store(true, Ordering::Relaxed);
    }

    /// True if somebody outside has a future's waker.
    pub(crate) fn has_lent(&self) -> bool {
        self.list().lent > 0
    }

    /// Somebody outside has a future's waker, and nobody else has.
    pub(crate) fn lend(&self) {
        self.list().lent += 1;
    }

    /// That waker is gone, or the join has it too.
    pub(crate) fn end_lending(&self) {
        let mut list = self.list();
        list.lent -= 1;
        let unneeded = list.unneeded();
        drop(list);
        drop(unneeded);
    }

    /// Notes whom to wake. Gives that back if a future has been woken since [`take`](WokenChildren::take).
    pub(crate) fn wait(&self, parent: Parent) -> Result<(), Parent> {
        let mut list = self.list();
        if !list.indices.is_empty() {
            return Err(parent);
        }
        list.parent = parent;
        let unneeded = list.unneeded();
        drop(list);
        drop(unneeded);
        Ok(())
    }

    /// Nobody is woken any more.
    pub(crate) fn forget_parent(&self) {
        let parent = mem::take(&mut self.list().parent);
        drop(parent);
    }
}

impl List {
    /// The waker that nobody has a use for: it is for the caller to drop, with nothing locked.
    fn unneeded(&mut self) -> Option<ForeignWaker> {
        match self.lent == 0 && self.parent.goes_with_lent {
            true => self.parent.outside.take(),
            false => None,
        }
    }
}

/// The future of a `join_all` that is polled now, if one is.
#[derive(Default)]
pub(crate) struct PolledChild {
    pub(crate) woken: RefCell<Option<Arc<WokenChildren>>>,
    pub(crate) index: Cell<usize>,
    /// The address of what it is polled with, or 0.
    pub(crate) waker: Cell<usize>,
    /// True if one of the join's futures has left its index with somebody in this poll.
    pub(crate) registered: Cell<bool>,
}
