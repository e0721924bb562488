//! Which tasks have not finished, and where each waits; and the verdict that nothing can ever happen again, which lists
//! them.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Weak;

use crate::context::Shared;
use crate::inbox::TaskWaker;
use crate::lost::circles;
use crate::main_task::MainTask;
use crate::slots::SlotState;
use crate::task::TaskId;
use crate::trace::{At, Event, OneLine, TaskKind, in_circle, in_program, named};

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
#[derive(Clone, PartialEq, Eq)]
pub struct Stalled {
    /// Not a `Vec`, which is a word more: every `block_on` hands on a `Result` with this error.
    pub(crate) tasks: Box<[UnfinishedTask]>,
}

/// A task that has not finished, and where it waits. In a [`Stalled`] it never will.
///
/// Its `Debug` is its `Display`, so that a test that finds one left says which:
///
/// ```
/// use watchglass::Executor;
///
/// let executor = Executor::new();
/// let _left = executor.spawn_named("left", std::future::pending::<()>());
/// assert!(format!("{:?}", executor.unfinished_tasks()).contains("`left`, spawned at"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnfinishedTask {
    /// Which task.
    pub id: TaskId,
    /// Whether it is `block_on`'s own future, was spawned, or is a closure on a thread (which is never in a
    /// [`Stalled`]).
    pub kind: TaskKind,
    /// True if it is to be polled, or dropped, at its next turn; not in a [`Stalled`]. Not yet where another thread
    /// woke it, or somebody did between two calls, and no turn has begun since.
    pub is_ready: bool,
    /// What it is called: see [`Spawned`](Event::Spawned).
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
    /// True if somebody has its waker. In a [`Stalled`] the executor was promised that nobody outside will use one: by
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

/// Those that have not finished, in the order of their slots. `block_on`'s own future is among them if it is given,
/// with whether its waker is held; who is being polled is not.
pub(crate) fn unfinished_tasks(
    shared: &Shared,
    main: Option<(&MainTask<'_>, bool)>,
) -> Vec<UnfinishedTask> {
    let mut waits_for: HashMap<TaskId, Vec<TaskId>> = HashMap::new();
    for (who, awaited) in shared.awaited() {
        waits_for.entry(who).or_default().push(awaited);
    }
    let elsewhere = shared.awaits_elsewhere.borrow();
    let awaited_elsewhere = |id| elsewhere.get(&id).and_then(|places| places.last().copied());
    shared.queue.unfinished(|id, slot| {
        let main = main.filter(|(main, _)| main.id == id);
        let (kind, name) = match (main, &slot.task) {
            (Some((main, _)), _) => (TaskKind::Main, main.name().to_owned()),
            (None, Some(task)) if task.is_closure() => {
                (TaskKind::Blocking, task.name().into_owned())
            }
            (None, Some(task)) => (TaskKind::Spawned, task.name().into_owned()),
            // It is being polled, or is `block_on`'s own and was not given.
            (None, None) => return None,
        };
        Some(UnfinishedTask {
            id,
            kind,
            is_ready: slot.state == SlotState::Queued,
            name,
            spawned_at: slot.spawned_at,
            waits_at: awaited_elsewhere(id).or(slot.waits_at),
            waits_for: waits_for.get(&id).cloned().unwrap_or_default(),
            waits_elsewhere: awaited_elsewhere(id).is_some(),
            waker_is_held: match main {
                Some((_, is_held)) => is_held,
                None => shared.waker_is_held(id),
            },
        })
    })
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
    /// and the last awaits that of the first, as far as [`UnfinishedTask::waits_for`] and
    /// [`UnfinishedTask::waits_at`] tell.
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
        let (held, others) = named(&held);
        let and_more = match others {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        match held.is_empty() {
            true => Ok(()),
            false => write!(
                f,
                "\nWakers of {}{and_more} are held, by a lock or a channel, perhaps. If no other thread uses them, this \
                 is a deadlock. If one does: that none does was promised by `.closed_world(true)`, by virtual time \
                 (build with `.closed_world(false)`) or by `closed` in WATCHGLASS",
                held.join(", ")
            ),
        }
    }
}

impl UnfinishedTask {
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

const NOT_OURS: &str = "a future that is not watchglass's (of a lock, a channel or another crate's `join` or `select`, perhaps)";

impl fmt::Debug for UnfinishedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for UnfinishedTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnfinishedTask { id, name, .. } = self;
        let began = match self.kind {
            TaskKind::Main => "given to block_on",
            TaskKind::Spawned | TaskKind::Blocking => "spawned",
        };
        write!(
            f,
            "{id} `{}`, {began} at {}, ",
            OneLine(name),
            self.spawned_at
        )?;
        if self.is_ready {
            return write!(f, "is ready");
        }
        if self.kind == TaskKind::Blocking {
            return write!(f, "waits for its closure on another thread");
        }
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
