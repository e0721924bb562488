//! Tasks that are lost: whatever else happens, nobody and nothing will ever wake them. It is told when nothing is
//! ready, and at the end of `block_on`.
//!
//! ```text
//!    forgotten ▶ awaits nobody, and nobody has its waker
//!    deadlock  ▶ #1 awaits #2, which awaits #3, which awaits #1, and nothing else would wake them
//! ```
//!
//! Who awaits a lost task is lost, too, unless that task is aborted; but what is wrong is not there.

use std::collections::{HashMap, HashSet};
use std::mem;

use crate::context::Shared;
use crate::main_task::MainTask;
use crate::slots::{Slot, SlotState};
use crate::task::TaskId;

impl Shared {
    /// Tells of those that are lost, each once. True if there was one to tell of. It may pass if they are many, but not
    /// if it `must` look, for there will be no other time.
    #[inline]
    pub(crate) fn look_for_lost(&self, main: &mut MainTask<'_>, must: bool) -> bool {
        let places = || self.wheel.borrow().places();
        let looks = self.tracer().begins_look(places) || must && self.tracer().is_on();
        looks && self.tell_lost(main.id, main.waker_is_cloned())
    }

    #[cold]
    fn tell_lost(&self, main: TaskId, main_is_held: bool) -> bool {
        let awaited = self.awaited();
        let can_run = self.can_run(&awaited, main, main_is_held);
        let lost = self
            .queue
            .unfinished(|id, _| (!can_run.contains(id)).then_some(id));
        if lost.is_empty() {
            return false;
        }
        let mut awaiting = TaskSet::default();
        let mut awaits_now = Vec::new();
        for (who, id) in awaited {
            if can_run.contains(who) {
                continue;
            }
            match self.tracer().awaits(who, id) {
                Some(true) => awaits_now.push((who, id)),
                // The end would wake it, for it has polled the handle and kept it; but by now it waits for something
                // else.
                Some(false) => continue,
                // It has said too much to keep it.
                None => {}
            }
            awaiting.insert(who);
        }
        // An observer that is told of one may abort another.
        let waits = |&id: &TaskId| self.queue.state(id) == SlotState::Waiting;
        let mut is_told = false;
        for id in lost {
            if !awaiting.contains(id) && waits(&id) {
                is_told |= self.tracer().tell_forgotten(id);
            }
        }
        for circle in circles(awaits_now) {
            if circle.iter().all(waits) {
                is_told |= self.tracer().tell_deadlock(&circle);
            }
        }
        is_told
    }

    /// The tasks that were woken, or may be: by somebody who has their waker, by a timer, or by the end of another such
    /// task.
    fn can_run(&self, awaited: &[(TaskId, TaskId)], main: TaskId, main_is_held: bool) -> TaskSet {
        let is_held = |id| match id == main {
            true => main_is_held,
            false => self.waker_is_held(id),
        };
        let may_be_woken = |id| is_held(id) || self.tracer().has_left_unseen(id);
        let is_one = |id, slot: &Slot| slot.state == SlotState::Queued || may_be_woken(id);
        let mut found = self
            .queue
            .unfinished(|id, slot| is_one(id, slot).then_some(id));
        // A timer or a handle may be kept longer than the task that has polled it.
        let is_unfinished = |&id: &TaskId| self.queue.state(id).is_unfinished();
        let timers = self.wheel.borrow();
        let with_timer = timers.iter().filter_map(|(.., waiter)| waiter.task());
        found.extend(with_timer.filter(is_unfinished));
        let mut can_run = TaskSet::default();
        found.retain(|&id| can_run.insert(id));
        while let Some(id) = found.pop() {
            // A task has one handle, and so its end wakes one other. They are in the order of their slots.
            let at = awaited.binary_search_by_key(&id.slot(), |(_, id)| id.slot());
            let who = at.ok().map(|at| awaited[at].0).filter(is_unfinished);
            found.extend(who.filter(|&who| can_run.insert(who)));
        }
        can_run
    }
}

/// Some of the unfinished tasks, by their slots.
#[derive(Default)]
struct TaskSet(Vec<bool>);

impl TaskSet {
    /// True if it is new.
    fn insert(&mut self, task: TaskId) -> bool {
        let slot = task.slot() as usize;
        if self.0.len() <= slot {
            self.0.resize(slot + 1, false);
        }
        !mem::replace(&mut self.0[slot], true)
    }

    fn contains(&self, task: TaskId) -> bool {
        self.0.get(task.slot() as usize) == Some(&true)
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
