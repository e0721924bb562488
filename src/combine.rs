//! Futures made of two futures, which wait together inside one task; and one that lets others go first.
//!
//! `join` and `race` poll both their futures each time that they are polled, with the waker that they
//! are polled with. For many futures that would be many polls for each that was woken: see
//! `join_all.rs`.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::context::Shared;
use crate::guard::output_after;
use crate::trace::WaitsOn;

/// Lets every other task that is ready have its turn first.
///
/// The task that yields goes to the back of the ready queue, unless it is in the queue already: in a `join`, another
/// future may have woken it before. (With a [shuffled](crate::Builder::seed) order, its place among the tasks that are
/// polled in its next turn is as random as theirs.)
///
/// A loop that computes for long, or whose awaits are always ready, keeps the thread from everyone else, unless there
/// is a `yield_now().await` in it. Once the future is ready, it stays ready.
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
        Shared::waits_on_current(WaitsOn::Turn, Location::caller());
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Awaits both futures, at the same time, in this task.
///
/// At each poll, those that are not done are polled, `a` first. The future that is ready first is dropped at once, and
/// its output waits for the other's. For more than two futures, nest joins, or use [`join_all`](crate::join_all()), if
/// they all have one type.
///
/// # Panics
///
/// The join panics if it is polled again after it has given its output. When one of the two futures panics, even in its
/// drop, so does the join.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, join, now, sleep};
///
/// async fn after<T>(seconds: u64, output: T) -> T {
///     sleep(Duration::from_secs(seconds)).await;
///     output
/// }
///
/// Executor::builder().virtual_time().build().block_on(async {
///     let start = now();
///     assert_eq!(join(after(2, "two"), after(1, 1)).await, ("two", 1));
///     assert_eq!(now() - start, Duration::from_secs(2)); // and not 3
///     let (a, (b, c)) = join(async { 1 }, join(async { "two" }, async { 3.0 })).await;
///     assert_eq!((a, b, c), (1, "two", 3.0));
/// });
/// ```
#[doc(alias = "gather")]
#[doc(alias = "zip")]
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
        let drop_future = || self.as_mut().set(MaybeDone::Done { output: None });
        let output = Some(output_after(drop_future, output));
        self.set(MaybeDone::Done { output });
        true
    }

    fn output(self: Pin<&mut Self>) -> Option<F::Output> {
        match self.project() {
            MaybeDoneProjection::Done { output } => output.take(),
            MaybeDoneProjection::Running { .. } => None,
        }
    }

    #[track_caller]
    fn take(self: Pin<&mut Self>) -> F::Output {
        self.output()
            .expect("a join was polled after it was ready: await it only once")
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
/// At each poll, `a` is polled first, and `b` only if `a` is pending: if both are ready, `a` wins. For more than two
/// futures, nest races. For the first of a list, use a [`JoinSet`](crate::JoinSet), or `select_all` of the crate
/// futures.
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
/// The loser is dropped, and so cancelled, before the race gives its output. A [`JoinHandle`](crate::JoinHandle)
/// that loses detaches its task, which runs on: [abort](crate::JoinHandle::abort) it, or race the future itself.
///
/// To keep the loser, lend it to the race. Pass `&mut` of a handle or a sleep; any other future has to be pinned first.
///
/// ```
/// use std::pin::pin;
/// use watchglass::{block_on, race, yield_now};
///
/// block_on(async {
///     let mut answer = pin!(async {
///         yield_now().await;
///         Some(42)
///     });
///     assert_eq!(race(answer.as_mut(), async { None }).await, None);
///     assert_eq!(answer.await, Some(42));
/// });
/// ```
///
/// # Panics
///
/// The future panics if it is polled again after it has given its output. If the drop of the loser panics, that panic
/// goes on, and the output is dropped.
#[doc(alias = "select")]
#[doc(alias = "or")]
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
            panic!(
                "a race was polled after it was ready: in a loop, make a new one for each round, or leave the loop"
            );
        };
        let said_before = Shared::said_so_far();
        let winner = match a.poll(cx) {
            Poll::Pending => b.poll(cx),
            ready => ready,
        };
        if winner.is_ready() {
            Shared::back_to(said_before);
            return output_after(|| runners.set(Runners::Over), winner);
        }
        winner
    }
}

impl<A, B> fmt::Debug for Race<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").finish_non_exhaustive()
    }
}
