//! watchglass beside its peers: the same futures on every executor, in one process.
//!
//! Reading order: [`runtimes`] says what an executor has to offer, and has one
//! file for each; [`futures`] are those that belong to no runtime; [`workloads`]
//! put the two together; [`contest`] says who can do which; [`runner`] repeats
//! them in turn; [`report`] prints.
//! What is measured and how, and what the numbers do not show: `README.md`.

mod runtimes;
mod futures;
mod random;
mod workloads;
mod heap;
mod memory;
mod catalogue;
mod contest;
mod watchdog;
mod runner;
mod report;

use std::process::ExitCode;
use std::time::Instant;

use catalogue::Workload;
use lexopt::ValueExt;
use lexopt::prelude::{Long, Short};
use watchdog::Watchdog;

/// To see what of a row is the allocator's.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELP: &str = "\
Compares watchglass with other single-threaded executors.

  --only WORKLOAD,..    run these workloads; a name's beginning will do
  --runtime NAME,..     run these runtimes; ratios need at least one peer
  --rounds N            measured rounds of each workload (default 21)
  --quick               3 rounds: done within a minute, but rough
  --json                print JSON instead of tables
  --list                print the names of workloads and runtimes
";

struct Options {
    only: Vec<String>,
    runtimes: Vec<String>,
    rounds: usize,
    json: bool,
}

enum Request {
    Compare(Options),
    Help,
    List,
    /// Be the child that fills its memory with tasks of one runtime.
    Memory {
        workload: String,
        runtime: String,
    },
}

fn main() -> ExitCode {
    match request().and_then(answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}; --help says what can be asked for");
            ExitCode::FAILURE
        }
    }
}

fn request() -> Result<Request, lexopt::Error> {
    let mut options = Options {
        only: Vec::new(),
        runtimes: Vec::new(),
        rounds: 21,
        json: false,
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("only") => options.only = names(arguments.value()?.string()?)?,
            Long("runtime") => options.runtimes = names(arguments.value()?.string()?)?,
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Long("quick") => options.rounds = 3,
            Long("json") => options.json = true,
            Long("list") => return Ok(Request::List),
            Long("help") | Short('h') => return Ok(Request::Help),
            lexopt::Arg::Value(word) if word == memory::SUBCOMMAND => {
                return Ok(Request::Memory {
                    workload: arguments.value()?.string()?,
                    runtime: arguments.value()?.string()?,
                });
            }
            // `cargo bench` would pass this to every benchmark.
            Long("bench") => {}
            other => return Err(other.unexpected()),
        }
    }
    if options.rounds == 0 {
        return Err("--rounds must be 1 or more".into());
    }
    Ok(Request::Compare(options))
}

fn names(list: String) -> Result<Vec<String>, lexopt::Error> {
    let names: Vec<String> = list.split(',').map(str::to_string).collect();
    match names.iter().any(String::is_empty) {
        true => Err(format!("a name is empty in {list:?}").into()),
        false => Ok(names),
    }
}

fn answer(request: Request) -> Result<(), lexopt::Error> {
    match request {
        Request::Help => print!("{HELP}"),
        Request::List => list(),
        Request::Memory { workload, runtime } => fill(&workload, &runtime)?,
        Request::Compare(options) => compare(&options)?,
    }
    Ok(())
}

fn list() {
    for workload in Workload::ALL {
        println!("{:<18}{}", workload.name(), workload.about());
    }
    println!();
    for entrant in contest::entrants() {
        println!("{:<18}{}", entrant.name, entrant.kind.name());
    }
}

fn fill(workload: &str, runtime: &str) -> Result<(), lexopt::Error> {
    let entrants = contest::entrants();
    let entrant = entrants.iter().find(|entrant| entrant.name == runtime);
    let workload = Workload::ALL.into_iter().find(|it| it.name() == workload);
    if let (Some(entrant), Some(workload)) = (entrant, workload) {
        entrant.fill(workload);
    }
    Err("no such tasks on that runtime".into())
}

fn compare(options: &Options) -> Result<(), lexopt::Error> {
    heap::keep_memory();
    let mut entrants = contest::entrants();
    for name in &options.runtimes {
        if !entrants.iter().any(|entrant| entrant.name == name) {
            return Err(format!("there is no runtime {name:?}").into());
        }
    }
    if !options.runtimes.is_empty() {
        entrants.retain(|entrant| options.runtimes.iter().any(|name| name == entrant.name));
    }
    if !options.json {
        report::print_heading();
    }
    let started = Instant::now();
    let watchdog = Watchdog::start();
    let mut measures = Vec::new();
    for workload in wanted(&options.only)? {
        for measure in runner::run(workload, &entrants, options.rounds, &watchdog) {
            if !options.json {
                report::print_table(&measure);
            }
            measures.push(measure);
        }
    }
    if options.json {
        report::print_json(&measures);
    } else {
        report::print_summary(&measures, started.elapsed());
    }
    Ok(())
}

/// All workloads, or those whose names begin with one of `only`.
fn wanted(only: &[String]) -> Result<Vec<Workload>, lexopt::Error> {
    for name in only {
        if !Workload::ALL.iter().any(|it| it.name().starts_with(name)) {
            return Err(format!("there is no workload {name:?}").into());
        }
    }
    let named = |workload: &Workload| {
        let matches = |name: &String| workload.name().starts_with(name);
        only.is_empty() || only.iter().any(matches)
    };
    Ok(Workload::ALL.into_iter().filter(named).collect())
}
