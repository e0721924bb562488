//! The verdict that nothing can ever happen again.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Weak;

use crate::context::Shared;
use crate::inbox::TaskWaker;
use crate::lost::circles;
use crate::main_task::MainTask;
use crate::task::TaskId;
use crate::trace::{At, Event, OneLine, in_circle, in_program, named};

/// The executor has nothing to do and nothing can ever give it something: no task is ready, no
/// timer is armed, no closure is out on a thread, and nobody outside holds a waker (or the executor
/// was told that nobody outside will use one).
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Not a `Vec`, which is a word more: every `block_on` hands on a `Result` with this error.
    pub(crate) tasks: Box<[StuckTask]>,
}

/// A task that will never finish.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StuckTask {
    /// Which task.
    pub id: TaskId,
    /// True for `block_on`'s own future.
    pub is_main: bool,
    /// The last part of its future's type, or the name that it was given.
    pub name: String,
    /// Where it was spawned; for `block_on`'s own future, where `block_on` was called.
    pub spawned_at: &'static Location<'static>,
    /// The `.await` at which it waits. `None` if it waits for a future that is not watchglass's, a
    /// channel, say. It may be a place in the standard library or in another crate, see
    /// [`Event::Waits`], or one that the task gave up waiting at in its last poll, in
    /// another crate's `select!`, say. If it `waits_elsewhere`, it is the `.await` of that handle, also if another
    /// was polled last.
    pub waits_at: Option<&'static Location<'static>>,
    /// The tasks whose end it awaits, in the order of their slots: those whose handle it awaits itself, and not in a
    /// [`join_all`](crate::join_all()) or by a [`JoinSet`](crate::JoinSet). Of several, `waits_at` says where it awaits
    /// the one that it polled last. A handle that it has polled and kept, and awaits no more, is listed too, for
    /// it would still wake the task; `waits_at` then says no place, or that of what it waits for by now.
    pub waits_for: Vec<TaskId>,
    /// True if it awaits the handle of a task of another executor, or a [`JoinSet`](crate::JoinSet) of such tasks; also
    /// in a [`join_all`](crate::join_all()), but not in one that was polled in that other executor before (of which no
    /// verdict comes at all in an open world). That task cannot run while this executor does: let its own
    /// [`block_on`](crate::Executor::block_on) run it. A handle that it gave up awaiting and still has looks the same,
    /// as for `waits_for`.
    pub waits_elsewhere: bool,
    /// True if somebody has its waker. The executor was promised that nobody outside will use one: by
    /// [`closed_world`](crate::Builder::closed_world), which virtual time implies.
    pub waker_is_held: bool,
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
    closed_world || !main.waker_is_cloned() && !shared.somebody_holds_a_waker()
}

pub(crate) fn verdict(shared: &Shared, main: &mut MainTask<'_>) -> Stalled {
    let main_is_held = main.waker_is_cloned();
    let tasks = stuck_tasks(shared, main, main_is_held);
    let stalled = Stalled { tasks };
    shared.tracer().emit(|| Event::Stalled {
        tasks: stalled.tasks.iter().map(|task| task.id).collect(),
        held: stalled.held().map(|task| task.id).collect(),
    });
    stalled
}

/// All tasks, now that none can ever finish: `block_on`'s own future, and then the others in the order of their slots.
fn stuck_tasks(shared: &Shared, main: &MainTask<'_>, main_is_held: bool) -> Box<[StuckTask]> {
    let mut waits_for: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
    for (who, awaited) in shared.awaited() {
        waits_for.entry(who).or_default().push(awaited);
    }
    let elsewhere = shared.awaits_elsewhere.borrow();
    let awaited_elsewhere = |id| elsewhere.get(&id).and_then(|places| places.last().copied());
    let mut tasks = shared.queue.unfinished(|id, slot| {
        Some(StuckTask {
            id,
            is_main: id == main.id,
            // Only `block_on`'s own future is not in its slot.
            name: match &slot.task {
                Some(task) => task.name().into_owned(),
                None => main.name().to_owned(),
            },
            spawned_at: slot.spawned_at,
            waits_at: awaited_elsewhere(id).or(slot.waits_at),
            waits_for: waits_for.get(&id).cloned().unwrap_or_default(),
            waits_elsewhere: awaited_elsewhere(id).is_some(),
            waker_is_held: match id == main.id {
                true => main_is_held,
                false => shared.waker_is_held(id),
            },
        })
    });
    // The main task first: it is named also where not all are.
    tasks.sort_by_key(|task| !task.is_main);
    tasks.into()
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
    /// The tasks that wait for each other in a circle, if some do: each awaits the end of the next,
    /// and the last awaits that of the first, as far as [`StuckTask::waits_for`] and
    /// [`StuckTask::waits_at`] tell.
    pub fn cycle(&self) -> Vec<TaskId> {
        let waits = self.tasks.iter().filter(|task| task.waits_at.is_some());
        let awaited = waits.flat_map(|task| task.waits_for.iter().map(|&id| (task.id, id)));
        let circles = circles(awaited.collect());
        circles.into_iter().next().unwrap_or_default()
    }

    fn held(&self) -> impl Iterator<Item = &StuckTask> {
        self.tasks.iter().filter(|task| task.waker_is_held)
    }

    /// The stuck tasks: `block_on`'s own future, and then the others in the order of their slots.
    pub fn tasks(&self) -> &[StuckTask] {
        &self.tasks
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
        let (held, others) = named(&held);
        let and_more = match others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        match held.is_empty() {
            true => Ok(()),
            false => write!(
                f,
                "\nWakers of {}{and_more} are held. The executor was promised that nobody outside uses them: if \
                 another thread does, build it with `.closed_world(false)`, or leave `closed` out of WATCHGLASS",
                held.join(", ")
            ),
        }
    }
}

impl StuckTask {
    /// The tasks that it waits for, if there are any.
    fn awaited(&self) -> Option<String> {
        let (awaited, others) = named(&self.waits_for);
        let others = (others > 0).then(|| format!("{others} more"));
        let awaited = awaited.iter().map(TaskId::to_string).chain(others);
        let awaited: Vec<String> = awaited.collect();
        (!awaited.is_empty()).then(|| awaited.join(" and "))
    }

    /// Whoever has its waker is not the executor.
    fn or_for_what_is_not_ours(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.waker_is_held {
            true => write!(f, ", or for {NOT_OURS}"),
            false => Ok(()),
        }
    }
}

const NOT_OURS: &str = "a future that is not watchglass's (of a lock, a channel or another crate's combinator, perhaps)";

impl fmt::Display for StuckTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StuckTask { id, name, .. } = self;
        let began = match self.is_main {
            true => "given to block_on",
            false => "spawned",
        };
        write!(
            f,
            "{id} `{}`, {began} at {}, ",
            OneLine(name),
            self.spawned_at
        )?;
        if self.waits_elsewhere {
            let at = self.waits_at.map(At);
            let at = at.map_or(String::new(), |at| at.to_string());
            return write!(
                f,
                "waits for a task of another executor{at}; that cannot run while this one does: \
                 await the task in its own executor's `block_on`"
            );
        }
        match (self.awaited(), self.waits_at) {
            (Some(tasks), Some(at)) => {
                write!(f, "waits for {tasks}{}", At(at))?;
                self.or_for_what_is_not_ours(f)
            }
            (None, Some(at)) => {
                match in_program(at) {
                    Some(at) => write!(f, "waits at {at}")?,
                    None => write!(
                        f,
                        "waits in a future that another future polls (a race, a timeout or a box, perhaps), or that \
                         is the task itself"
                    )?,
                }
                self.or_for_what_is_not_ours(f)
            }
            // It has polled the handle, in an earlier poll or for as long as a timeout let it.
            (Some(tasks), None) if self.waker_is_held => {
                write!(f, "waits for {NOT_OURS}, or for {tasks}")
            }
            (Some(tasks), None) => write!(f, "waits; the end of {tasks} would wake it"),
            (None, None) if self.waker_is_held => write!(f, "waits for {NOT_OURS}"),
            (None, None) => write!(
                f,
                "waits, and nobody has its waker: a future returned `Pending` without keeping \
                 `cx.waker()`, or whoever kept it has dropped it"
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
