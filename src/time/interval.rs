//! `interval`: a sleep that is armed again and again, in a steady rhythm.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::{Sleep, now, sleep, sleep_until};
use crate::trace::TimerKind;

/// Ticks at once, and then every `period`.
///
/// The first tick is due at this call or, if no executor runs here, when it is first polled. Even that tick waits as a
/// [`Sleep`] does: it is never ready at its first poll, and so lets others have a turn.
///
/// A tick that nobody awaited in time comes late, but at most one does: ticks that were missed altogether are left out,
/// and the later ones keep to the rhythm of the first. (tokio's default makes up for them at once.) To have a whole
/// `period` between the end of the work and the next tick, call [`reset`](Interval::reset) after the work. To have
/// every tick, late or not, keep the next instant in a variable and await [`sleep_until`](crate::sleep_until).
///
/// # Panics
///
/// If `period` is zero. A tick panics if no executor runs on this thread or, like a [`Sleep`], if it is polled on one
/// executor while its timer is in the wheel of another.
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
#[doc(alias = "MissedTickBehavior")]
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

/// Like [`interval`], with the time of the first tick.
///
/// If that time has passed already, the tick comes at once, and the rhythm is kept. With virtual time, count it from
/// [`now()`](crate::now).
///
/// # Panics
///
/// If `period` is zero. And as [`interval`], when it is polled.
///
/// ```
/// use std::time::Duration;
/// use watchglass::{Executor, interval_at, now};
///
/// Executor::builder().virtual_time().build().block_on(async {
///     let start = now();
///     let mut ticks = interval_at(start + Duration::from_secs(5), Duration::from_secs(60));
///     for second in [5, 65, 125] {
///         assert_eq!(ticks.tick().await - start, Duration::from_secs(second));
///     }
/// });
/// ```
#[track_caller]
pub fn interval_at(first: Instant, period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "interval_at(first, Duration::ZERO) would tick without end at one instant; give a longer period"
    );
    Interval {
        period,
        sleep: sleep_until(first),
    }
}

/// Ticks at a steady rhythm. Made by [`interval`] and [`interval_at`].
///
/// # Dropping
///
/// Dropping it takes its timer out of the wheel.
#[must_use = "an interval ticks only when you await its `tick()`"]
#[derive(Debug)]
pub struct Interval {
    period: Duration,
    sleep: Sleep,
}

impl Interval {
    /// Waits for the next tick and gives the time for which it was set.
    ///
    /// If the future is dropped before it is done, no tick is lost, and whoever has polled it is still woken. So a
    /// stream of your own may poll a new one each time: `Pin::new(&mut interval.tick()).poll(cx)`. Polled again after
    /// it was ready, it waits for the next tick.
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { interval: self }
    }

    /// Begins the rhythm anew: the next tick comes a period from now.
    ///
    /// An interval that is reset whenever something happens limits how long nothing may happen. Outside an executor,
    /// "now" is the time on the real clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use watchglass::{Executor, interval, now, sleep};
    ///
    /// Executor::builder().virtual_time().build().block_on(async {
    ///     let start = now();
    ///     let mut ticks = interval(Duration::from_secs(10));
    ///     ticks.tick().await;
    ///     sleep(Duration::from_secs(7)).await;
    ///     ticks.reset();
    ///     assert_eq!(ticks.tick().await - start, Duration::from_secs(17));
    /// });
    /// ```
    pub fn reset(&mut self) {
        match now().checked_add(self.period) {
            Some(next) => self.sleep.reset_as(next, TimerKind::Interval),
            None => self.sleep = Sleep::never(),
        }
    }

    /// The time between two ticks.
    #[must_use]
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
        match Pin::new(&mut *sleep).poll_as(cx, TimerKind::Interval) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let tick = sleep.deadline().expect("it has begun and it has ended");
                match next_tick(tick, *period, now()) {
                    Some(next) => sleep.reset(next),
                    None => *sleep = Sleep::never(),
                }
                Poll::Ready(tick)
            }
        }
    }
}

/// The first tick after `now` in the rhythm of `tick`. `None` if the clock cannot say it.
fn next_tick(tick: Instant, period: Duration, now: Instant) -> Option<Instant> {
    let missed = now.saturating_duration_since(tick).as_nanos() / period.as_nanos();
    let since_tick_ns = period.as_nanos() * (missed + 1);
    // Longer than 2^64 ns, perhaps, for the first tick may have passed centuries ago.
    let seconds = u64::try_from(since_tick_ns / 1_000_000_000).ok()?;
    let rest_ns = (since_tick_ns % 1_000_000_000) as u32;
    tick.checked_add(Duration::new(seconds, rest_ns))
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
        // Longer than the executor's clock can say, which counts from its own start.
        let long = Duration::from_secs(600 * 365 * 86_400);
        let Some(tick) = tick.checked_sub(long) else {
            return;
        };
        let next = next_tick(tick, second, tick + long).unwrap();
        assert_eq!(next - tick, long + second);
        let next = next_tick(tick, long + second, tick + long).unwrap();
        assert_eq!(next - tick, long + second);
    }
}
