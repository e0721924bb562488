//! Which futures of a `join_all` were woken, and whom to wake for them: what its wakers share with it, on any thread.
//!
//! ```text
//!    a wake, on any thread ──▶ the end of the list ──▶ the first one there: wakes the parent
//!          └── with the waker, if that       │
//!              is used up                    ▼
//!                                   taken whole by the join's poll
//! ```
//!
//! `tests/interleavings/` runs it, as it is, through every order in which the threads' steps can happen, with
//! three preemptions at most.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{ChildWaker, ForeignWaker, Waiter};

/// Which futures of a `join_all` were woken, and whom to wake for them.
pub(crate) struct WokenChildren {
    /// For each future, true while it is in the list, so that it is there once, and when it is done. A wake looks at it
    /// and changes it with the lock; the join does without where nobody else can wake the future, or where a wake no
    /// longer matters.
    is_listed: Box<[AtomicBool]>,
    locked: Mutex<Locked>,
    /// Of how many futures that are not done the waker is kept outside, and not by the join.
    lent: AtomicUsize,
}

#[derive(Default)]
struct Locked {
    /// In the order of their wakes. There is room for all, so nobody allocates with the lock.
    list: Vec<Woken>,
    /// Nobody from the first wake on, nor while the join itself is being polled: it looks at the list before it
    /// returns.
    parent: Parent,
}

/// A future of a `join_all` that is to be polled.
pub(crate) struct Woken {
    pub(crate) index: usize,
    /// Its waker, if that was used up: so it gets its own back, and needs no new one.
    pub(crate) returned: Option<Arc<ChildWaker>>,
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
        let woken = |index| Woken {
            index,
            returned: None,
        };
        Arc::new(WokenChildren {
            is_listed: (0..children).map(|_| AtomicBool::new(true)).collect(),
            locked: Mutex::new(Locked {
                list: (0..children).map(woken).collect(),
                ..Locked::default()
            }),
            lent: AtomicUsize::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a future was woken, by anybody on any thread. Whoever comes first has the parent to wake. If the
    /// future's waker was used up, it goes back to the join.
    pub(crate) fn note(&self, index: usize, returned: Option<Arc<ChildWaker>>) -> Parent {
        let mut locked = self.lock();
        if self.is_listed[index].load(Ordering::Relaxed) {
            // `returned` is dropped after `locked`, being an argument: its drop may take this lock.
            return Parent::default();
        }
        self.is_listed[index].store(true, Ordering::Relaxed);
        locked.list.push(Woken { index, returned });
        // Beside others in the list there is no parent: it is asked only because to move one takes longer.
        match locked.list.len() {
            1 => mem::take(&mut locked.parent),
            _ => Parent::default(),
        }
    }

    /// Exchanges an empty list for that of the futures that are to be polled now. Until
    /// [`wait`](WokenChildren::wait) nobody wakes the parent, who is given back.
    pub(crate) fn take(&self, list: &mut Vec<Woken>) -> Parent {
        let mut locked = self.lock();
        mem::swap(list, &mut locked.list);
        mem::take(&mut locked.parent)
    }

    /// From now on a wake puts the future in the list again, which is polled now. `alone` says that nobody
    /// outside can wake it.
    #[inline]
    pub(crate) fn begin_poll(&self, index: usize, alone: bool) {
        let locked = match alone {
            // Whoever had its waker has let go of it: the count of clones says so. With the fence, the poll
            // sees what they did before that, also whoever woke it and was not the first. (No test would find it
            // missing: the checkers do not model that count, and on some processors it is no instruction.)
            true => {
                fence(Ordering::Acquire);
                None
            }
            // With it, the poll sees what was done before a wake that has found the future in the list.
            false => Some(self.lock()),
        };
        self.is_listed[index].store(false, Ordering::Relaxed);
        drop(locked);
    }

    /// A future that is done is woken no more. Its waker may still be held, and does not count as lent: so the parent
    /// may have no `outside`, and a late wake would take it away and wake nobody. It needs no lock: of a wake just
    /// before this, the index is in the list when the join asks in [`wait`](WokenChildren::wait), and is passed over.
    pub(crate) fn end(&self, index: usize) {
        self.is_listed[index].store(true, Ordering::Relaxed);
    }

    /// True if somebody outside has the waker of a future that is not done.
    pub(crate) fn has_lent(&self) -> bool {
        self.lent.load(Ordering::Relaxed) > 0
    }

    /// Somebody outside has a future's waker, and nobody else has.
    pub(crate) fn lend(&self) {
        self.lent.fetch_add(1, Ordering::Relaxed);
    }

    /// That waker is gone, or nobody but the join has it, or its future is done.
    pub(crate) fn end_lending(&self) {
        // What was counted before and after is put in order by the lock.
        if self.lent.fetch_sub(1, Ordering::Relaxed) == 1 {
            let unneeded = self.unneeded(&mut self.lock().parent);
            drop(unneeded);
        }
    }

    /// Notes whom to wake. Gives that back if a future has been woken since [`take`](WokenChildren::take).
    pub(crate) fn wait(&self, parent: Parent) -> Result<(), Parent> {
        let mut locked = self.lock();
        if !locked.list.is_empty() {
            return Err(parent);
        }
        locked.parent = parent;
        let unneeded = self.unneeded(&mut locked.parent);
        drop(locked);
        drop(unneeded);
        Ok(())
    }

    /// The waker that nobody has a use for: it is for the caller to drop, with nothing locked.
    fn unneeded(&self, parent: &mut Parent) -> Option<ForeignWaker> {
        match parent.goes_with_lent && !self.has_lent() {
            true => parent.outside.take(),
            false => None,
        }
    }

    /// The join is gone: nobody is woken any more. (A waker that were put in the list now would keep all of this, and
    /// be kept by it. So the flags are raised before the lock is let go.)
    pub(crate) fn close(&self) {
        let mut locked = self.lock();
        for is_listed in &self.is_listed {
            is_listed.store(true, Ordering::Relaxed);
        }
        let before = mem::take(&mut *locked);
        drop(locked);
        drop(before);
    }
}
