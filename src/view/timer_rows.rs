//! Below a lane, the rows of its timers: a bar for each, in as few rows as they need.

use std::collections::HashMap;
use std::mem;

use super::lanes::{Bar, Waiting};
use crate::trace::{Seconds, TimerId, TimerKind, TimerState};

/// More timers of one task at once than this are drawn as one bar.
const ROWS: usize = 8;

#[derive(Default)]
pub(crate) struct TimerRows {
    lanes: Vec<RowsOfLane>,
    /// The lane and the row of each timer in the wheel, and its bar.
    armed: HashMap<TimerId, (usize, usize, Bar)>,
    /// The lane of each timer in the wheel that has no row.
    rowless: HashMap<TimerId, usize>,
}

#[derive(Default)]
struct RowsOfLane {
    rows: Vec<Vec<Bar>>,
    /// Which rows are taken at the moment.
    taken: [bool; ROWS],
    more: More,
    /// Whose bars began here.
    timers: Vec<TimerId>,
}

/// Timers without a row of their own: how many, since where, from where on one of them was overdue, if one was, and
/// until where. They are one bar, also where none of them is armed in between, and another from where one was overdue.
#[derive(Default)]
struct More {
    timers: usize,
    from: f64,
    overdue: Option<f64>,
    until: f64,
}

impl TimerRows {
    pub(crate) fn add_lane(&mut self) {
        self.lanes.push(RowsOfLane::default());
    }

    /// `deadline` is the timer's, as it is to be written.
    pub(crate) fn arm(&mut self, timer: &TimerState, deadline: Seconds, lane: usize, x: f64) {
        let RowsOfLane {
            rows,
            taken,
            more,
            timers,
        } = &mut self.lanes[lane];
        timers.push(timer.id);
        let Some(row) = taken.iter().position(|taken| !taken) else {
            if more.timers == 0 {
                more.from = x;
            }
            more.timers += 1;
            self.rowless.insert(timer.id, lane);
            return;
        };
        taken[row] = true;
        rows.resize_with(rows.len().max(row + 1), Vec::new);
        let bar = bar(timer.kind, deadline, x);
        self.armed.insert(timer.id, (lane, row, bar));
    }

    /// The timer's bar ends, and another with the new deadline begins.
    pub(crate) fn reset(&mut self, timer: &TimerState, deadline: Seconds, x: f64) {
        if let Some((lane, row, before)) = self.armed.get_mut(&timer.id) {
            let bar = mem::replace(before, bar(timer.kind, deadline, x));
            self.lanes[*lane].rows[*row].push(Bar { until: x, ..bar });
        }
    }

    /// The timer's bar ends; in a bar of its own from where it was `overdue`, if it was.
    pub(crate) fn disarm(&mut self, timer: TimerId, x: f64, overdue: Option<(f64, String)>) {
        if let Some(lane) = self.rowless.remove(&timer) {
            let more = &mut self.lanes[lane].more;
            more.until = x;
            if let Some((due, _)) = overdue {
                // They fire in the order of their deadlines.
                more.overdue.get_or_insert(due);
            }
            return;
        }
        let Some((lane, row, bar)) = self.armed.remove(&timer) else {
            return;
        };
        let RowsOfLane { rows, taken, .. } = &mut self.lanes[lane];
        taken[row] = false;
        let Some((due, label)) = overdue else {
            return rows[row].push(Bar { until: x, ..bar });
        };
        let from = bar.from.max(due);
        rows[row].push(Bar { until: from, ..bar });
        rows[row].push(Bar {
            from,
            until: x,
            kind: Waiting::Overdue,
            label,
        });
    }

    /// The lane ends. Timers may go on, where their sleeps live on elsewhere, but not for its task.
    pub(crate) fn end_lane(&mut self, lane: usize, x: f64) {
        for timer in mem::take(&mut self.lanes[lane].timers) {
            let armed = self.armed.get(&timer).map(|&(lane, ..)| lane);
            // It may have been handed over since.
            if armed.or(self.rowless.get(&timer).copied()) == Some(lane) {
                self.disarm(timer, x, None);
            }
        }
    }

    /// The rows of each lane. What has not ended goes on to the right edge.
    pub(crate) fn close(mut self) -> impl Iterator<Item = Vec<Vec<Bar>>> {
        let armed = self.armed.keys().chain(self.rowless.keys()).copied();
        for timer in armed.collect::<Vec<TimerId>>() {
            self.disarm(timer, 1.0, None);
        }
        self.lanes
            .into_iter()
            .map(|RowsOfLane { mut rows, more, .. }| {
                if more.timers > 0 {
                    rows.push(more.bars());
                }
                rows
            })
    }
}

impl More {
    fn bars(&self) -> Vec<Bar> {
        let sleeps = Bar {
            from: self.from,
            until: self.overdue.unwrap_or(self.until),
            kind: Waiting::Timer,
            label: match self.timers {
                1 => "1 more timer".to_owned(),
                timers => format!("{timers} more timers"),
            },
        };
        let overdue = self.overdue.map(|from| Bar {
            from,
            until: self.until,
            kind: Waiting::Overdue,
            label: "overdue".to_owned(),
        });
        [sleeps].into_iter().chain(overdue).collect()
    }
}

fn bar(kind: TimerKind, deadline: Seconds, x: f64) -> Bar {
    let (kind, label) = match kind {
        TimerKind::Sleep => (Waiting::Timer, format!("sleep until {deadline}")),
        TimerKind::Timeout => (Waiting::Limit, format!("time limit at {deadline}")),
        TimerKind::Interval => (Waiting::Timer, format!("tick at {deadline}")),
    };
    Bar {
        from: x,
        until: x,
        kind,
        label,
    }
}
