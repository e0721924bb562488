//! What the running poll has said that its task waits for. Kept only for an observer, who is told what is given up.

use std::collections::HashMap;
use std::panic::Location;

use super::event::WaitsOn;

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
    /// False if that was said last, of the same place, and goes on: a loop may poll one handle a thousand times. (Of
    /// two that it polls in turn, each is said in each round: what was polled last is where the task waits.)
    pub(crate) fn push(&mut self, on: WaitsOn, at: &'static Location<'static>) -> bool {
        let is_last = |wait: &Wait| wait.on == Some(on) && wait.at == at;
        if self.waits.last().is_some_and(is_last) {
            return false;
        }
        let same_before = self.last.insert(on, self.waits.len());
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

    /// What was not given up, and where it was said.
    pub(crate) fn waits(&self) -> impl Iterator<Item = (WaitsOn, &'static Location<'static>)> {
        let wait = |wait: &Wait| Some((wait.on?, wait.at));
        self.waits.iter().filter_map(wait)
    }

    /// True if it waits for that, and has not given it up.
    pub(crate) fn contains(&self, on: WaitsOn) -> bool {
        self.last.contains_key(&on)
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
                Some(at) => self.last.insert(on, at),
                None => self.last.remove(&on),
            };
            given_up.push(on);
        }
        given_up
    }

    /// For this it waits no more: should it do so again, it is said again. Gives how often it was said.
    pub(crate) fn give_up(&mut self, on: WaitsOn) -> usize {
        let mut times = 0;
        let mut at = self.last.remove(&on);
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
    use crate::task::TaskId;
    use crate::trace::TimerId;

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
        assert_eq!(said.give_up(first), 2);
        assert_eq!(said.give_up(first), 0);
        assert_eq!(said.give_up_since(before), [WaitsOn::Turn, second]);
        assert!(said.waits().next().is_none());
        // Where the second was before, another is now.
        assert!(said.push(WaitsOn::Never, here));
        assert_eq!(said.give_up(second), 0);
        // Polled before and inside of what is over.
        assert!(said.push(second, here));
        let (before, there) = (said.len(), Location::caller());
        assert!(said.push(second, there));
        assert_eq!(said.give_up_since(before), [second]);
        assert_eq!(said.give_up(second), 1);
        assert!(said.push(second, here));
        said.clear();
        assert_eq!((said.len(), said.give_up(second)), (0, 0));
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
        assert_eq!(said.give_up(on), 2);
        assert!(said.waits().eq([(WaitsOn::Turn, here)]));
        assert!(said.contains(WaitsOn::Turn) && !said.contains(on));
        assert!(said.push(on, here));
    }
}
