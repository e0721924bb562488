//! What the running poll has said that its task waits for. Kept only for an observer, who is told what is given up.

use std::collections::HashMap;
use std::panic::Location;

use super::event::{TimerId, WaitsOn};
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
    at: &'static Location<'static>,
    /// Where the same handle was polled before.
    same_before: Option<usize>,
}

impl Said {
    /// False if that was said last, of the same place, and goes on: a loop may poll one handle a thousand times. (Of
    /// two that it polls in turn, each is said in each round: what was polled last is where the task waits.)
    pub(crate) fn push(&mut self, on: WaitsOn, at: &'static Location<'static>) -> bool {
        let is_last = |wait: &Wait| wait.on == Some(on) && wait.at == at;
        if self.waits.last().is_some_and(is_last) {
            return false;
        }
        let same_before = match on {
            WaitsOn::Task(task) => self.last_of_task.insert(task, self.waits.len()),
            _ => None,
        };
        let on = Some(on);
        self.waits.push(Wait {
            on,
            at,
            same_before,
        });
        true
    }

    /// The timer that it waited for wakes another from now on: should it wait for that again, it is said again.
    pub(crate) fn hand_over(&mut self, timer: TimerId) {
        let of_it = |wait: &&mut Wait| wait.on == Some(WaitsOn::Timer(timer));
        let waits = self.waits.iter_mut().filter(of_it);
        waits.for_each(|wait| wait.on = None);
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
        for Wait {
            on, same_before, ..
        } in self.waits.drain(waits..).rev()
        {
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
        let here = Location::caller();
        assert!(said.push(first, here));
        let before = said.len();
        assert!(said.push(second, here));
        assert!(said.push(WaitsOn::Turn, here));
        assert!(said.push(first, here));
        assert_eq!(said.give_up_task(task(1)), 2);
        assert_eq!(said.give_up_task(task(1)), 0);
        assert_eq!(said.give_up_since(before), [WaitsOn::Turn, second]);
        assert!(said.waits().next().is_none());
        // Where the second was before, another is now.
        assert!(said.push(WaitsOn::Never, here));
        assert_eq!(said.give_up_task(task(2)), 0);
        // Polled before and inside of what is over.
        assert!(said.push(second, here));
        let (before, there) = (said.len(), Location::caller());
        assert!(said.push(second, there));
        assert_eq!(said.give_up_since(before), [second]);
        assert_eq!(said.give_up_task(task(2)), 1);
        assert!(said.push(second, here));
        said.clear();
        assert_eq!((said.len(), said.give_up_task(task(2))), (0, 0));
    }

    #[test]
    fn what_is_said_again_and_goes_on_is_said_once() {
        let (timer, here) = (
            TimerId {
                index: 3,
                generation: 0,
            },
            Location::caller(),
        );
        for on in [WaitsOn::AnyTask, WaitsOn::Timer(timer)] {
            let mut said = Said::default();
            assert!(said.push(on, here) && !said.push(on, here));
            // Polled again inside of what is over, it is waited for all the same.
            let before = said.len();
            assert!(!said.push(on, here));
            assert_eq!(said.give_up_since(before), []);
            assert_eq!(said.waits().count(), 1);
            // What is polled last is said last.
            assert!(said.push(WaitsOn::Turn, here) && said.push(on, here));
        }
        let (mut said, on) = (Said::default(), WaitsOn::Timer(timer));
        assert!(said.push(on, here) && said.push(WaitsOn::Turn, here) && said.push(on, here));
        said.hand_over(timer);
        assert!(said.waits().eq([WaitsOn::Turn]), "it wakes another");
        assert!(said.push(on, here));
    }
}
