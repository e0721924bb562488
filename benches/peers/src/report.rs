//! The report: tables for people, JSON for machines.

use std::fs;
use std::thread::available_parallelism;
use std::time::Duration;

use serde_json::{Value, json};

use crate::heap;
use crate::runner::{Line, Measure};
use crate::runtimes::compio::Compio;

/// The packages whose versions the report gives.
const PACKAGES: [&str; 10] = [
    "watchglass",
    "tokio",
    "async-executor",
    "async-io",
    "blocking",
    "futures",
    "futures-timer",
    "monoio",
    "compio-runtime",
    "compio-executor",
];

pub fn print_heading() {
    println!("{}", machine());
    let versions: Vec<String> = versions()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    println!("{}", versions.join(", "));
    println!("compio's driver: {}", Compio::driver());
    println!("timer slack: {}", timer_slack());
    println!("allocator: {}", heap::setting());
    println!("load average now: {}", load_average());
}

/// One measure: a line a runtime, the best peer at 1.00.
pub fn print_table(measure: &Measure) {
    println!();
    println!(
        "{}: {} ({}, rounds: {})",
        measure.name,
        measure.workload.about(),
        measure.workload.unit(),
        measure.rounds
    );
    let title = if measure.name.ends_with("percentile") {
        "p99"
    } else {
        "median"
    };
    println!(
        "  {:<14}{title:>10}   {:<23}{:>6}",
        "", "quartiles", "ratio"
    );
    for line in &measure.lines {
        let (low, high) = line.quartiles;
        let quartiles = format!("{} .. {}", number(low), number(high));
        let (value, ratio) = (number(line.value), ratio(line));
        println!(
            "  {:<14}{value:>10}   {quartiles:<23}{ratio:>6}",
            line.runtime
        );
    }
}

/// Every ratio at a glance: a row a measure, a column a runtime.
pub fn print_summary(measures: &[Measure], took: Duration) {
    let mut runtimes: Vec<&str> = Vec::new();
    for line in measures.iter().flat_map(|measure| &measure.lines) {
        if !runtimes.contains(&line.runtime) {
            runtimes.push(line.runtime);
        }
    }
    println!("\nratio to the best peer");
    let columns: String = runtimes.iter().map(|name| format!("{name:>13}")).collect();
    println!("  {:<28}{columns}", "");
    for measure in measures {
        let cell = |name: &&str| {
            let line = measure.lines.iter().find(|line| line.runtime == *name);
            format!("{:>13}", line.map(ratio).unwrap_or_default())
        };
        let cells: String = runtimes.iter().map(cell).collect();
        println!("  {:<28}{cells}", measure.name);
    }
    let (took, load) = (took.as_secs(), load_average());
    println!("\nload average now: {load}; this took {took} s");
}

pub fn print_json(measures: &[Measure]) {
    let versions: serde_json::Map<String, Value> = versions()
        .map(|(name, version)| (name.to_string(), json!(version)))
        .collect();
    let line = |line: &Line| {
        json!({
            "runtime": line.runtime,
            "kind": line.kind.name(),
            "value": line.value,
            "first_quartile": line.quartiles.0,
            "third_quartile": line.quartiles.1,
            "ratio_to_best_peer": line.ratio,
            "by_round": line.by_round,
        })
    };
    let measure = |measure: &Measure| {
        json!({
            "measure": measure.name,
            "workload": measure.workload.name(),
            "about": measure.workload.about(),
            "unit": measure.workload.unit(),
            "rounds": measure.rounds,
            "lines": measure.lines.iter().map(line).collect::<Vec<_>>(),
        })
    };
    let report = json!({
        "machine": machine(),
        "load_average": load_average(),
        "versions": versions,
        "compio_driver": Compio::driver(),
        "timer_slack": timer_slack(),
        "allocator": heap::setting(),
        "measures": measures.iter().map(measure).collect::<Vec<_>>(),
    });
    println!("{report:#}");
}

fn ratio(line: &Line) -> String {
    line.ratio
        .map(|ratio| format!("{ratio:.2}"))
        .unwrap_or_default()
}

/// Three digits that count, whatever the size.
fn number(value: f64) -> String {
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let of = |name: &str| {
        let mut values = processors.lines().filter_map(|line| line.split_once(':'));
        let value = values.find_map(|(key, value)| (key.trim() == name).then_some(value.trim()));
        value.unwrap_or("unknown")
    };
    // On a virtual machine the name may be that of many processors.
    let processor = format!(
        "{} (family {}, model {})",
        of("model name"),
        of("cpu family"),
        of("model")
    );
    let kernel = read("/proc/sys/kernel/osrelease");
    let cores = available_parallelism().map_or(0, usize::from);
    format!("{cores} x {processor}, Linux {}", kernel.trim())
}

/// Of the thread on which all runtimes and yardsticks run.
fn timer_slack() -> &'static str {
    match cfg!(feature = "timer-slack") {
        true => "lowered by watchglass, for everybody",
        false => "the system's",
    }
}

fn load_average() -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_string()
}

/// What this program was built from, as its lock file has it.
fn versions() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lock = include_str!("../Cargo.lock");
    PACKAGES.into_iter().filter_map(|name| {
        let start = lock.find(&format!("name = \"{name}\"\n"))?;
        let version = lock[start..].split("version = \"").nth(1)?;
        Some((name, version.split('"').next()?))
    })
}
