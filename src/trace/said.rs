//! What the running poll has said that its task waits for. Kept only for an observer, who is told what is given up.

use std::collections::HashMap;
use std::panic::Location;

use super::event::WaitsOn;
use crate::task::TaskId;

/// What the poll that runs now has said that its task waits for.
#[derive(Default)]
pub(crate) struct Said {
    /// In order. What was given up has left a hole, so that what was said later keeps its place.
    waits: Vec<Wait>,
    /// By what is waited for, where that was said last.
    last: HashMap<WaitsOn, usize>,
}

struct Wait {
    /// `None` if it was given up.
    on: Option<WaitsOn>,
    at: &'static Location<'static>,
    /// Where the same was said before.
    same_before: Option<usize>,
}

impl Said {
    /// False if the same was said of the same place before, and goes on: a loop may poll one handle a thousand times.
    pub(crate) fn push(&mut self, on: WaitsOn, at: &'static Location<'static>) -> bool {
        let same_before = self.last.get(&on).copied();
        let mut before = same_before;
        while let Some(place) = before {
            let wait = &self.waits[place];
            if wait.at == at {
                return false;
            }
            before = wait.same_before;
        }
        self.last.insert(on, self.waits.len());
        let on = Some(on);
        self.waits.push(Wait {
            on,
            at,
            same_before,
        });
        true
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
        self.last.clear();
    }

    /// What was said since there was so much, the last first: so whoever follows need not search.
    pub(crate) fn give_up_since(&mut self, waits: usize) -> Vec<WaitsOn> {
        let mut given_up = Vec::new();
        for wait in self.waits.drain(waits..).rev() {
            let Some(on) = wait.on else { continue };
            match wait.same_before {
                Some(before) => self.last.insert(on, before),
                None => self.last.remove(&on),
            };
            given_up.push(on);
        }
        given_up
    }

    /// How often it was said that the task's end is waited for, for which nobody waits any more.
    pub(crate) fn give_up_task(&mut self, task: TaskId) -> usize {
        let mut times = 0;
        let mut at = self.last.remove(&WaitsOn::Task(task));
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
        let (here, there) = (Location::caller(), Location::caller());
        assert!(said.push(first, here));
        let before = said.len();
        assert!(said.push(second, here));
        assert!(said.push(WaitsOn::Turn, here));
        assert!(said.push(first, there));
        assert_eq!(said.give_up_task(task(1)), 2);
        assert_eq!(said.give_up_task(task(1)), 0);
        assert_eq!(said.give_up_since(before), [WaitsOn::Turn, second]);
        assert!(said.waits().next().is_none());
        // Where the second was before, another is now.
        assert!(said.push(WaitsOn::Never, here));
        assert_eq!(said.give_up_task(task(2)), 0);
        // Polled before and inside of what is over.
        assert!(said.push(second, here));
        let before = said.len();
        assert!(said.push(second, there));
        assert_eq!(said.give_up_since(before), [second]);
        assert_eq!(said.give_up_task(task(2)), 1);
        assert!(said.push(second, here));
        said.clear();
        assert_eq!((said.len(), said.give_up_task(task(2))), (0, 0));
    }

    #[test]
    fn what_is_said_again_and_goes_on_is_said_once() {
        let task = TaskId::new(1, NonZeroU32::MIN);
        let (on, here) = (WaitsOn::Task(task), Location::caller());
        let mut said = Said::default();
        assert!(said.push(on, here));
        assert!(!said.push(on, here));
        // Polled again inside of what is over, it is waited for all the same.
        let before = said.len();
        assert!(!said.push(on, here));
        assert_eq!(said.give_up_since(before), []);
        assert_eq!(said.give_up_task(task), 1);
        assert!(said.push(on, here), "it was given up");
        assert!(said.push(WaitsOn::AnyTask, here) && !said.push(WaitsOn::AnyTask, here));
        // At two places in turn.
        let there = Location::caller();
        assert!(said.push(on, there) && !said.push(on, here) && !said.push(on, there));
    }
}
