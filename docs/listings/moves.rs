//! A program that can move to another executor: on this one.

#[path = "../../examples/shared/movable.rs"]
mod movable;

mod runtime {
    pub(crate) use watchglass::{block_on, sleep};

    pub(crate) fn spawn<F>(future: F) -> impl Future<Output = F::Output>
    where
        F: Future + 'static,
    {
        let task = watchglass::spawn(future);
        async { task.await.expect("no panic, no abort") }
    }
}

fn main() {
    runtime::block_on(movable::program());
}
