//! Whose timers run where: each library's sleep on the executors of the others.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::time::Duration;

use tokio::runtime::Builder;

const MS: Duration = Duration::from_millis(1);

fn on_tokio(future: impl Future) {
    let builder = &mut Builder::new_current_thread();
    let runtime = builder.enable_time().build().expect("a runtime starts");
    runtime.block_on(future);
}

/// Runs it and says how it ended, with the first sentence of a panic's message.
fn report(what: &str, run: impl FnOnce()) {
    let outcome = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => "works".to_string(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            format!("panics: {}", text.unwrap_or("?"))
        }
    };
    println!("{what} {outcome}");
}

/// How many threads this process has, as Linux counts them.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

fn main() {
    set_hook(Box::new(|_| {}));
    report("a tokio sleep on watchglass", || {
        watchglass::block_on(async { tokio::time::sleep(MS).await });
    });
    report("a watchglass sleep on tokio", || {
        on_tokio(async { watchglass::sleep(MS).await });
    });
    println!("threads: {}", threads());
    report("a smol timer on watchglass", || {
        watchglass::block_on(async { smol::Timer::after(MS).await });
    });
    println!("threads: {}", threads());
    report("a smol timer on tokio", || {
        on_tokio(async { smol::Timer::after(MS).await });
    });
    report("a tokio sleep on smol", || {
        smol::block_on(async { tokio::time::sleep(MS).await });
    });
    report("a watchglass sleep on smol", || {
        smol::block_on(async { watchglass::sleep(MS).await });
    });
}
