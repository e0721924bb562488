//! The executor's own state, taken from its queue, its slots and its wheel, to prove the replay by:
//! after each record, [`State`] must say the same.

use std::panic::Location;
use std::time::Duration;

use crate::context::Shared;
use crate::executor::Executor;
use crate::slots::{NextPoll, SlotState};
use crate::task::TaskId;
use crate::trace::{Cause, Place, Ready, State, TimerId};
use crate::waiter::Waiter;

/// What both the executor and the replay know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What the clock says. A real clock goes on meanwhile, so this is for the virtual one.
    time: Duration,
    running: Option<TaskId>,
    /// With the cause, unless the task has ended since it was queued.
    ready: Vec<(TaskId, Option<Cause>)>,
    tasks: Vec<Unfinished>,
    timers: Vec<(TimerId, Option<TaskId>, Duration, Place)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unfinished {
    id: TaskId,
    queued: bool,
    aborted: bool,
    /// As text, for `Location` has no order on every compiler that this builds with.
    spawned_at: String,
    waits_at: Option<String>,
}

fn text(place: Option<&'static Location<'static>>) -> Option<String> {
    place.map(Location::to_string)
}

impl Snapshot {
    /// What the replay says.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let unfinished = state.tasks().iter().filter(|task| !task.stage.is_end());
        let mut tasks: Vec<Unfinished> = unfinished
            .map(|task| Unfinished {
                id: task.id,
                queued: task.queued,
                aborted: task.aborted,
                spawned_at: task.spawned_at.to_string(),
                waits_at: text(task.waits.last().map(|wait| wait.at)),
            })
            .collect();
        tasks.sort_unstable();
        let of_entry = |entry: &Ready| {
            let queued = state.task(entry.task).is_some_and(|task| task.queued);
            (entry.task, queued.then_some(entry.why))
        };
        Snapshot {
            time: state.time(),
            running: state.running(),
            ready: state.ready().map(of_entry).collect(),
            tasks,
            timers: state
                .timers()
                .map(|timer| (timer.id, timer.task, timer.deadline, timer.place))
                .collect(),
        }
    }

    /// What the executor says that runs on this thread.
    #[must_use]
    pub fn of_current() -> Option<Self> {
        Shared::current().map(|shared| Snapshot::taken(&shared))
    }

    fn taken(shared: &Shared) -> Self {
        let running = shared.queue.running();
        let mut tasks = shared.queue.unfinished(|id, slot| {
            let waits_at = match running {
                Some(running) if running == id => shared.queue.waits_at.get(),
                _ => slot.waits_at,
            };
            Some(Unfinished {
                id,
                queued: slot.state == SlotState::Queued,
                aborted: slot.next_poll == NextPoll::Dropped,
                spawned_at: slot.spawned_at.to_string(),
                waits_at: text(waits_at),
            })
        });
        tasks.sort_unstable();
        let ready = shared.queue.ready_behind(0).into_iter();
        let of_entry = |id| match shared.queue.state(id) {
            SlotState::Queued => (id, shared.tracer().cause(id)),
            _ => (id, None),
        };
        let wheel = shared.wheel.borrow();
        let timer = |(id, deadline_ns, place, waiter): (_, _, _, &Waiter)| {
            let deadline = Duration::from_nanos(deadline_ns);
            (id, waiter.task(), deadline, place)
        };
        let mut timers: Vec<_> = wheel.iter().map(timer).collect();
        timers.sort_unstable_by_key(|&(id, ..)| id);
        Snapshot {
            time: Duration::from_nanos(shared.clock.now_ns()),
            running,
            ready: ready.map(of_entry).collect(),
            tasks,
            timers,
        }
    }
}

impl Executor {
    /// What the executor itself has, to be held against the replay.
    #[doc(hidden)]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::taken(&self.shared)
    }
}
