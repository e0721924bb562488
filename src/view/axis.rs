//! Where each record lies on a timeline.
//!
//! Positions follow the clock, but each poll has a little width of its own: so what happens at one
//! instant, which on the virtual clock is nearly everything, is seen in order.

use std::time::Duration;

use crate::trace::{Cause, Event, Record, Seconds};

/// Where each record lies, from 0 to 1.
pub(crate) struct Axis {
    pub(crate) positions: Vec<f64>,
    start: Duration,
    pub(crate) duration: Duration,
    /// How much of the width the clock has. The polls have the rest.
    clock_share: f64,
}

impl Axis {
    /// The polls together have at most this share, unless no time goes by at all.
    const POLLS_SHARE: f64 = 0.4;
    pub(crate) fn of(records: &[Record], poll_width: f64) -> Self {
        let start = records.first().map_or(Duration::ZERO, |record| record.time);
        let end = records.iter().map(|record| record.time).max();
        let duration = end.map_or(Duration::ZERO, |end| end - start);
        let widths = widths(records);
        let all_widths: f64 = widths.iter().sum();
        let (share, clock_share) = match duration.is_zero() {
            // Few polls are not to look like long ones.
            true => ((all_widths * poll_width * 3.0).min(1.0), 0.0),
            false => {
                let share = (all_widths * poll_width).min(Self::POLLS_SHARE);
                (share, 1.0 - share)
            }
        };
        let unit = if all_widths > 0.0 {
            share / all_widths
        } else {
            0.0
        };
        let mut axis = Axis {
            positions: Vec::with_capacity(records.len()),
            start,
            duration,
            clock_share,
        };
        let (mut polls, mut clock) = (0.0, 0.0_f64);
        for (record, width) in records.iter().zip(widths) {
            polls += width * unit;
            // In a recording of several executors time goes back, and the drawing does not.
            clock = clock.max(axis.clock(record.time));
            axis.positions.push(clock + polls);
        }
        axis
    }

    /// True if the polls have more of the width than the eye would miss. (Where no time goes by, there is no scale.)
    pub(crate) fn is_stretched(&self) -> bool {
        !self.duration.is_zero() && self.clock_share < 0.95
    }

    fn clock(&self, time: Duration) -> f64 {
        match self.duration.is_zero() {
            true => 0.0,
            false => {
                let since_start = time.saturating_sub(self.start);
                since_start.as_secs_f64() / self.duration.as_secs_f64() * self.clock_share
            }
        }
    }

    /// Where a time lies at which nothing need have happened: as far behind the last record before it as the
    /// clock says.
    pub(crate) fn at(&self, time: Duration, records: &[Record]) -> f64 {
        match records.partition_point(|record| record.time < time) {
            0 => 0.0,
            at => self.positions[at - 1] + self.clock(time) - self.clock(records[at - 1].time),
        }
    }

    /// About five round times, in words that tell them apart.
    pub(crate) fn ticks(&self, records: &[Record]) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        if self.duration.is_zero() {
            return vec![(0.0, Seconds::to_the_millisecond(self.start).to_string())];
        }
        let step = round_step(self.duration / 5);
        let past_round = from_nanos(self.start.as_nanos() % step.as_nanos());
        // A real clock has run for a moment by the first record: that one is at the round time, too.
        let mut time = match past_round <= step / 10 {
            true => self.start - past_round,
            false => self.start - past_round + step,
        };
        while time <= self.start + self.duration {
            let label = Seconds::with_digits(time, Seconds::digits_of(step));
            ticks.push((self.at(time, records), label.to_string()));
            time = match time.checked_add(step) {
                Some(next) => next,
                None => break,
            };
        }
        ticks
    }
}

/// So many polls wide is the room before a verdict, so that what never ends is seen to wait.
const VERDICT_WIDTH: f64 = 12.0;

/// How wide each record is, in polls. A poll has its width at its end, and half of it is kept free before the next; and
/// so has a drop that is drawn.
fn widths(records: &[Record]) -> Vec<f64> {
    let width = |record: &Record| match record.event {
        Event::PollEnded { .. } | Event::Panicked { .. } => 1.0,
        Event::PollStarted { .. } => 0.5,
        Event::Stalled { .. } => VERDICT_WIDTH,
        _ => 0.0,
    };
    let mut widths: Vec<f64> = records.iter().map(width).collect();
    let (mut aborted, mut cancelled) = (None, None);
    for (at, record) in records.iter().enumerate() {
        match &record.event {
            Event::PollStarted {
                task,
                why: Cause::Aborted,
            } => aborted = Some(*task),
            Event::Cancelled { task } if aborted == Some(*task) => widths[at] = 1.0,
            Event::Cancelled { task } => cancelled = Some((*task, at)),
            Event::LongPoll(poll) if poll.is_drop => {
                if let Some((_, at)) = cancelled.filter(|(task, _)| *task == poll.task) {
                    widths[at] = 1.0;
                }
            }
            _ => {}
        }
    }
    widths
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(at_least: Duration) -> Duration {
    let at_least_ns = at_least.as_nanos().max(1);
    let power = 10_u128.pow(at_least_ns.ilog10());
    let step_ns = [1, 2, 5, 10]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step_ns| step_ns >= at_least_ns)
        .expect("ten times its own power of ten is more");
    from_nanos(step_ns)
}

/// Of any [`Duration`].
fn from_nanos(ns: u128) -> Duration {
    let second_ns = Duration::from_secs(1).as_nanos();
    Duration::new((ns / second_ns) as u64, (ns % second_ns) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_at_round_times() {
        let (ms, us) = (Duration::from_millis, Duration::from_micros);
        let record = |time| {
            let by = crate::trace::UnparkCause::Deadline;
            let (seq, event) = (0, Event::Unparked { by });
            Record { seq, time, event }
        };
        for (start, end, expected) in [
            (
                ms(0),
                ms(2_000),
                "0.000 s, 0.500 s, 1.000 s, 1.500 s, 2.000 s",
            ),
            (
                ms(1),
                ms(2_001),
                "0.000 s, 0.500 s, 1.000 s, 1.500 s, 2.000 s",
            ),
            (
                ms(400),
                ms(2_700),
                "0.500 s, 1.000 s, 1.500 s, 2.000 s, 2.500 s",
            ),
            (
                us(5),
                us(900),
                "0.000000 s, 0.000200 s, 0.000400 s, 0.000600 s, 0.000800 s",
            ),
            (
                us(8),
                us(400),
                "0.000000 s, 0.000100 s, 0.000200 s, 0.000300 s, 0.000400 s",
            ),
            // In a step of so few nanoseconds there are no parts.
            (
                Duration::ZERO,
                Duration::from_nanos(30),
                "0.000000000 s, 0.000000010 s, 0.000000020 s, 0.000000030 s",
            ),
        ] {
            let records = [record(start), record(end)];
            let axis = Axis::of(&records, 0.01);
            let ticks = axis.ticks(&records).into_iter();
            let labels: Vec<String> = ticks.map(|(_, label)| label).collect();
            assert_eq!(labels.join(", "), expected);
        }
    }

    #[test]
    fn steps_are_round() {
        for (at_least, step) in [(1, 1), (3, 5), (17, 20), (400, 500), (501, 1_000)] {
            let step_of = round_step(Duration::from_millis(at_least));
            assert_eq!(step_of, Duration::from_millis(step));
        }
        // Nanoseconds do not fit 64 bits any more.
        let long = Duration::from_secs(30_000_000_000);
        assert_eq!(round_step(long), Duration::from_secs(50_000_000_000));
    }
}
