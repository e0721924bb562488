//! Tasks that are lost: whatever else happens, nobody and nothing will ever wake them. It is told when nothing is ready,
//! and at the end of `block_on`.
//!
//! ```text
//!    forgotten ▶ awaits nobody, and nobody has its waker
//!    deadlock  ▶ #1 awaits #2, which awaits #3, which awaits #1, and nothing else would wake them
//! ```
//!
//! Who awaits a lost task is lost, too, unless that task is aborted; but what is wrong is not there.

use std::collections::{HashMap, HashSet};

use crate::context::Shared;
use crate::slots::{Slot, SlotState};
use crate::task::TaskId;

impl Shared {
    /// Tells of those that are lost, each once. True if there was one to tell of. It may pass if they are many, but not
    /// if it `must` look, for there will be no other time.
    #[inline]
    pub(crate) fn look_for_lost(
        &self,
        main: TaskId,
        main_is_held: impl FnOnce() -> bool,
        must: bool,
    ) -> bool {
        let places = || self.wheel.borrow().places();
        let looks = self.tracer().begins_look(places) || must && self.tracer().is_on();
        looks && self.tell_lost(main, main_is_held())
    }

    #[cold]
    fn tell_lost(&self, main: TaskId, main_is_held: bool) -> bool {
        let mut awaited = self.awaited();
        let can_run = self.can_run(&awaited, main, main_is_held);
        // Of a handle that a task has polled and kept the end would wake it, but it may wait for something else by now.
        let awaits = |&(who, id): &(TaskId, TaskId)| self.tracer().awaits(who, id);
        awaited.retain(|pair| !can_run.contains(&pair.0) && awaits(pair));
        let awaiting: HashSet<TaskId> = awaited.iter().map(|&(who, _)| who).collect();
        let is_forgotten = |id| !can_run.contains(&id) && !awaiting.contains(&id);
        let forgotten = self
            .queue
            .unfinished(|id, _| is_forgotten(id).then_some(id));
        let circles = circles(awaited);
        let mut is_told = false;
        for id in forgotten {
            is_told |= self.tracer().tell_forgotten(id);
        }
        for circle in circles {
            is_told |= self.tracer().tell_deadlock(&circle);
        }
        is_told
    }

    /// The tasks that were woken, or may be: by somebody who has their waker, by a timer, or by the end of another such
    /// task.
    fn can_run(
        &self,
        awaited: &[(TaskId, TaskId)],
        main: TaskId,
        main_is_held: bool,
    ) -> HashSet<TaskId> {
        let is_held = |id| match id == main {
            true => main_is_held,
            false => self.waker_is_held(id),
        };
        let may_be_woken = |id| is_held(id) || self.tracer().is_known_elsewhere(id);
        let can_run = |id, slot: &Slot| slot.state == SlotState::Queued || may_be_woken(id);
        let can_run = self
            .queue
            .unfinished(|id, slot| can_run(id, slot).then_some(id));
        let mut can_run: HashSet<TaskId> = can_run.into_iter().collect();
        let timers = self.wheel.borrow();
        can_run.extend(timers.iter().filter_map(|(.., waiter)| waiter.task()));
        let awaited_by: HashMap<TaskId, TaskId> =
            awaited.iter().map(|&(who, id)| (id, who)).collect();
        // A task has one handle, and so the end of one wakes one other, and the end of that the next.
        for id in can_run.clone() {
            let mut next = awaited_by.get(&id);
            while let Some(&who) = next
                && can_run.insert(who)
            {
                next = awaited_by.get(&who);
            }
        }
        can_run
    }
}

/// The circles of tasks in which each awaits the end of the next, and the last that of the first, which has the lowest
/// slot. It is given who awaits whom.
pub(crate) fn circles(awaited: Vec<(TaskId, TaskId)>) -> Vec<Vec<TaskId>> {
    // The way back forks nowhere.
    let awaited_by: HashMap<TaskId, TaskId> = awaited.iter().map(|&(who, id)| (id, who)).collect();
    // Each task is passed once: a way ends where an earlier one went.
    let mut passed = HashSet::new();
    let mut circles = Vec::new();
    for (start, _) in awaited {
        let mut way = Vec::new();
        let mut next = Some(start);
        while let Some(id) = next
            && passed.insert(id)
        {
            way.push(id);
            next = awaited_by.get(&id).copied();
        }
        if let Some(begin) = way.iter().position(|&id| Some(id) == next) {
            let mut circle = way.split_off(begin);
            circle.reverse();
            let lowest = (0..circle.len()).min_by_key(|&at| circle[at].slot());
            circle.rotate_left(lowest.unwrap_or(0));
            circles.push(circle);
        }
    }
    circles
}
