//! Futures that wait for a time: `sleep`, of which `timeout` and `interval` are made.
//!
//! A sleep leaves its deadline in the executor's timer wheel together with whom to wake. It is done
//! when the wheel has handed that out again. No thread waits for it.

mod timeout;
mod interval;

use std::fmt;
use std::mem;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

pub use interval::{Interval, Tick, interval, interval_at};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

use crate::clock::Clock;
use crate::context::Shared;
use crate::current::AWAIT_IT;
use crate::trace::{Cause, TimerId, TimerKind, WaitsOn};
use crate::waiter::Waiter;

/// The time on the clock of the executor that runs on this thread.
///
/// That is virtual time, if the clock is virtual. Outside an executor it is `Instant::now()`, also in a closure of
/// [`spawn_blocking`](crate::spawn_blocking): take the time before, and move it in.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, now, sleep};
///
/// Executor::builder().virtual_time().build().block_on(async {
///     let start = now();
///     sleep(Duration::from_secs(60)).await;
///     assert_eq!(now() - start, Duration::from_secs(60));
/// });
/// ```
#[doc(alias = "time")]
#[must_use]
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
/// late it is done depends on the operating system and on what else the thread has to do. It is never
/// done at its first poll, and so lets others have a turn, even if `duration` is zero, as
/// [`yield_now`](crate::yield_now) does. One that would end later than the clock can say, such as
/// `sleep(Duration::MAX)`, never ends.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// watchglass::block_on(watchglass::sleep(Duration::from_millis(20)));
/// assert!(start.elapsed() >= Duration::from_millis(20));
/// ```
#[doc(alias = "delay")]
#[doc(alias = "Timer")]
pub fn sleep(duration: Duration) -> Sleep {
    let state = match Shared::current() {
        Some(shared) => {
            let deadline_ns = shared.clock.ns_after(duration);
            SleepState::begun(shared, deadline_ns.map(Deadline::Ns))
        }
        None => SleepState::For(duration),
    };
    Sleep { state }
}

/// Waits until `deadline`, and lets other tasks run meanwhile.
///
/// Like [`sleep`], it lets others have a turn even if `deadline` has passed. With virtual time,
/// count deadlines from [`now()`].
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, now, sleep_until};
///
/// Executor::builder().virtual_time().build().block_on(async {
///     let deadline = now() + Duration::from_secs(60);
///     sleep_until(deadline).await;
///     assert_eq!(now(), deadline);
/// });
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        state: SleepState::Until(deadline),
    }
}

/// The future of [`sleep`] and [`sleep_until`].
///
/// It is never ready at its first poll. It is ready at the first poll after the executor has seen its deadline pass,
/// and stays ready until it is [reset](Sleep::reset). Of several sleeps that are due at the same instant, the one that
/// was armed first is woken first. A sleep is armed by its first poll, by a reset while it waits, or, if it was done
/// when it was reset, by its next poll.
///
/// # Dropping
///
/// Dropping it takes its timer out of the wheel, in constant time. Nobody is woken.
///
/// # Panics
///
/// Polling it before it is done panics if no executor runs on this thread, or if its timer is in the wheel of another
/// executor than the one that runs. (If that other executor has been dropped, as after a [`block_on`](crate::block_on)
/// has returned, the sleep goes on here, with the deadline that it had.)
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, now, sleep};
///
/// // One timer that is moved again and again: a limit to how long nothing may happen.
/// Executor::builder().virtual_time().build().block_on(async {
///     let start = now();
///     let mut idle = sleep(Duration::from_secs(10));
///     for _ in 0..3 {
///         sleep(Duration::from_secs(5)).await;
///         idle.reset(now() + Duration::from_secs(10));
///     }
///     idle.await;
///     assert_eq!(now() - start, Duration::from_secs(25));
/// });
/// ```
#[must_use = "a sleep does nothing unless you `.await` it"]
pub struct Sleep {
    state: SleepState,
}

enum SleepState {
    /// Made outside of an executor and not polled yet.
    For(Duration),
    /// Made by [`sleep_until`] and not polled yet, or reset since.
    Until(Instant),
    /// It has a deadline on this executor's clock, and no timer yet.
    Begun(Rc<Shared>, Deadline),
    /// It will never be ready, unless it is reset: whom to wake then, if it was polled. In a box, for all others
    /// need no more than four words.
    Never(Option<Box<(Rc<Shared>, Waiter)>>),
    /// In the wheel, or just handed out by it.
    Armed(Timer),
    /// It was ready.
    Elapsed(Instant),
}

/// An entry in an executor's wheel.
struct Timer {
    shared: Rc<Shared>,
    id: TimerId,
    deadline: Deadline,
}

/// A deadline on an executor's clock: a tag and one word, so that it is handed on in registers. With an
/// `Instant` in the place of the box it would go over the stack.
enum Deadline {
    Ns(u64),
    /// The clock's start, or before it: then the clock cannot say it, and takes it for the start.
    AtMostStart(Box<Instant>),
}

impl Sleep {
    /// One that never ends, unless it is reset.
    fn never() -> Self {
        Sleep {
            state: SleepState::Never(None),
        }
    }

    /// When the sleep is due.
    ///
    /// It is `None` for a sleep that never ends, and for a [`sleep`] that was made outside an executor, until it is
    /// polled or [reset](Sleep::reset). (The executor's clock covers 584 years. Whether a deadline lies beyond them is
    /// found out only when the executor meets it.)
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.state {
            SleepState::For(_) | SleepState::Never(_) => None,
            SleepState::Until(deadline) | SleepState::Elapsed(deadline) => Some(*deadline),
            SleepState::Begun(shared, deadline) => deadline.instant_on(&shared.clock),
            SleepState::Armed(timer) => timer.deadline.instant_on(&timer.shared.clock),
        }
    }

    /// True if the executor has seen the deadline pass.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        match &self.state {
            SleepState::Elapsed(_) => true,
            SleepState::Armed(timer) => timer.has_fired(),
            SleepState::For(_)
            | SleepState::Until(_)
            | SleepState::Begun(..)
            | SleepState::Never(_) => false,
        }
    }

    /// Gives it another deadline, whether it is waiting or done. Whoever awaits it need not poll it
    /// again for that. With virtual time, count deadlines from [`now()`].
    ///
    /// A sleep that is done is ready at each poll. So in a loop around [`race`](crate::race) or a `select!`, give it a
    /// new deadline, or one that never comes: `nap = sleep(Duration::MAX)`. To await it more than once, or to race it
    /// and keep it, take `&mut nap`: a sleep is `Unpin`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::{Executor, now, race, sleep, spawn};
    ///
    /// // Debounce: what comes in a burst is handled once, when nothing more has come for 10 ms.
    /// Executor::builder().virtual_time().build().block_on(async {
    ///     let (sender, receiver) = async_channel::unbounded();
    ///     let _presses = spawn(async move {
    ///         for pause in [1, 1, 50, 1, 50] {
    ///             sender.send("pressed").await.unwrap();
    ///             sleep(Duration::from_millis(pause)).await;
    ///         }
    ///     });
    ///     let (mut quiet, mut bursts) = (sleep(Duration::MAX), 0);
    ///     loop {
    ///         let press = async { Some(receiver.recv().await) };
    ///         let silence = async {
    ///             (&mut quiet).await;
    ///             None
    ///         };
    ///         match race(press, silence).await {
    ///             Some(Ok(_)) => quiet.reset(now() + Duration::from_millis(10)),
    ///             Some(Err(_)) => break, // Nobody can press any more.
    ///             None => {
    ///                 bursts += 1;
    ///                 quiet = sleep(Duration::MAX);
    ///             }
    ///         }
    ///     }
    ///     assert_eq!(bursts, 2);
    /// });
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.reset_as(deadline, TimerKind::Sleep);
    }

    /// Resets it on behalf of that which it is a part of, for an observer to be told.
    fn reset_as(&mut self, deadline: Instant, kind: TimerKind) {
        if let SleepState::Armed(timer) = &mut self.state
            && timer.reset(deadline)
        {
            return;
        }
        let state = mem::replace(&mut self.state, SleepState::Until(deadline));
        self.state = match state {
            SleepState::Armed(timer) if !timer.has_fired() => timer.never(),
            // Where it goes on nobody knows yet: whoever waits polls it there.
            SleepState::Never(Some(kept)) if kept.0.is_ending.get() => {
                let (shared, waiter) = *kept;
                shared.wake_waiter(waiter, Cause::Outside);
                SleepState::Until(deadline)
            }
            SleepState::Never(Some(kept)) => match Deadline::on(&kept.0.clock, deadline) {
                Some(deadline) => {
                    let (shared, waiter) = *kept;
                    let id = shared.arm(deadline.ns(), waiter, kind);
                    SleepState::Armed(Timer {
                        shared,
                        id,
                        deadline,
                    })
                }
                None => SleepState::Never(Some(kept)),
            },
            _ => SleepState::Until(deadline),
        };
    }

    /// Polls it on behalf of that which it is a part of, for an observer to be told.
    #[track_caller]
    fn poll_as(mut self: Pin<&mut Self>, cx: &mut Context<'_>, kind: TimerKind) -> Poll<()> {
        let at = Location::caller();
        if !self.state.is_on_current() {
            // Also if its executor has seen that, and it has not.
            if self.is_elapsed() {
                return Poll::Ready(());
            }
            self.state.bring_to_current(kind);
        }
        match &mut self.state {
            SleepState::Begun(shared, deadline) => {
                let id = shared.arm_for(cx.waker(), deadline.ns(), kind);
                shared.waits(WaitsOn::Timer(id), at);
                self.state = SleepState::Armed(Timer {
                    shared: shared.clone(),
                    id,
                    deadline: mem::replace(deadline, Deadline::Ns(0)),
                });
            }
            SleepState::Armed(timer) => {
                let timer = &*timer;
                let Timer { shared, id, .. } = timer;
                if timer.has_fired() {
                    let deadline = timer.deadline.instant_on(&shared.clock);
                    self.state = SleepState::Elapsed(deadline.expect("it lies in the past"));
                    return Poll::Ready(());
                }
                // First whom it wakes from now on: it is that one who waits.
                shared.set_timer_waiter(*id, cx.waker());
                shared.waits(WaitsOn::Timer(*id), at);
            }
            SleepState::Never(kept) => {
                let shared = Shared::expect_current(name_of(kind), AWAIT_IT);
                // A limit that never comes is none, and nobody can reset it: it has nobody to wake.
                if kind != TimerKind::Timeout {
                    let waiter = shared.waiter_left_unseen(cx.waker());
                    shared.waits(WaitsOn::Never, at);
                    match kept {
                        Some(kept) => **kept = (shared, waiter),
                        None => *kept = Some(Box::new((shared, waiter))),
                    }
                }
            }
            SleepState::For(_) | SleepState::Until(_) | SleepState::Elapsed(_) => {
                unreachable!("it was brought to this executor")
            }
        }
        Poll::Pending
    }
}

impl Deadline {
    /// `None` for what lies later than the clock can say.
    fn on(clock: &Clock, instant: Instant) -> Option<Self> {
        match clock.ns_of(instant)? {
            0 => Some(Deadline::AtMostStart(Box::new(instant))),
            ns => Some(Deadline::Ns(ns)),
        }
    }

    /// The same instant, from its own clock on another.
    fn on_another(&self, own: &Clock, other: &Clock) -> Option<Self> {
        Deadline::on(other, self.instant_on(own)?)
    }

    fn ns(&self) -> u64 {
        match self {
            Deadline::Ns(ns) => *ns,
            Deadline::AtMostStart(_) => 0,
        }
    }

    fn instant_on(&self, clock: &Clock) -> Option<Instant> {
        match self {
            Deadline::Ns(ns) => clock.instant_of(*ns),
            Deadline::AtMostStart(instant) => Some(**instant),
        }
    }
}

impl SleepState {
    fn begun(shared: Rc<Shared>, deadline: Option<Deadline>) -> SleepState {
        match deadline {
            Some(deadline) => SleepState::Begun(shared, deadline),
            None => SleepState::Never(None),
        }
    }

    /// True if it has a place in the time of the executor that runs on this thread.
    #[inline]
    fn is_on_current(&self) -> bool {
        match self {
            SleepState::Begun(shared, _) | SleepState::Armed(Timer { shared, .. }) => {
                shared.is_current()
            }
            SleepState::For(_)
            | SleepState::Until(_)
            | SleepState::Never(_)
            | SleepState::Elapsed(_) => false,
        }
    }

    /// Gives it a place there, if it has none and needs one.
    // It is called from two places. Left to itself the compiler inlines it in neither, and a sleep takes 25
    // instructions more.
    #[inline(always)]
    #[track_caller]
    fn bring_to_current(&mut self, kind: TimerKind) {
        let shared = Shared::expect_current(name_of(kind), AWAIT_IT);
        let clock = &shared.clock;
        let deadline = match self {
            SleepState::For(duration) => clock.ns_after(*duration).map(Deadline::Ns),
            SleepState::Until(deadline) => Deadline::on(clock, *deadline),
            SleepState::Begun(elsewhere, deadline) => deadline.on_another(&elsewhere.clock, clock),
            // Nobody will fire it there.
            SleepState::Armed(Timer {
                shared: ended,
                deadline,
                ..
            }) if ended.is_ending.get() => deadline.on_another(&ended.clock, clock),
            SleepState::Armed(_) => panic!(
                "{what} was polled on another executor than the one it was armed on, which still \
                 holds its timer; make a new one on this executor",
                what = name_of(kind)
            ),
            SleepState::Never(_) | SleepState::Elapsed(_) => return,
        };
        *self = SleepState::begun(shared, deadline);
    }
}

impl Timer {
    /// Moves it to another deadline, and keeps whom to wake. False, and nothing has happened, if it has fired or the
    /// clock cannot say the deadline.
    fn reset(&mut self, deadline: Instant) -> bool {
        let Some(deadline) = Deadline::on(&self.shared.clock, deadline) else {
            return false;
        };
        let is_reset = self.shared.reset_timer(self.id, deadline.ns());
        if is_reset {
            self.deadline = deadline;
        }
        is_reset
    }

    /// Takes it out of the wheel, and keeps whom to wake.
    fn never(self) -> SleepState {
        let waiter = self.shared.cancel_timer(self.id);
        // Where that is kept now, `is_registered` does not look.
        if let Some(task) = waiter.as_ref().and_then(Waiter::task) {
            self.shared.tracer().note_left_unseen(task);
        }
        SleepState::Never(waiter.map(|waiter| Box::new((self.shared.clone(), waiter))))
    }

    fn has_fired(&self) -> bool {
        self.shared.wheel.borrow().place(self.id).is_none()
    }
}

impl Future for Sleep {
    type Output = ();

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_as(cx, TimerKind::Sleep)
    }
}

/// What it is called in messages.
fn name_of(kind: TimerKind) -> &'static str {
    match kind {
        TimerKind::Sleep => "sleep",
        TimerKind::Timeout => "timeout",
        TimerKind::Interval => "interval",
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        drop(self.shared.cancel_timer(self.id));
    }
}

/// What a panic leaves behind is as whole as before: see [`Executor`](crate::Executor).
impl UnwindSafe for Sleep {}
impl RefUnwindSafe for Sleep {}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .field("is_elapsed", &self.is_elapsed())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An async block has a place for it before it is awaited and one for while it is.
    #[test]
    fn a_sleep_is_four_words() {
        assert_eq!(size_of::<Sleep>(), 4 * size_of::<u64>());
    }
}
