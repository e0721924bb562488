//! A program that can move to another executor: moved to tokio.

#[path = "../../../../../examples/shared/movable.rs"]
mod movable;

mod runtime {
    pub(crate) use tokio::time::sleep;

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build().expect("a runtime starts");
        tokio::task::LocalSet::new().block_on(&runtime, future)
    }

    pub(crate) fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
    {
        let task = tokio::task::spawn_local(future);
        async { task.await.expect("no panic, no abort") }
    }
}

fn main() {
    runtime::block_on(movable::program());
}
