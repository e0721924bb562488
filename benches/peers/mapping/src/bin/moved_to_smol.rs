//! A program that can move to another executor: moved to smol.

#[path = "../../../../../examples/shared/movable.rs"]
mod movable;

mod runtime {
    use smol::{LocalExecutor, Timer};
    use std::time::Duration;

    thread_local! {
        static EXECUTOR: LocalExecutor<'static> = const { LocalExecutor::new() };
    }

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        EXECUTOR.with(|executor| smol::block_on(executor.run(future)))
    }

    pub(crate) fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
    {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    pub(crate) async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }
}

fn main() {
    runtime::block_on(movable::program());
}
