//! Futures made of futures: they wait together inside one task.
//!
//! `join` and `race` poll their two futures each time that they are polled. That would cost
//! `join_all` of n futures n polls for each that was woken, so there each future has a waker of its
//! own, which notes that it was woken before it wakes the task.

use std::fmt;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

use crate::context::Shared;
use crate::trace::WaitsOn;

/// Lets every other task that is ready have its turn first.
///
/// A loop that computes for long without awaiting anything keeps the thread from everyone else; a
/// `yield_now().await` in it does not.
///
/// ```
/// watchglass::block_on(async {
///     let other = watchglass::spawn(async {});
///     assert!(!other.is_finished());
///     watchglass::yield_now().await;
///     assert!(other.is_finished());
/// });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[must_use = "this yields only when you `.await` it"]
#[derive(Debug)]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[track_caller]
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        waits(WaitsOn::Turn, Location::caller());
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Combinators work on any executor; on this one it is told what they wait for.
#[inline]
fn waits(on: WaitsOn, at: &'static Location<'static>) {
    if let Some(shared) = Shared::current() {
        shared.waits(on, at);
    }
}

/// Awaits both futures, at the same time, in this task.
///
/// Both are polled each time, `a` first. The one that is ready first is dropped at once; its output
/// waits for the other's.
///
/// ```
/// let (a, b) = watchglass::block_on(watchglass::join(async { 1 }, async { "two" }));
/// assert_eq!((a, b), (1, "two"));
/// ```
#[doc(alias = "gather")]
pub fn join<A: Future, B: Future>(a: A, b: B) -> Join<A, B> {
    Join {
        a: MaybeDone::Running { future: a },
        b: MaybeDone::Running { future: b },
    }
}

pin_project! {
    /// The future of [`join`].
    #[must_use = "a join does nothing unless you `.await` it"]
    pub struct Join<A: Future, B: Future> {
        #[pin]
        a: MaybeDone<A>,
        #[pin]
        b: MaybeDone<B>,
    }
}

pin_project! {
    #[project = MaybeDoneProjection]
    enum MaybeDone<F: Future> {
        Running { #[pin] future: F },
        Done { output: Option<F::Output> },
    }
}

impl<F: Future> MaybeDone<F> {
    /// True once the output is here.
    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let MaybeDoneProjection::Running { future } = self.as_mut().project() else {
            return true;
        };
        let Poll::Ready(output) = future.poll(cx) else {
            return false;
        };
        let output = Some(output);
        self.set(MaybeDone::Done { output });
        true
    }

    #[track_caller]
    fn take(self: Pin<&mut Self>) -> F::Output {
        match self.project() {
            MaybeDoneProjection::Done { output } => output.take(),
            MaybeDoneProjection::Running { .. } => None,
        }
        .expect("a join is polled only until it is ready")
    }
}

impl<A: Future, B: Future> Future for Join<A, B> {
    type Output = (A::Output, B::Output);

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let a_done = this.a.as_mut().poll(cx);
        let b_done = this.b.as_mut().poll(cx);
        if a_done && b_done {
            return Poll::Ready((this.a.take(), this.b.take()));
        }
        Poll::Pending
    }
}

impl<A: Future, B: Future> fmt::Debug for Join<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").finish_non_exhaustive()
    }
}

/// Awaits whichever of two futures is ready first, and drops the other.
///
/// Both are polled each time, `a` first: if both are ready, `a` wins.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{race, sleep};
///
/// let winner = watchglass::block_on(race(
///     async { sleep(Duration::from_secs(60)).await; "the slow one" },
///     async { sleep(Duration::from_millis(1)).await; "the fast one" },
/// ));
/// assert_eq!(winner, "the fast one");
/// ```
///
/// # Dropping
///
/// The loser is dropped, and so cancelled, before the race gives its output.
#[doc(alias = "select")]
#[doc(alias = "wait")]
pub fn race<A, B>(a: A, b: B) -> Race<A, B>
where
    A: Future,
    B: Future<Output = A::Output>,
{
    Race {
        runners: Runners::Running { a, b },
    }
}

pin_project! {
    /// The future of [`race`].
    #[must_use = "a race does nothing unless you `.await` it"]
    pub struct Race<A, B> {
        #[pin]
        runners: Runners<A, B>,
    }
}

pin_project! {
    #[project = RunnersProjection]
    enum Runners<A, B> {
        Running { #[pin] a: A, #[pin] b: B },
        Over,
    }
}

impl<A, B> Future for Race<A, B>
where
    A: Future,
    B: Future<Output = A::Output>,
{
    type Output = A::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut runners = self.project().runners;
        let RunnersProjection::Running { a, b } = runners.as_mut().project() else {
            panic!("a race is polled only until it is ready");
        };
        let winner = match a.poll(cx) {
            Poll::Pending => b.poll(cx),
            ready => ready,
        };
        if winner.is_ready() {
            runners.set(Runners::Over);
        }
        winner
    }
}

impl<A, B> fmt::Debug for Race<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}

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
