//! Who is told of something that has happened: that a timer has fired, or that a task has ended.

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
    Child(Arc<Woken>, usize),
    Waker(ForeignWaker),
}

impl Waiter {
    pub(crate) fn task(&self) -> Option<TaskId> {
        match self {
            Waiter::Task(id) => Some(*id),
            Waiter::Child(..) | Waiter::Waker(_) => None,
        }
    }

    /// True if this wakes the task, or a future of a `join_all` in it.
    pub(crate) fn is_inside(&self, task: TaskId) -> bool {
        match self {
            Waiter::Task(id) => *id == task,
            Waiter::Child(woken, _) => match &woken.list().parent {
                Some(Parent::Inside(parent)) => parent.is_inside(task),
                _ => false,
            },
            Waiter::Waker(_) => false,
        }
    }
}

/// Who is told that a task has ended.
pub(crate) enum Joiner {
    Waiter(Waiter),
    /// A `JoinSet`, which notes the task's id and wakes whoever awaits the set.
    Set(Rc<dyn Fn(TaskId)>),
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
pub(crate) struct Woken {
    /// By index, true while it is in the list, so that it is there once.
    queued: Box<[AtomicBool]>,
    list: Mutex<List>,
}

struct List {
    /// The futures to be polled, in the order of their wakes.
    indices: Vec<usize>,
    /// Whom to wake for them. `None` while the join itself is being polled: it looks at `indices`
    /// before it returns.
    parent: Option<Parent>,
}

/// Whom to wake when a future of a `join_all` was woken.
pub(crate) enum Parent {
    /// Only the executor itself wakes any of the futures.
    Inside(Waiter),
    /// Somebody outside may wake one, on any thread.
    Waker(ForeignWaker),
}

impl Woken {
    /// All of so many are to be polled.
    pub(crate) fn all(children: usize) -> Arc<Self> {
        Arc::new(Woken {
            queued: (0..children).map(|_| AtomicBool::new(true)).collect(),
            list: Mutex::new(List {
                indices: (0..children).collect(),
                parent: None,
            }),
        })
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a future was woken, by the executor itself. Whoever comes first wakes the parent.
    pub(crate) fn note(&self, index: usize) -> Option<Parent> {
        self.push(index)?.parent.take()
    }

    /// Notes that a future was woken, by anybody on any thread.
    pub(crate) fn note_outside(&self, index: usize) -> Option<ForeignWaker> {
        let mut list = self.push(index)?;
        let is_waker = |parent: &mut Parent| matches!(parent, Parent::Waker(_));
        match list.parent.take_if(is_waker) {
            Some(Parent::Waker(waker)) => Some(waker),
            _ => None,
        }
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
    /// are woken from now on; and until [`wait`](Woken::wait) nobody wakes the parent, who is given back.
    pub(crate) fn take(&self, indices: &mut Vec<usize>) -> Option<Parent> {
        let mut list = self.list();
        mem::swap(indices, &mut list.indices);
        list.parent.take()
    }

    /// From now on a wake puts the future in the list again, which is polled now. `alone` says that nobody
    /// outside can wake it.
    #[inline]
    pub(crate) fn begin_poll(&self, index: usize, alone: bool) {
        match alone {
            // The join has seen by the count of clones that whoever had one has let go of it. With the fence,
            // the poll sees what they did before that, also whoever woke it and was not the first.
            true => {
                fence(Ordering::Acquire);
                self.queued[index].store(false, Ordering::Relaxed);
            }
            // By a swap: see "Why no wake is lost" in `inbox.rs`.
            false => _ = self.queued[index].swap(false, Ordering::AcqRel),
        }
    }

    /// Nobody is woken any more.
    pub(crate) fn forget_parent(&self) {
        let parent = self.list().parent.take();
        drop(parent);
    }

    /// A future that is done is woken no more.
    pub(crate) fn end(&self, index: usize) {
        self.queued[index].store(true, Ordering::Relaxed);
    }

    /// Notes whom to wake. Gives that back if a future has been woken since [`take`](Woken::take).
    pub(crate) fn wait(&self, parent: Option<Parent>) -> Result<(), Option<Parent>> {
        let mut list = self.list();
        if !list.indices.is_empty() {
            return Err(parent);
        }
        list.parent = parent;
        Ok(())
    }
}
