//! The future given to `block_on`, as a task.
//!
//! It has an id and a place in the queue like every other task, so it waits for its turn like every
//! other task. (Where nobody is before it, its first poll comes without the queue: nobody could tell.)
//! But it may borrow from its caller's stack, so it stays there and is never boxed. It is polled with the
//! executor's spare waker until it clones that; from then on its waker is made by `waker_fn` from a
//! closure, for a waker need be no more than a function. (It is made anew, an allocation, whenever it is
//! asked whether somebody holds a clone: before the thread parks without a deadline, and after that. So `will_wake`
//! does not know it again then.)

use std::any::Any;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use waker_fn::waker_fn;

use crate::context::Shared;
use crate::counted_waker::CountedWaker;
use crate::guard::output_after;
use crate::inbox::TaskWaker;
use crate::name::short_name;
use crate::task::{TaskId, message_of};
use crate::trace::Event;

pub(crate) struct MainTask<'a> {
    pub(crate) id: TaskId,
    /// True until its first poll, if it is the first of all and was not queued.
    is_first: bool,
    /// The name of the future's type, in full: it is shortened only for those who want to read it.
    type_name: &'static str,
    shared: &'a Shared,
    /// `None` until somebody has cloned its waker: until then it is polled with the executor's spare
    /// one, as every task is.
    waker: Option<MainWaker>,
}

struct MainWaker {
    target: Arc<TaskWaker>,
    waker: Waker,
}

impl<'a> MainTask<'a> {
    #[inline]
    pub(crate) fn start(
        shared: &'a Shared,
        type_name: &'static str,
        at: &'static Location<'static>,
    ) -> Self {
        let is_first = shared.nobody_is_before();
        MainTask {
            id: shared.insert_main(type_name, at, is_first),
            is_first,
            type_name,
            shared,
            waker: None,
        }
    }

    /// True, once, if it is the first of all to be polled.
    #[inline]
    pub(crate) fn take_is_first(&mut self) -> bool {
        mem::take(&mut self.is_first)
    }

    /// The last part of the future's type.
    pub(crate) fn name(&self) -> &'static str {
        short_name(self.type_name)
    }

    #[inline]
    pub(crate) fn poll<const OBSERVED: bool, F: Future>(
        &mut self,
        future: Pin<&mut Option<F>>,
        spare: &mut CountedWaker,
    ) -> Poll<F::Output> {
        let shared = self.shared;
        let poll = |cx: &mut Context<'_>| poll_and_drop(future, cx);
        let polled = match &self.waker {
            Some(own) => shared.poll::<OBSERVED, _>(self.id, &own.waker, || None, poll),
            None => {
                spare.target.set_task(self.id);
                let clones = || Some(spare.clones());
                let polled = shared.poll::<OBSERVED, _>(self.id, &spare.waker, clones, poll);
                self.keep_if_cloned(spare);
                polled
            }
        };
        match polled {
            Poll::Pending => {
                let waits_at = shared.queue.waits_at.get();
                shared
                    .queue
                    .with_slot(self.id, |slot| slot.waits_at = waits_at);
            }
            Poll::Ready(_) => self.end(|task| Event::Completed { task }),
        }
        polled
    }

    /// What a poll has cloned goes on to wake this task. So from then on the task is polled with a
    /// waker that has the same target, and no other task with the spare.
    #[inline]
    fn keep_if_cloned(&mut self, spare: &mut CountedWaker) {
        if spare.clones() > 0 {
            let CountedWaker { target, .. } =
                mem::replace(spare, CountedWaker::new(self.shared.home.clone()));
            self.waker = Some(MainWaker::new(target));
        }
    }

    /// True if somebody holds a clone of the waker, now or at the time of the call.
    pub(crate) fn waker_is_cloned(&mut self) -> bool {
        let released = self.release_cloned_waker();
        self.take_back_waker(released);
        self.waker.is_some()
    }

    /// Lets go of the waker, if somebody holds a clone of it.
    ///
    /// The closure inside is dropped with the last clone. So the waker is dropped: if the closure is
    /// still there, somebody else keeps it. If it is not, the future is polled with the spare waker
    /// again.
    pub(crate) fn release_cloned_waker(&mut self) -> Option<Arc<TaskWaker>> {
        let MainWaker { target, .. } = self.waker.take()?;
        (Arc::strong_count(&target) > 1).then_some(target)
    }

    /// Takes back what [`release_cloned_waker`](MainTask::release_cloned_waker) gave, unless it is
    /// gone.
    pub(crate) fn take_back_waker(&mut self, target: Option<Arc<TaskWaker>>) {
        self.waker = target.map(MainWaker::new);
    }

    /// Drops a future that will never be done; or, as the last part of its poll, one in whose poll there was a panic, its
    /// own or an observer's.
    pub(crate) fn drop_future<F>(
        &self,
        mut future: Pin<&mut Option<F>>,
        tell: impl FnOnce(),
    ) -> thread::Result<()> {
        // Not yet, if it has panicked.
        self.shared.poll_ended();
        self.shared.drop_waiting(self.id, tell, || future.set(None))
    }

    /// The future will never be done, and is gone.
    pub(crate) fn cancelled(&mut self) {
        self.fails(|task| Event::Cancelled { task });
    }

    /// The future has panicked, or an observer.
    pub(crate) fn panicked(&mut self, payload: &(dyn Any + Send)) {
        self.fails(|task| Event::Panicked {
            task,
            message: message_of(payload).map(str::to_owned),
        });
    }

    fn fails(&mut self, how: impl FnOnce(TaskId) -> Event) {
        let long = self.shared.long_poll_of_failed(self.id);
        self.end(how);
        if let Some(long) = long {
            self.shared.tracer().emit(move || Event::LongPoll(long));
        }
    }

    #[inline]
    fn end(&mut self, how: impl FnOnce(TaskId) -> Event) {
        self.shared.queue.vacate_main(self.id);
        let id = self.id;
        self.shared.tracer().emit(move || how(id));
        self.waker = None;
    }
}

/// Polls the future, and drops it within its last poll, as `Stage` in `task.rs` does. Should its drop panic, so does
/// the poll.
#[inline(always)]
fn poll_and_drop<F: Future>(
    mut future: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    let running = future.as_mut().as_pin_mut();
    match running.expect("it is dropped when it is done").poll(cx) {
        Poll::Pending => Poll::Pending,
        ready => output_after(|| future.set(None), ready),
    }
}

impl MainWaker {
    fn new(target: Arc<TaskWaker>) -> Self {
        let waker = waker_fn({
            let target = target.clone();
            move || target.wake_by_ref()
        });
        MainWaker { target, waker }
    }
}
