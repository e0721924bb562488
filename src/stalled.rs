//! The verdict that nothing can ever happen again.

use std::fmt;
use std::io;
use std::sync::Weak;

use crate::context::Shared;
use crate::inbox::TaskWaker;
use crate::lost::circles;
use crate::main_task::MainTask;
use crate::task::TaskId;
use crate::trace::{Event, TaskKind, in_circle, named};
use crate::unfinished::{UnfinishedTask, unfinished_tasks};

/// The verdict that nothing can ever happen again.
///
/// The executor has nothing to do, and nothing can ever give it something to do: no task is ready, no timer is armed,
/// no closure is out on a thread, and nobody outside holds a waker (or the executor was told that nobody outside will
/// use one).
///
/// Its `Display` names up to 20 stuck tasks, where each was spawned and where it waits.
///
/// ```
/// use watchglass::Executor;
///
/// let executor = Executor::new();
/// let waits = async { watchglass::spawn(std::future::pending::<()>()).await };
/// let stalled = executor.try_block_on(waits).unwrap_err();
/// let [main, spawned] = stalled.tasks() else {
///     panic!("{stalled}");
/// };
/// assert_eq!(main.waits_for, [spawned.id]);
/// assert_eq!((&spawned.name[..], spawned.waits_at), ("Pending", None));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Stalled {
    /// Not a `Vec`, which is a word more: every `block_on` hands on a `Result` with this error.
    pub(crate) tasks: Box<[UnfinishedTask]>,
}

/// True if the verdict is certain.
///
/// The order of the questions matters. A closure's thread first wakes its task and then counts
/// down, so an inbox that is empty *after* the count was seen at zero holds no wake of a closure.
/// And the inbox need not be looked at again when the wakers have been counted: a letter is a clone
/// of its task's waker, and counts as one.
pub(crate) fn is_certain(shared: &Shared, main: &mut MainTask<'_>, closed_world: bool) -> bool {
    if shared.home.blocking_calls() > 0 || !shared.inbox.is_empty() {
        return false;
    }
    debug_assert_eq!(shared.queue.len(), 0, "nobody is ready");
    if !shared.wheel.borrow().is_empty() {
        return false;
    }
    closed_world || !main.waker_is_cloned() && shared.held_waker().is_none()
}

pub(crate) fn verdict(shared: &Shared, main: &mut MainTask<'_>) -> Stalled {
    let main_is_held = main.waker_is_cloned();
    let mut tasks = unfinished_tasks(shared, Some((main, main_is_held)));
    // The main task first: it is named also where not all are.
    tasks.sort_by_key(|task| task.kind != TaskKind::Main);
    let tasks = tasks.into();
    let stalled = Stalled { tasks };
    shared.tracer().emit(|| Event::Stalled {
        tasks: stalled.tasks.iter().map(|task| task.id).collect(),
        held: stalled.held().map(|task| task.id).collect(),
    });
    stalled
}

/// One waker that somebody outside holds, while the executor is parked for no other reason. When the
/// last of it is dropped, nobody may be left to wake anybody, and the verdict is due.
pub(crate) struct Watched {
    task: TaskId,
    target: Weak<TaskWaker>,
}

impl Watched {
    pub(crate) fn one(shared: &Shared, main: &mut MainTask<'_>) -> Option<Self> {
        let target = main
            .release_cloned_waker()
            .or_else(|| shared.release_held_waker())?;
        let task = target.task().expect("a waker that is held is a task's");
        let target = target.watch();
        Some(Watched { task, target })
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.target.strong_count() == 0
    }

    pub(crate) fn end(self, shared: &Shared, main: &mut MainTask<'_>) {
        let target = TaskWaker::end_watch(&self.target);
        match self.task == main.id {
            true => main.take_back_waker(target),
            false => shared.take_back_waker(self.task, target),
        }
    }
}

impl Stalled {
    /// The tasks that wait for each other in a circle; none, if there is no circle.
    ///
    /// Each awaits the end of the next, and the last awaits the end of the first, as far as
    /// [`UnfinishedTask::waits_for`] and [`UnfinishedTask::waits_at`] tell.
    #[must_use]
    pub fn cycle(&self) -> Vec<TaskId> {
        let waits = self.tasks.iter().filter(|task| task.waits_at.is_some());
        let awaited = waits.flat_map(|task| task.waits_for.iter().map(|&id| (task.id, id)));
        let circles = circles(awaited.collect());
        circles.into_iter().next().unwrap_or_default()
    }

    fn held(&self) -> impl Iterator<Item = &UnfinishedTask> {
        self.tasks.iter().filter(|task| task.waker_is_held)
    }

    /// The tasks that have not finished: `block_on`'s own future, and then the others in the order of their slots.
    #[must_use]
    pub fn tasks(&self) -> &[UnfinishedTask] {
        &self.tasks
    }
}

/// As its `Display`: it is what `unwrap` prints.
impl fmt::Debug for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stalled: no task is ready, no timer is armed, no blocking call is out and nobody \
             outside will use a waker, so these can never finish:"
        )?;
        let (tasks, others) = named(&self.tasks);
        tasks.iter().try_for_each(|task| write!(f, "\n  {task}"))?;
        if others > 0 {
            write!(
                f,
                "\n  and {others} more (`Executor::try_block_on` gives them all)"
            )?;
        }
        match self.cycle().as_slice() {
            [] => {}
            cycle => {
                let cycle = in_circle(cycle, |task| task.to_string());
                write!(f, "\nand they wait in a circle: {cycle}")?;
            }
        }
        let held: Vec<String> = self.held().map(|task| task.id.to_string()).collect();
        if held.is_empty() {
            return Ok(());
        }
        let (held, others) = named(&held);
        let and_more = match others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        write!(
            f,
            "\nWakers of {}{and_more} are held, by a lock or a channel, perhaps: a deadlock, unless another thread uses \
             them. That none does was promised by `.closed_world(true)`, by virtual time (build with \
             `.closed_world(false)`) or by `closed` in WATCHGLASS",
            held.join(", ")
        )?;
        match self.held().all(|task| task.waits_at.is_some()) {
            true => Ok(()),
            false => write!(
                f,
                ". Await `watchglass::label(\"name\", future)`, and this says where a task waits"
            ),
        }
    }
}

impl std::error::Error for Stalled {}

/// For `?` in a function that gives an `io::Result`: of the kind [`Deadlock`](io::ErrorKind::Deadlock).
impl From<Stalled> for io::Error {
    fn from(stalled: Stalled) -> Self {
        io::Error::new(io::ErrorKind::Deadlock, stalled)
    }
}
