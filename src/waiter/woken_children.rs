//! Which futures of a `join_all` were woken, and whom to wake for them: what its wakers share with it, on any thread.
//!
//! ```text
//!    a wake, on any thread ──▶ the front of the list ──▶ the first one: wakes the parent
//!                 └──▶ the waker, if that is used up         │
//!                                 │                          ▼
//!                                 └──────────────────▶ taken whole by the join's poll
//! ```
//!
//! `tests/interleavings/` runs it, as it is, through every order in which the threads' steps can happen, with
//! three preemptions at most.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::{ForeignWaker, Waiter};

/// Which futures of a `join_all` were woken, and whom to wake for them.
///
/// The woken ones are a list. Whoever wakes one puts it in front, on any thread, and the join takes the whole list and
/// turns it round. That is the stack of R. Kent Treiber ("Systems Programming: Coping with Parallelism", 1986)
/// without what makes it hard: nobody takes a single one out.
pub(crate) struct WokenChildren {
    links: Box<[Link]>,
    /// The index of the future that was woken last, or `NONE`.
    last: AtomicU32,
    locked: Mutex<Locked>,
    /// Of how many futures the waker is kept outside, and not by the join.
    lent: AtomicUsize,
}

#[derive(Default)]
struct Locked {
    /// Nobody while the join itself is being polled: it looks at `last` before it returns.
    parent: Parent,
    /// The wakers that were used up, with the futures' indices: at its next poll a future gets its own back, and needs
    /// no new one.
    returned: Vec<(usize, Waker)>,
    /// True if the join is gone. A waker that were kept here then would keep all of this, and be kept by it.
    is_closed: bool,
}

/// A future's place in the list.
struct Link {
    /// True while it is in the list, so that it is there once.
    is_listed: AtomicBool,
    /// The index of the one that was woken before it; once the join has turned the list round, after it. Or `NONE`.
    neighbour: AtomicU32,
}

/// The index that stands for "no future".
const NONE: u32 = u32::MAX;

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
        let children = u32::try_from(children)
            .ok()
            .filter(|&children| children < NONE);
        let children = children.expect("fewer than 2^32 - 1 futures in a join_all");
        // The one before 0 is `NONE`.
        let link = |index: u32| Link {
            is_listed: AtomicBool::new(true),
            neighbour: AtomicU32::new(index.wrapping_sub(1)),
        };
        Arc::new(WokenChildren {
            links: (0..children).map(link).collect(),
            last: AtomicU32::new(children.wrapping_sub(1)),
            locked: Mutex::default(),
            lent: AtomicUsize::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a future was woken, by the executor itself. Whoever comes first has the parent to wake.
    pub(crate) fn note(&self, index: usize) -> Parent {
        match self.is_new(index) && self.put_in_front(index) {
            true => mem::take(&mut self.lock().parent),
            false => Parent::default(),
        }
    }

    /// Notes that a future was woken, by anybody on any thread. Whoever comes first has the parent to wake.
    pub(crate) fn note_outside(&self, index: usize) -> Option<ForeignWaker> {
        if !self.is_new(index) || !self.put_in_front(index) {
            return None;
        }
        let parent = self.lock().parent.take_if_outside();
        parent.outside
    }

    /// [`note_outside`](WokenChildren::note_outside), by whoever uses the future's waker up, which goes back to the join.
    pub(crate) fn give_back(&self, index: usize, waker: Waker) -> Option<ForeignWaker> {
        if !self.is_new(index) {
            return None;
        }
        let mut locked = self.lock();
        let unwanted = match locked.is_closed {
            true => Some(waker),
            false => {
                locked.returned.push((index, waker));
                None
            }
        };
        let parent = match self.put_in_front(index) {
            true => locked.parent.take_if_outside(),
            false => Parent::default(),
        };
        drop(locked);
        drop(unwanted);
        parent.outside
    }

    /// True if the future is not in the list. From now on it counts as if it were.
    fn is_new(&self, index: usize) -> bool {
        !self.links[index].is_listed.swap(true, Ordering::AcqRel)
    }

    /// Puts a future in front of the list. True if it is the first.
    fn put_in_front(&self, index: usize) -> bool {
        let in_front_of = |last| {
            self.links[index].neighbour.store(last, Ordering::Relaxed);
            Some(index as u32)
        };
        let (set, fetch) = (Ordering::Release, Ordering::Relaxed);
        self.last.fetch_update(set, fetch, in_front_of) == Ok(NONE)
    }

    /// Takes the list of those that are to be polled now: the first of them, in the order of their wakes; and the
    /// wakers that have come back, for which `returned` leaves its memory. Until [`wait`](WokenChildren::wait) nobody
    /// wakes the parent, who is given back.
    pub(crate) fn take(&self, returned: &mut Vec<(usize, Waker)>) -> (Parent, Option<usize>) {
        let mut locked = self.lock();
        let parent = mem::take(&mut locked.parent);
        mem::swap(returned, &mut locked.returned);
        // With the lock, as in `give_back`: a future whose waker comes back is in the list and its waker in `returned`,
        // or neither is.
        let mut rest = self.last.swap(NONE, Ordering::Acquire);
        drop(locked);
        let mut first = NONE;
        while rest != NONE {
            let neighbour = &self.links[rest as usize].neighbour;
            let before = neighbour.load(Ordering::Relaxed);
            neighbour.store(first, Ordering::Relaxed);
            (first, rest) = (rest, before);
        }
        (parent, some(first))
    }

    /// The one after this in the list that was taken. Asked before its poll begins: from then on it may be in the next
    /// list.
    pub(crate) fn after(&self, index: usize) -> Option<usize> {
        some(self.links[index].neighbour.load(Ordering::Relaxed))
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
                self.links[index].is_listed.store(false, Ordering::Relaxed);
            }
            // By a swap: see "Why no wake is lost" in `inbox.rs`.
            false => _ = self.links[index].is_listed.swap(false, Ordering::AcqRel),
        }
    }

    /// A future that is done is woken no more. `Relaxed`, for nothing depends on it: of a wake that comes just before,
    /// the index is in the list, and the join passes it over.
    pub(crate) fn end(&self, index: usize) {
        self.links[index].is_listed.store(true, Ordering::Relaxed);
    }

    /// True if somebody outside has a future's waker.
    pub(crate) fn has_lent(&self) -> bool {
        self.lent.load(Ordering::Relaxed) > 0
    }

    /// Somebody outside has a future's waker, and nobody else has.
    pub(crate) fn lend(&self) {
        self.lent.fetch_add(1, Ordering::Relaxed);
    }

    /// That waker is gone, or the join has it too.
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
        // Whoever was first has yet to come for the parent, or has been here already, and then the lock shows what he
        // has put in the list.
        if self.last.load(Ordering::Relaxed) != NONE {
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

    /// The join is gone: nobody is woken any more.
    pub(crate) fn close(&self) {
        let closed = Locked {
            is_closed: true,
            ..Locked::default()
        };
        let before = mem::replace(&mut *self.lock(), closed);
        drop(before);
    }
}

impl Parent {
    /// For somebody outside, who wakes it by `outside` only. Nobody, if that one comes so late that the join has been
    /// polled meanwhile, and waits for nobody outside any more.
    fn take_if_outside(&mut self) -> Parent {
        match self.outside {
            Some(_) => mem::take(self),
            None => Parent::default(),
        }
    }
}

fn some(index: u32) -> Option<usize> {
    (index != NONE).then_some(index as usize)
}
