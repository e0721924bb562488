//! What the running poll has said that its task waits for. Kept only for an observer, who is told what is given up.

use std::collections::HashMap;

use super::event::WaitsOn;
use crate::task::TaskId;

/// What the poll that runs now has said that its task waits for.
#[derive(Default)]
pub(crate) struct Said {
    /// In order. What was given up has left a hole, so that what was said later keeps its place.
    waits: Vec<Wait>,
    /// By task whose handle was polled, where that was said last.
    last_of_task: HashMap<TaskId, usize>,
}

struct Wait {
    /// `None` if it was given up.
    on: Option<WaitsOn>,
    /// Where the same handle was polled before.
    same_before: Option<usize>,
}

impl Said {
    pub(crate) fn push(&mut self, on: WaitsOn) {
        let same_before = match on {
            WaitsOn::Task(task) => self.last_of_task.insert(task, self.waits.len()),
            _ => None,
        };
        let on = Some(on);
        self.waits.push(Wait { on, same_before });
    }

    /// For how many things it has said that it waits, with those that were given up.
    pub(crate) fn len(&self) -> usize {
        self.waits.len()
    }

    /// What was not given up.
    pub(crate) fn waits(&self) -> impl Iterator<Item = WaitsOn> {
        self.waits.iter().filter_map(|wait| wait.on)
    }

    pub(crate) fn clear(&mut self) {
        self.waits.clear();
        self.last_of_task.clear();
    }

    /// What was said since there was so much, the last first: so whoever follows need not search.
    pub(crate) fn give_up_since(&mut self, waits: usize) -> Vec<WaitsOn> {
        let mut given_up = Vec::new();
        for Wait { on, same_before } in self.waits.drain(waits..).rev() {
            if let Some(WaitsOn::Task(task)) = on {
                match same_before {
                    Some(at) => self.last_of_task.insert(task, at),
                    None => self.last_of_task.remove(&task),
                };
            }
            given_up.extend(on);
        }
        given_up
    }

    /// How often the task's handle was polled, for which nobody waits any more.
    pub(crate) fn give_up_task(&mut self, task: TaskId) -> usize {
        let mut times = 0;
        let mut at = self.last_of_task.remove(&task);
        while let Some(place) = at {
            let wait = &mut self.waits[place];
            wait.on = None;
            at = wait.same_before;
            times += 1;
        }
        times
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
        // Polled before and inside of what is over.
        said.push(second);
        let before = said.len();
        said.push(second);
        assert_eq!(said.give_up_since(before), [second]);
        assert_eq!(said.give_up_task(task(2)), 1);
        said.push(second);
        said.clear();
        assert_eq!((said.len(), said.give_up_task(task(2))), (0, 0));
    }
}
