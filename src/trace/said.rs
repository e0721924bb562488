//! What a poll has said of its task: for what that waits. Kept only where somebody is told, to tell what is given up.

use std::collections::HashMap;

use super::event::WaitsOn;
use crate::task::TaskId;

/// What the poll that runs now has said that its task waits for.
#[derive(Default)]
pub(crate) struct Said {
    /// In order. What was given up has left a hole, so that what was said later keeps its place.
    waits: Vec<Option<WaitsOn>>,
    /// By task whose handle was polled, where that was said.
    of_task: HashMap<TaskId, Vec<usize>>,
}

impl Said {
    pub(crate) fn push(&mut self, on: WaitsOn) {
        if let WaitsOn::Task(task) = on {
            let places = self.of_task.entry(task).or_default();
            places.push(self.waits.len());
        }
        self.waits.push(Some(on));
    }

    /// For how many things it has said that it waits, with those that were given up.
    pub(crate) fn len(&self) -> usize {
        self.waits.len()
    }

    /// What was not given up.
    pub(crate) fn waits(&self) -> impl Iterator<Item = &WaitsOn> {
        self.waits.iter().flatten()
    }

    pub(crate) fn clear(&mut self) {
        self.waits.clear();
        self.of_task.clear();
    }

    /// What was said since there was so much, the last first: so whoever follows need not search.
    pub(crate) fn give_up_since(&mut self, waits: usize) -> Vec<WaitsOn> {
        self.waits.drain(waits..).rev().flatten().collect()
    }

    /// How often the task's handle was polled, for which nobody waits any more.
    pub(crate) fn give_up_task(&mut self, task: TaskId) -> usize {
        let places = self.of_task.remove(&task).unwrap_or_default();
        // One of these places may be gone by now, and be another's.
        let is_its = |on: &mut WaitsOn| *on == WaitsOn::Task(task);
        let given_up = places
            .into_iter()
            .filter_map(|at| self.waits.get_mut(at)?.take_if(is_its));
        given_up.count()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn what_is_given_up_leaves_the_others_in_their_places() {
        let task = |slot| TaskId::new(slot, NonZeroU32::MIN);
        let (first, second) = (WaitsOn::Task(task(1)), WaitsOn::Task(task(2)));
        let mut said = Said::default();
        said.push(first);
        let before = said.len();
        said.push(second);
        said.push(WaitsOn::Turn);
        said.push(first);
        assert_eq!(said.give_up_task(task(1)), 2);
        assert_eq!(said.give_up_task(task(1)), 0);
        assert_eq!(said.give_up_since(before), [WaitsOn::Turn, second]);
        assert!(said.waits().next().is_none());
        // Where the second was before, another is now.
        said.push(WaitsOn::Never);
        assert_eq!(said.give_up_task(task(2)), 0);
        said.push(second);
        said.clear();
        assert_eq!((said.len(), said.give_up_task(task(2))), (0, 0));
    }
}
