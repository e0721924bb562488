//! Futures that wait for a time: `sleep`, `timeout`, `interval`.
//!
//! A sleep leaves its deadline in the executor's timer wheel together with whom to wake. It is done
//! when the wheel has handed that out again. No thread waits for it.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::context::{Shared, timer_id};
use crate::slots::Waiter;
use crate::trace::WaitsOn;
use crate::wheel::Key;

/// The time on the clock of the executor that runs on this thread: virtual time, if it is virtual.
/// Outside of an executor it is `Instant::now()`.
#[doc(alias = "time")]
pub fn now() -> Instant {
    match Shared::current() {
        Some(shared) => shared.clock.now(),
        None => Instant::now(),
    }
}

/// Waits for `duration`, and lets other tasks run meanwhile.
///
/// Inside an executor the time counts from this call. Elsewhere there is no clock to count by, and
/// it counts from the first poll: so `block_on(sleep(d))` works. A sleep is never done early; how
/// late it is done depends on the operating system and on what else the thread has to do. It always
/// gives the others a turn, even if `duration` is zero. One that would end later than the clock can
/// say, such as `sleep(Duration::MAX)`, never ends.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// watchglass::block_on(watchglass::sleep(Duration::from_millis(20)));
/// assert!(start.elapsed() >= Duration::from_millis(20));
/// ```
#[doc(alias = "delay")]
pub fn sleep(duration: Duration) -> Sleep {
    let state = match Shared::current() {
        Some(shared) => State::until(shared.clock.now().checked_add(duration)),
        None => State::For(duration),
    };
    Sleep { state }
}

/// Waits until `deadline`, and lets other tasks run meanwhile.
///
/// Like [`sleep`], it gives the others a turn even if `deadline` has passed. With virtual time,
/// count deadlines from [`now()`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        state: State::Until(deadline),
    }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It completes at the first poll after its deadline and stays complete: polled again, it is ready
/// again.
///
/// # Dropping
///
/// Dropping it takes its timer out of the wheel, in constant time. Nobody is woken.
///
/// # Panics
///
/// Polling it panics where no executor runs on this thread, and on another executor than the one
/// that it was first polled on, whose wheel its timer is in.
#[must_use = "a sleep does nothing unless you `.await` it"]
pub struct Sleep {
    state: State,
}

enum State {
    /// Made outside of an executor and not polled yet.
    For(Duration),
    /// Not polled yet.
    Until(Instant),
    /// It will never be ready, unless it is reset: whom to wake then, if it was polled.
    Never(Option<(Rc<Shared>, Waiter)>),
    /// In the wheel, or just handed out by it.
    Armed(Timer),
    /// It was ready.
    Elapsed(Instant),
}

/// An entry in an executor's wheel.
struct Timer {
    shared: Rc<Shared>,
    key: Key,
    /// As it was asked for. The wheel has it in nanoseconds, and none before the clock's start.
    deadline: Instant,
}

impl State {
    fn until(deadline: Option<Instant>) -> State {
        deadline.map_or(State::Never(None), State::Until)
    }
}

impl Sleep {
    /// When it is due. `None` before the first poll of a sleep that was made outside of an
    /// executor, and for one that never ends.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::For(_) | State::Never(_) => None,
            State::Until(deadline) | State::Elapsed(deadline) => Some(*deadline),
            State::Armed(timer) => Some(timer.deadline),
        }
    }

    /// True if the executor has seen the deadline pass.
    pub fn is_elapsed(&self) -> bool {
        match &self.state {
            State::Elapsed(_) => true,
            State::Armed(timer) => timer.has_fired(),
            State::For(_) | State::Until(_) | State::Never(_) => false,
        }
    }

    /// Gives it another deadline, whether it is waiting or done. Whoever awaits it need not poll it
    /// again for that.
    pub fn reset(&mut self, deadline: Instant) {
        let state = mem::replace(&mut self.state, State::Until(deadline));
        self.state = match state {
            State::Armed(timer) if !timer.has_fired() => timer.reset(deadline),
            State::Never(Some((shared, waiter))) => Timer::arm(shared, deadline, waiter),
            _ => State::Until(deadline),
        };
    }
}

impl Timer {
    /// Puts the deadline in the wheel, or keeps whom to wake if it can never come.
    fn arm(shared: Rc<Shared>, deadline: Instant, waiter: Waiter) -> State {
        let Some(deadline_ns) = shared.clock.ns_of(deadline) else {
            return State::Never(Some((shared, waiter)));
        };
        let key = shared.arm(deadline_ns, waiter);
        State::Armed(Timer {
            shared,
            key,
            deadline,
        })
    }

    /// Moves it to another deadline, and keeps whom to wake.
    fn reset(mut self, deadline: Instant) -> State {
        let Some(deadline_ns) = self.shared.clock.ns_of(deadline) else {
            let waiter = self.shared.cancel_timer(self.key);
            return State::Never(waiter.map(|waiter| (self.shared.clone(), waiter)));
        };
        self.shared.reset_timer(self.key, deadline_ns);
        self.deadline = deadline;
        State::Armed(self)
    }

    fn has_fired(&self) -> bool {
        self.shared.wheel.borrow().place(self.key).is_none()
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = Shared::expect_current("sleep");
        let at = std::panic::Location::caller();
        if let State::For(duration) = self.state {
            self.state = State::until(shared.clock.now().checked_add(duration));
        }
        match &self.state {
            State::Armed(timer) => {
                assert!(
                    Rc::ptr_eq(&timer.shared, &shared),
                    "a sleep was polled on another executor than the one it was armed on, which \
                     still holds its timer; make a new sleep on this executor"
                );
                if timer.has_fired() {
                    self.state = State::Elapsed(timer.deadline);
                    return Poll::Ready(());
                }
                shared.waits(WaitsOn::Timer(timer_id(timer.key)), at);
                shared.set_timer_waiter(timer.key, cx.waker());
            }
            State::Until(deadline) => {
                let waiter = shared.waiter(cx.waker());
                self.state = Timer::arm(shared.clone(), *deadline, waiter);
                let on = match &self.state {
                    State::Armed(timer) => WaitsOn::Timer(timer_id(timer.key)),
                    _ => WaitsOn::Never,
                };
                shared.waits(on, at);
            }
            State::Never(_) => {
                let waiter = shared.waiter(cx.waker());
                shared.waits(WaitsOn::Never, at);
                self.state = State::Never(Some((shared, waiter)));
            }
            State::Elapsed(_) => return Poll::Ready(()),
            State::For(_) => unreachable!("it has begun"),
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        drop(self.shared.cancel_timer(self.key));
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .field("is_elapsed", &self.is_elapsed())
            .finish()
    }
}

/// Awaits `future`, but no longer than `duration`.
///
/// Each time, `future` is polled first: if it is ready and the time is up as well, its output
/// counts. It is polled at least once, even if `duration` is zero. The time counts as for
/// [`sleep`].
///
/// # Errors
///
/// [`Elapsed`] when the time is up.
///
/// # Dropping
///
/// When the time is up, `future` is not polled any more; it is dropped with the `Timeout`, which
/// for `timeout(..).await` is at once.
///
/// ```
/// use std::time::Duration;
/// use watchglass::timeout;
///
/// watchglass::Executor::builder().virtual_time().build().block_on(async {
///     let slow = watchglass::sleep(Duration::from_secs(60));
///     assert!(timeout(Duration::from_secs(1), slow).await.is_err());
///     assert_eq!(timeout(Duration::from_secs(1), async { 5 }).await, Ok(5));
/// });
/// ```
#[doc(alias = "wait_for")]
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    Timeout {
        future,
        sleep: sleep(duration),
    }
}

pin_project! {
    /// The future of [`timeout`].
    #[must_use = "a timeout does nothing unless you `.await` it"]
    #[derive(Debug)]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        sleep: Sleep,
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(this.sleep).poll(cx).map(|()| Err(Elapsed))
    }
}

/// The error of [`timeout`]: the time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the time was up before the future was done")
    }
}

impl std::error::Error for Elapsed {}

/// Ticks at once, and then every `period`.
///
/// A tick that nobody awaited in time comes late, but at most one does: ticks that were missed
/// altogether are left out, and the later ones keep to the rhythm of the first.
///
/// # Panics
///
/// If `period` is zero.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{interval, now};
///
/// watchglass::Executor::builder().virtual_time().build().block_on(async {
///     let start = now();
///     let mut ticks = interval(Duration::from_secs(1));
///     for second in 0..3 {
///         let tick = ticks.tick().await;
///         assert_eq!(tick - start, Duration::from_secs(second));
///     }
/// });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "interval(Duration::ZERO) would tick without end at one instant; give a longer period"
    );
    Interval {
        period,
        sleep: sleep(Duration::ZERO),
    }
}

/// Ticks at a steady rhythm. Made by [`interval`].
///
/// # Dropping
///
/// Dropping it takes its timer out of the wheel.
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    sleep: Sleep,
}

impl Interval {
    /// Waits for the next tick and gives the time for which it was set.
    ///
    /// If the future is dropped before it is done, no tick is lost.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

/// The future of [`Interval::tick`].
#[must_use = "a tick does nothing unless you `.await` it"]
#[derive(Debug)]
pub struct Tick<'a> {
    interval: &'a mut Interval,
}

impl Future for Tick<'_> {
    type Output = Instant;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        let Interval { period, sleep } = &mut *self.interval;
        match Pin::new(&mut *sleep).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let tick = sleep.deadline().expect("it has begun and it has ended");
                match next_tick(tick, *period, now()) {
                    Some(next) => sleep.reset(next),
                    None => {
                        *sleep = Sleep {
                            state: State::Never(None),
                        }
                    }
                }
                Poll::Ready(tick)
            }
        }
    }
}

/// The first tick after `now` in the rhythm of `tick`. `None` if the clock cannot say it.
fn next_tick(tick: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let missed_ns = now.saturating_duration_since(tick).as_nanos() / period.as_nanos();
    let since_tick_ns = period.as_nanos() * (missed_ns + 1);
    let since_tick = Duration::from_nanos(u64::try_from(since_tick_ns).ok()?);
    tick.checked_add(since_tick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_ticks_are_left_out_and_the_rhythm_is_kept() {
        let second = Duration::from_secs(1);
        let tick = Instant::now();
        for (late_ms, next_s) in [(0, 1), (1, 1), (999, 1), (1000, 2), (3500, 4)] {
            let now = tick + Duration::from_millis(late_ms);
            let next = next_tick(tick, second, now).unwrap();
            assert_eq!(next - tick, second * next_s, "{late_ms} ms late");
        }
        assert_eq!(next_tick(tick, Duration::MAX, tick), None);
    }
}
