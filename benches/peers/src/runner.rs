//! The rounds, and the statistics over them.
//!
//! A machine drifts: it warms up, other programs come and go. So a workload's
//! rounds go from runtime to runtime, each round begins with another one, and
//! what slows the machine for a while slows all of them alike.

use crate::catalogue::Workload;
use crate::contest::{Entrant, Sampler};
use crate::runtimes::Kind;
use crate::watchdog::Watchdog;
use crate::workloads::Sample;

/// Memory does not vary from run to run as time does, and a child takes long:
/// one round of it for so many rounds of the others.
const ROUNDS_FOR_ONE_OF_MEMORY: usize = 7;

/// One measured quantity of a workload, for each runtime that could do it.
pub struct Measure {
    pub workload: Workload,
    /// The workload's name, with the statistic where it has more than one.
    pub name: String,
    pub rounds: usize,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub runtime: &'static str,
    pub kind: Kind,
    /// The median, or the percentile that the measure is named after.
    pub value: f64,
    /// The first and the third quartile.
    pub quartiles: (f64, f64),
    /// `value` over the best peer's, if any peer was measured.
    pub ratio: Option<f64>,
    /// The same statistic for each round by itself.
    pub by_round: Vec<f64>,
}

/// Runs one workload on every entrant that can do it.
///
/// # Panics
///
/// If a workload's own assertions fail: its numbers would mean nothing.
pub fn run(
    workload: Workload,
    entrants: &[Entrant],
    rounds: usize,
    watchdog: &Watchdog,
) -> Vec<Measure> {
    let memory = matches!(workload, Workload::MemoryWaiting | Workload::MemorySleeping);
    let rounds = if memory {
        rounds.div_ceil(ROUNDS_FOR_ONE_OF_MEMORY)
    } else {
        rounds
    };
    let mut runners: Vec<(&Entrant, Sampler, Vec<Sample>)> = entrants
        .iter()
        .filter_map(|entrant| Some((entrant, entrant.enter(workload)?, Vec::new())))
        .collect();
    if !memory {
        for (entrant, sampler, _) in &mut runners {
            watchdog.begins(workload.name(), entrant.name);
            sampler(); // The warm-up.
        }
    }
    for round in 0..rounds {
        for turn in 0..runners.len() {
            let next = (round + turn) % runners.len();
            let (entrant, sampler, samples) = &mut runners[next];
            watchdog.begins(workload.name(), entrant.name);
            samples.push(sampler());
        }
    }
    watchdog.ends();
    let samples: Vec<_> = runners
        .into_iter()
        .map(|(entrant, _, samples)| (entrant, samples))
        .collect();
    let measure = |name: &str, quantile| Measure {
        workload,
        name: name.to_string(),
        rounds,
        lines: lines(&samples, quantile),
    };
    match workload {
        Workload::SleepLate => vec![
            measure("sleep_late, median", 0.5),
            measure("sleep_late, 99th percentile", 0.99),
        ],
        _ => vec![measure(workload.name(), 0.5)],
    }
}

/// One line for each entrant: the `quantile` of all its numbers together.
fn lines(samples: &[(&Entrant, Vec<Sample>)], quantile: f64) -> Vec<Line> {
    let line = |(entrant, rounds): &(&Entrant, Vec<Sample>)| {
        let all = sorted(rounds.concat());
        let by_round: Vec<f64> = rounds
            .iter()
            .map(|round| quantile_of(&sorted(round.clone()), quantile))
            .collect();
        let ordered = sorted(by_round.clone());
        Line {
            runtime: entrant.name,
            kind: entrant.kind,
            value: quantile_of(&all, quantile),
            quartiles: (quantile_of(&ordered, 0.25), quantile_of(&ordered, 0.75)),
            ratio: None,
            by_round,
        }
    };
    let mut lines: Vec<Line> = samples.iter().map(line).collect();
    let peers = lines.iter().filter(|line| line.kind == Kind::Peer);
    if let Some(best) = peers.map(|line| line.value).min_by(f64::total_cmp) {
        for line in &mut lines {
            line.ratio = Some(line.value / best);
        }
    }
    lines
}

fn sorted(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Linear between the two nearest of the `sorted` numbers.
fn quantile_of(sorted: &[f64], quantile: f64) -> f64 {
    let position = quantile * (sorted.len() - 1) as f64;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let share = position - position.floor();
    sorted[below] + (sorted[above] - sorted[below]) * share
}

#[cfg(test)]
mod tests {
    use super::quantile_of;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let numbers = [1.0, 2.0, 3.0, 10.0];
        assert_eq!(quantile_of(&numbers, 0.0), 1.0);
        assert_eq!(quantile_of(&numbers, 0.5), 2.5);
        assert_eq!(quantile_of(&numbers, 1.0), 10.0);
        assert_eq!(quantile_of(&[7.0], 0.99), 7.0);
    }
}
