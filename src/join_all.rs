//! `join_all`: any number of futures that wait together inside one task.
//!
//! If all of n futures were polled whenever one of them was woken, each wake would cost n polls. So each future that
//! gives its waker away has a waker of its own, which notes that the future was woken before it wakes the task. A
//! timer, or the end of a task, needs no waker, because the executor itself tells of it: it knows the future by its
//! index, as it knows a task by its id. A waker that is used up by its wake goes back to the join, as a letter goes to
//! an executor's inbox. So a future that gives its waker away again at its next poll needs no new one.
//!
//! ```text
//!   the child's waker ──┐
//!                       ├──▶ its index into `WokenChildren` ──────────────▶ the task is woken ──▶ JoinAll::poll
//!   a timer, an end  ───┘                                                                              │
//!                                                the child is polled again  ◀──────────────────────────┘
//! ```

use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use crate::context::Shared;
use crate::counted_waker::CountedWaker;
use crate::guard::output_after;
use crate::trace::WaitsOn;
use crate::waiter::{ChildWaker, ForeignWaker, Parent, PolledChild, Woken, WokenChildren};

/// Awaits all the futures, at the same time, in this task.
///
/// It gives their outputs in the order in which the futures were given. At first all are polled, in that order. After
/// that, each time only those are polled that were woken, in the order of their wakes. A future that wakes itself is
/// polled again at the task's next poll. (If the join is polled on another executor than before, all are polled once
/// more.)
///
/// # Panics
///
/// The join panics if it is polled again after it has given its outputs, unless it has no futures. When one of the
/// futures panics, even in its drop, so does the join, and again at each poll after that.
///
/// ```
/// use std::{pin::Pin, time::Duration};
/// use watchglass::{Executor, join_all, now, sleep};
///
/// Executor::builder().virtual_time().build().block_on(async {
///     let start = now();
///     let naps = (1..=3).map(|n| async move {
///         sleep(Duration::from_secs(n)).await;
///         n * n
///     });
///     assert_eq!(join_all(naps).await, [1, 4, 9]);
///     assert_eq!(now() - start, Duration::from_secs(3)); // and not 6
///
///     // Each async block has a type of its own, as each async function has. In a box they have one.
///     let one: Pin<Box<dyn Future<Output = u32>>> = Box::pin(async { 1 });
///     assert_eq!(join_all([one, Box::pin(async { 2 })]).await, [1, 2]);
/// });
/// ```
#[doc(alias = "gather")]
pub fn join_all<I>(futures: I) -> JoinAll<I::Item>
where
    I: IntoIterator,
    I::Item: Future,
{
    let running = |future| Child::Running {
        future: Box::pin(future),
        own: None,
    };
    let children: Vec<_> = futures.into_iter().map(running).collect();
    JoinAll {
        running: children.len(),
        is_registered: false,
        woken: WokenChildren::all(children.len()),
        has_panicked: false,
        list: Vec::with_capacity(children.len()),
        children,
        spare: None,
        last_polled_in: None,
        has_moved: false,
    }
}

/// The future of [`join_all`].
#[must_use = "a join does nothing unless you `.await` it"]
pub struct JoinAll<F: Future> {
    children: Vec<Child<F>>,
    running: usize,
    /// True if one of them has ever left its index with a timer or a task of the executor.
    is_registered: bool,
    woken: Arc<WokenChildren>,
    /// True while they are polled, and so for ever if one panics: those that were to be polled after it are forgotten.
    has_panicked: bool,
    /// Those that are polled now; in between it is empty, and kept for its memory.
    list: Vec<Woken>,
    /// A waker that is no child's yet. As in the executor, a child that never gives its waker away
    /// never has one of its own.
    spare: Option<CountedWaker<ChildWaker>>,
    /// In which executor it was polled last, as an address that is only compared: `Some(None)` if in none, and `None`
    /// before its first poll.
    last_polled_in: Option<Option<usize>>,
    /// True if not all its polls were there.
    has_moved: bool,
}

enum Child<F: Future> {
    Running {
        future: Pin<Box<F>>,
        /// Its own waker, once it has given one away. It is gone when all others who have it have let go of it.
        own: Option<Weak<ChildWaker>>,
    },
    Done(Option<F::Output>),
}

impl<F: Future> JoinAll<F> {
    /// Polls one child, unless it is done, with its own waker or with the spare one.
    #[track_caller]
    fn poll_child(&mut self, woken: Woken, shared: Option<&Shared>) {
        let Woken { index, returned } = woken;
        let Child::Running { future, own } = &mut self.children[index] else {
            return;
        };
        let own = own.take().and_then(|target| {
            let waker = returned.or_else(|| target.upgrade())?;
            Some((Waker::from(waker), target))
        });
        let waker = match &own {
            Some((waker, target)) => {
                self.woken.begin_poll(index, target.strong_count() == 1);
                waker
            }
            None => {
                self.woken.begin_poll(index, true);
                let new = || CountedWaker::of(ChildWaker::new(self.woken.clone()));
                let spare = self.spare.get_or_insert_with(new);
                spare.target.set_index(index);
                &spare.waker
            }
        };
        if let Some(Shared { polled_child, .. }) = shared {
            let mut child = polled_child.borrow_mut();
            child.index = index;
            child.waker = ptr::from_ref(waker).addr();
        }
        let polled = future.as_mut().poll(&mut Context::from_waker(waker));
        let is_done = polled.is_ready();
        if let Poll::Ready(output) = polled {
            self.running -= 1;
            self.woken.end(index);
            let child = &mut self.children[index];
            let output = output_after(|| *child = Child::Done(None), output);
            *child = Child::Done(Some(output));
        }
        match own {
            Some((waker, target)) => self.after_poll_with_own(index, is_done, waker, target),
            None => self.after_poll_with_spare(index, is_done),
        }
    }

    /// The child's own waker stays its own while others have it, and becomes the spare one when nobody has it.
    fn after_poll_with_own(
        &mut self,
        index: usize,
        is_done: bool,
        waker: Waker,
        target: Weak<ChildWaker>,
    ) {
        // Besides the one that it was polled with. Asked once: they may let go of it at any time.
        let others_have_it = target.strong_count() > 1;
        if others_have_it && !is_done {
            self.set_own(index, target);
            return;
        }
        let target = target.upgrade().expect("the waker is here");
        target.end_lending();
        if !others_have_it {
            self.spare = Some(CountedWaker { target, waker });
        }
    }

    /// The spare waker becomes the child's own, if that has given it away.
    fn after_poll_with_spare(&mut self, index: usize, is_done: bool) {
        let Some(given) = self.spare.take_if(|spare| spare.clones() > 0) else {
            return;
        };
        if !is_done {
            given.target.lend();
            self.set_own(index, Arc::downgrade(&given.target));
        }
    }

    fn set_own(&mut self, index: usize, target: Weak<ChildWaker>) {
        if let Child::Running { own, .. } = &mut self.children[index] {
            *own = Some(target);
        }
    }

    /// Whom to wake for the children. Nobody, where none of them has left its index with the executor, or has
    /// given its waker away.
    fn parent(&self, before: Parent, shared: Option<&Shared>, waker: &Waker) -> Parent {
        let inside = match shared {
            Some(shared) if self.is_registered && !self.has_moved => {
                Some(shared.waiter_left_unseen(waker))
            }
            _ => None,
        };
        let goes_with_lent = inside.is_some() || !self.is_registered;
        let outside = match before.outside {
            _ if goes_with_lent && !self.woken.has_lent() => None,
            Some(same) if same.will_wake(waker) => Some(same),
            _ => Some(ForeignWaker::clone_of(waker)),
        };
        Parent {
            inside,
            outside,
            goes_with_lent,
        }
    }

    /// Takes note of where it is polled. What a child has left in another executor is to wake this one too,
    /// and only a waker can do that.
    fn note_polled_in(&mut self, shared: Option<&Shared>) {
        let here = shared.map(|shared| Arc::as_ptr(&shared.home).addr());
        if self
            .last_polled_in
            .replace(here)
            .is_some_and(|before| before != here)
        {
            // What the children have left there may be gone with that executor: each is to leave it here, too.
            (0..self.children.len()).for_each(|index| drop(self.woken.note(index, None)));
            self.has_moved = true;
        }
    }
}

impl<F: Future> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(
            !mem::replace(&mut this.has_panicked, true),
            "a join_all was polled after one of its futures panicked: make a new one"
        );
        let shared = Shared::current();
        let shared = shared.as_deref();
        this.note_polled_in(shared);
        let mut list = mem::take(&mut this.list);
        let before = this.woken.take(&mut list);
        let polls_children = shared.map(|shared| PollsChildren::of(shared, &this.woken));
        for woken in list.drain(..) {
            this.poll_child(woken, shared);
        }
        this.list = list;
        if let Some(polls_children) = polls_children {
            this.is_registered |= polls_children.is_registered();
        }
        this.has_panicked = false;
        if this.running == 0 {
            // A loop, for in `map` the panic of `take` would not name who polls.
            let mut outputs = Vec::with_capacity(this.children.len());
            for child in &mut this.children {
                outputs.push(child.take());
            }
            return Poll::Ready(outputs);
        }
        if let Some(shared) = shared {
            shared.waits(WaitsOn::Children(this.running), Location::caller());
        }
        // Wakers are cloned and dropped with nothing locked: both may be anybody's code.
        let parent = this.parent(before, shared, cx.waker());
        if let Err(unwanted) = this.woken.wait(parent) {
            drop(unwanted);
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

/// While it lives, the futures of one join are polled.
struct PollsChildren<'a> {
    shared: &'a Shared,
    /// The child that the join itself is, if it is one of another join.
    outer: PolledChild,
}

impl<'a> PollsChildren<'a> {
    fn of(shared: &'a Shared, woken: &Arc<WokenChildren>) -> Self {
        let woken = Some(woken.clone());
        let own = PolledChild {
            woken,
            ..PolledChild::default()
        };
        let outer = shared.polled_child.replace(own);
        PollsChildren { shared, outer }
    }

    /// True if one of them has left its index with a timer or a task.
    fn is_registered(&self) -> bool {
        self.shared.polled_child.borrow().registered
    }
}

impl Drop for PollsChildren<'_> {
    fn drop(&mut self) {
        drop(self.shared.polled_child.replace(mem::take(&mut self.outer)));
    }
}

impl<F: Future> Drop for JoinAll<F> {
    /// Who has a child's waker has no use for it any more, and keeps the task's own alive no longer.
    fn drop(&mut self) {
        self.woken.close();
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
                .expect("a join_all was polled after it was ready: await it only once"),
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
