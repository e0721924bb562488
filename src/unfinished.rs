//! The tasks that have not finished: what each is called, where it was spawned and where it waits.

use std::collections::HashMap;
use std::fmt;
use std::panic::Location;

use crate::context::Shared;
use crate::main_task::MainTask;
use crate::slots::SlotState;
use crate::task::TaskId;
use crate::trace::{At, OneLine, TaskKind, in_program, named};

/// A task that has not finished, and where it waits. In a [`Stalled`](crate::Stalled) it never will.
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
    /// [`Stalled`](crate::Stalled)).
    pub kind: TaskKind,
    /// True if it is to be polled, or dropped, at its next turn; never in a [`Stalled`](crate::Stalled).
    ///
    /// If another thread woke the task, or somebody did between two calls, this is true only once a turn has begun
    /// since.
    pub is_ready: bool,
    /// What it is called: see [`Spawned`](crate::trace::Event::Spawned).
    pub name: String,
    /// Where it was spawned; for `block_on`'s own future, where `block_on` was called.
    pub spawned_at: &'static Location<'static>,
    /// The `.await` at which it waits. `None` if it waits for a future that is not watchglass's, a channel, say,
    /// and has no [`label`](crate::label()).
    ///
    /// The place may be in the standard library or in another crate: see [`Event::Waits`](crate::trace::Event::Waits).
    /// It may also be one at which the task gave up waiting in its last poll, in another crate's `select!`, say. If the
    /// task `waits_elsewhere`, this is the `.await` of that handle, even if another future was polled last.
    pub waits_at: Option<&'static Location<'static>>,
    /// The tasks whose end it awaits, in the order of their slots.
    ///
    /// Only those count whose handle it awaits itself, not in a [`join_all`](crate::join_all()) and not by a
    /// [`JoinSet`](crate::JoinSet). If there are several, `waits_at` says where it awaits the one that it polled last.
    /// A handle that it has polled and kept, but awaits no more, is listed too, because it would still wake the task.
    /// Then `waits_at` is `None`, or the place of what the task waits for by now.
    pub waits_for: Vec<TaskId>,
    /// True if it awaits the handle of a task of another executor, or a [`JoinSet`](crate::JoinSet) of such tasks.
    ///
    /// That task cannot run while this executor does: let its own [`block_on`](crate::Executor::block_on) run it. A
    /// handle in a [`join_all`](crate::join_all()) counts too, but not in one that was polled in that other executor
    /// before. (With such a join, there is no verdict at all in an open world.) A handle that the task gave up
    /// awaiting, but still has, looks the same, as it does in `waits_for`.
    pub waits_elsewhere: bool,
    /// True if somebody has its waker.
    ///
    /// In a [`Stalled`](crate::Stalled) this means that the executor was promised that nobody outside will use it: by
    /// [`closed_world`](crate::Builder::closed_world), which virtual time implies.
    pub waker_is_held: bool,
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

impl UnfinishedTask {
    /// The tasks that it waits for, if there are any.
    fn awaited(&self) -> Option<String> {
        let (awaited, others) = named(&self.waits_for);
        let others = (others > 0).then(|| format!("{others} more"));
        let awaited = awaited.iter().map(TaskId::to_string).chain(others);
        let awaited: Vec<String> = awaited.collect();
        (!awaited.is_empty()).then(|| awaited.join(" and "))
    }
}

const NOT_OURS: &str = "a future that is not watchglass's (of a lock, a channel or another crate's `join` or `select`, perhaps)";
const HOLDERS: &str = "a lock, a channel or another crate's `join` or `select`, perhaps,";

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
                match self.waker_is_held {
                    true => write!(f, ", or for {NOT_OURS}"),
                    false => Ok(()),
                }
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
                match self.waker_is_held {
                    true => write!(f, ", and {HOLDERS} has its waker"),
                    false => Ok(()),
                }
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
