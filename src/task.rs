//! What a task is: its id, and the box that it lives in.
//!
//! A task is a future that the executor owns. Everything that refers to one (the ready queue, a
//! waker, a timer, a `JoinHandle`) knows it by its [`TaskId`], so no reference to it needs to be
//! counted or locked when tasks come and go: an id whose task is gone matches nothing.

mod join_error;

use std::any::{Any, type_name};
use std::borrow::Cow;
use std::fmt;
use std::mem::{self, needs_drop};
use std::num::{NonZeroU32, NonZeroU64};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::name::{Name, short_name};

pub use join_error::JoinError;
pub(crate) use join_error::message_of;

/// Names one task of one executor, for as long as anyone asks.
///
/// An id is a slot in the executor's table and the slot's *generation*: how many tasks have lived
/// there before. A slot is used again after its task is gone, an id never is.
///
/// It displays as `#3`, or `#3.1` for the second task in slot 3. Ids are ordered by slot, which is not the
/// order in which tasks were spawned.
///
/// ```
/// watchglass::block_on(async {
///     let first = watchglass::spawn(async {});
///     let first_id = first.id();
///     first.await.unwrap();
///     // In the same place lives another task, under another id.
///     let second = watchglass::spawn(async {});
///     assert_eq!(second.id().slot(), first_id.slot());
///     assert_eq!((first_id.to_string(), second.id().to_string()), ("#1".into(), "#1.1".into()));
/// });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The slot in the upper half, the generation in the lower. An id is copied and compared at every
    /// poll and every wake: as one number it is in one register, where two fields would be in two.
    ///
    /// Generations are counted from 1, so an `Option<TaskId>` is no larger than a `TaskId`.
    bits: NonZeroU64,
}

impl TaskId {
    #[inline]
    pub(crate) fn new(slot: u32, generation: NonZeroU32) -> Self {
        TaskId {
            bits: NonZeroU64::from(generation) | u64::from(slot) << 32,
        }
    }

    /// The slot in the executor's table. Slots are reused.
    #[inline]
    #[must_use]
    pub fn slot(self) -> u32 {
        (self.bits.get() >> 32) as u32
    }

    /// How many tasks have lived in the slot before this one.
    #[must_use]
    pub fn generation(self) -> u32 {
        self.bits.get() as u32 - 1
    }

    /// True for the id of the task that lives in this generation of its slot.
    #[inline]
    pub(crate) fn is_of(self, generation: NonZeroU32) -> bool {
        self.bits.get() as u32 == generation.get()
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.bits.get()
    }

    /// The id of these bits, which are those of an id, or 0 for none.
    #[inline]
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        debug_assert!(bits == 0 || bits as u32 != 0, "{bits:#x} has no generation");
        NonZeroU64::new(bits).map(|bits| TaskId { bits })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self.generation() {
            0 => format!("#{}", self.slot()),
            generation => format!("#{}.{generation}", self.slot()),
        })
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// A task of any type, in the box where it stays until it ends.
pub(crate) trait Task {
    /// Polls the future. At `Ready` the future has been dropped and its output is in the box.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// Where the output is, an `Option` of the future's output type; or why there is none.
    fn output(self: Pin<&mut Self>) -> Result<&mut dyn Any, JoinError>;

    /// What to call the task in the trace and in messages.
    fn name(&self) -> Name;

    /// True if it only waits for a closure on another thread.
    fn is_closure(&self) -> bool {
        false
    }

    /// Makes room for another future of the same type, an empty `Option` of it. It is for the caller to know that this
    /// task has ended and [leaves its box](LeavesBox).
    fn room(self: Pin<&mut Self>) -> Option<&mut dyn Any> {
        None
    }
}

pub(crate) type BoxedTask = Pin<Box<dyn Task>>;

/// Moves the output of a finished task out of its box.
#[inline(always)]
pub(crate) fn output_of<T: 'static>(task: Pin<&mut dyn Task>) -> Result<T, JoinError> {
    let output = task.output()?.downcast_mut::<Option<T>>();
    let output = output.expect("a handle has the type of its task's output");
    Ok(output.take().expect("an output is taken once"))
}

/// What the handle of a finished task gives: an output is moved once, from its box to where it is awaited.
// Each arm makes the whole of it: around what both of them give, a `Poll::Ready` would be put by moving that again.
#[inline(always)]
pub(crate) fn unboxed<T: 'static>(mut task: BoxedTask) -> Poll<Result<T, JoinError>> {
    match task.as_mut().output() {
        Ok(output) => {
            let output = output.downcast_mut::<Option<T>>();
            let output = output.expect("a handle has the type of its task's output");
            Poll::Ready(Ok(output.take().expect("an output is taken once")))
        }
        Err(error) => Poll::Ready(Err(error)),
    }
}

/// The largest box that is left for the next task, so that an executor keeps little of the memory of its busiest time.
pub(crate) const MAX_LEFT_BYTES: usize = 128;

/// Whether a task leaves its box to the next one in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeavesBox {
    Never,
    /// If its output was taken: the output has a drop, which may be the user's code.
    IfTaken,
    Always,
}

/// What is to become a task: a [`Bare`] future, or one in its box.
// A trait: a closure for which there are two calls is not always inlined, and then hands the future on in memory, which
// is what `Stage::Arrived` is there to avoid.
pub(crate) trait NewTask {
    /// Puts it in its place.
    fn put_in(self, place: &mut Option<BoxedTask>) -> LeavesBox;
}

/// A future that moves into the box that the last task in its place has left, if that was of the same type.
pub(crate) struct Bare<F>(pub(crate) F);

impl<F: Future + 'static> NewTask for Bare<F> {
    #[inline(always)]
    fn put_in(self, place: &mut Option<BoxedTask>) -> LeavesBox {
        let left = place.as_mut().and_then(|left| left.as_mut().room());
        match left.and_then(|room| room.downcast_mut::<Option<F>>()) {
            // The room is empty, and so needs no drop, and no look whether it does.
            Some(room) => mem::forget(room.replace(self.0)),
            None => {
                let mut new = empty_box::<F>();
                new.set(Stage::Running { future: self.0 });
                *place = Some(new);
            }
        }
        match size_of::<Stage<F>>() <= MAX_LEFT_BYTES {
            false => LeavesBox::Never,
            true if needs_drop::<F::Output>() => LeavesBox::IfTaken,
            true => LeavesBox::Always,
        }
    }
}

impl NewTask for BoxedTask {
    #[inline(always)]
    fn put_in(self, place: &mut Option<BoxedTask>) -> LeavesBox {
        *place = Some(self);
        LeavesBox::Never
    }
}

/// For tests in which no task is polled.
#[cfg(test)]
impl NewTask for () {
    fn put_in(self, _: &mut Option<BoxedTask>) -> LeavesBox {
        LeavesBox::Never
    }
}

/// A box as a task leaves it. Not inlined: in the middle of a spawn, the call of the allocator would make it save
/// registers.
#[inline(never)]
fn empty_box<F: Future>() -> Pin<Box<Stage<F>>> {
    Box::pin(Stage::Done { output: None })
}

/// Boxes a future as a task. Not inlined, for the same reason.
#[inline(never)]
pub(crate) fn boxed<F: Future + 'static>(future: F) -> BoxedTask {
    Box::pin(Stage::Running { future })
}

/// Boxes a future as a task that is called `name`.
pub(crate) fn boxed_and_named<F: Future + 'static>(future: F, name: Name) -> BoxedTask {
    Named::boxed(future, name, false)
}

/// The same of one that only waits for a closure on another thread.
pub(crate) fn boxed_closure<F: Future + 'static>(future: F, name: Name) -> BoxedTask {
    Named::boxed(future, name, true)
}

pin_project! {
    /// A future, then its output, in the same place: a task costs one allocation, or none if a box was left.
    ///
    /// A future that has moved in is pinned at its first poll only: so whoever spawns it can write it where it is to
    /// lie. Handed to a method of this box, it would be written in parts, one field after the other, and at once be
    /// read as a whole, and for that the processor waits until all parts have reached its cache: `spawn_join` took
    /// 34 ns and not 29.
    #[project = StageProjection]
    enum Stage<F: Future> {
        Arrived { future: Option<F> },
        Running { #[pin] future: F },
        Done { output: Option<F::Output> },
    }
}

impl<F: Future> Stage<F> {
    /// Pins the future that has moved in.
    #[inline(always)]
    fn begin(mut self: Pin<&mut Self>) {
        let StageProjection::Arrived { future } = self.as_mut().project() else {
            unreachable!("a task is not polled after it was ready")
        };
        let future = future.take().expect("it has moved in");
        self.set(Stage::Running { future });
    }
}

impl<F: Future + 'static> Task for Stage<F> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(*self, Stage::Running { .. }) {
            self.as_mut().begin();
        }
        let StageProjection::Running { future } = self.as_mut().project() else {
            unreachable!("a task has begun")
        };
        match future.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(output) => {
                // This drops the future. Should its `Drop` panic, the output is stored all the same, and then dropped
                // where that is contained.
                self.set(Stage::Done {
                    output: Some(output),
                });
                Poll::Ready(())
            }
        }
    }

    fn output(self: Pin<&mut Self>) -> Result<&mut dyn Any, JoinError> {
        let StageProjection::Done { output } = self.project() else {
            unreachable!("an output is taken from a task that is done")
        };
        Ok(output)
    }

    fn name(&self) -> Name {
        Cow::Borrowed(short_name(type_name::<F>()))
    }

    fn room(mut self: Pin<&mut Self>) -> Option<&mut dyn Any> {
        debug_assert!(
            matches!(*self, Stage::Done { .. }),
            "somebody still lives here"
        );
        self.set(Stage::Arrived { future: None });
        match self.project() {
            StageProjection::Arrived { future } => Some(future),
            _ => unreachable!(),
        }
    }
}

pin_project! {
    /// A task that was given a name.
    struct Named<F: Future> {
        name: Name,
        is_closure: bool,
        #[pin]
        stage: Stage<F>,
    }
}

impl<F: Future + 'static> Named<F> {
    fn boxed(future: F, name: Name, is_closure: bool) -> BoxedTask {
        let stage = Stage::Running { future };
        Box::pin(Named {
            name,
            is_closure,
            stage,
        })
    }
}

impl<F: Future + 'static> Task for Named<F> {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().stage.poll(cx)
    }

    fn output(self: Pin<&mut Self>) -> Result<&mut dyn Any, JoinError> {
        self.project().stage.output()
    }

    fn name(&self) -> Name {
        self.name.clone()
    }

    fn is_closure(&self) -> bool {
        self.is_closure
    }
}

/// What stands in a task's place when it ended without an output.
pub(crate) struct Failed(pub(crate) JoinError);

impl Task for Failed {
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        unreachable!("a task is not polled after it failed")
    }

    fn output(mut self: Pin<&mut Self>) -> Result<&mut dyn Any, JoinError> {
        Err(mem::replace(&mut self.0, JoinError::cancelled()))
    }

    fn name(&self) -> Name {
        unreachable!("only an unfinished task is named")
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[test]
    fn an_id_survives_its_bits() {
        let id = TaskId::new(7, NonZeroU32::MAX);
        assert_eq!(TaskId::from_bits(id.to_bits()), Some(id));
        assert_eq!((id.slot(), id.generation()), (7, u32::MAX - 1));
        assert!(id.is_of(NonZeroU32::MAX) && !id.is_of(NonZeroU32::MIN));
        assert_eq!(size_of::<Option<TaskId>>(), size_of::<TaskId>());
        assert_eq!(format!("{:<4}|", TaskId::new(7, NonZeroU32::MIN)), "#7  |");
    }

    #[test]
    fn only_a_small_box_with_nothing_to_drop_is_left_where_nobody_takes_the_output() {
        assert_eq!(Bare(ready(1)).put_in(&mut None), LeavesBox::Always);
        assert_eq!(
            Bare(ready(String::new())).put_in(&mut None),
            LeavesBox::IfTaken
        );
        let large = Bare(ready([0_u8; MAX_LEFT_BYTES]));
        assert_eq!(large.put_in(&mut None), LeavesBox::Never);
        let named = boxed_and_named(ready(1), "named".into());
        assert_eq!(named.put_in(&mut None), LeavesBox::Never);
    }
}
