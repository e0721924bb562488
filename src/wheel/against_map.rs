//! The wheel held against a map, by operations that are made of bytes: for the fuzzer, and for its
//! corpus, which `tests.rs` replays. The orders that it holds are those between timers that were
//! armed before their deadline.

use std::collections::BTreeMap;

use crate::wheel::{TimerId, Wheel};

/// What the map knows of an entry. Its key there is the number of its arming.
struct Armed {
    timer: TimerId,
    deadline: u64,
    /// When it was armed, its deadline had come already.
    late: bool,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u64 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        u64::from(*first)
    }

    /// Near `now`, or beyond it by about a power of two, or one of the last times that there are.
    fn time(&mut self, now: u64) -> u64 {
        match self.next() % 8 {
            0 => now.saturating_sub(self.next() % 4),
            1..4 => now.saturating_add(self.next() % 70),
            7 => u64::MAX - self.next() % 3,
            _ => {
                let far = 1_u64 << (self.next() % 64);
                now.saturating_add(far).saturating_add(self.next() % 3) - 1
            }
        }
    }
}

/// Panics if the wheel does something else than the map.
pub(crate) fn check(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut wheel: Wheel<u64> = Wheel::new();
    let mut map: BTreeMap<u64, Armed> = BTreeMap::new();
    let (mut now, mut armings) = (0, 0);
    while !bytes.0.is_empty() {
        let operation = bytes.next() % 8;
        let chosen = bytes.next() as usize;
        let number = map.keys().copied().nth(chosen % map.len().max(1));
        match (operation, number) {
            (0..4, _) | (_, None) => {
                let deadline = bytes.time(now);
                let timer = wheel.insert(deadline, armings);
                let late = deadline <= now;
                map.insert(
                    armings,
                    Armed {
                        timer,
                        deadline,
                        late,
                    },
                );
                armings += 1;
            }
            (4, Some(number)) => {
                let armed = map.remove(&number).unwrap();
                assert_eq!(wheel.cancel(armed.timer), Some(number));
                assert_eq!(wheel.cancel(armed.timer), None);
            }
            (5, Some(number)) => {
                let Armed { timer, .. } = map.remove(&number).unwrap();
                let deadline = bytes.time(now);
                assert!(wheel.reset(timer, deadline));
                *wheel.get_mut(timer).unwrap() = armings;
                let late = deadline <= now;
                map.insert(
                    armings,
                    Armed {
                        timer,
                        deadline,
                        late,
                    },
                );
                armings += 1;
            }
            _ => {
                now = now.max(bytes.time(now));
                let most = [3, usize::MAX][chosen % 2];
                pop(&mut wheel, &mut map, now, most);
            }
        }
        check_next_wake(&wheel, &map);
    }
    pop(&mut wheel, &mut map, u64::MAX, usize::MAX);
    assert!(wheel.is_empty() && map.is_empty());
}

/// Takes out what has come due, or the first of it.
fn pop(wheel: &mut Wheel<u64>, map: &mut BTreeMap<u64, Armed>, now: u64, most: usize) {
    let mut before = None;
    for _ in 0..most {
        let Some(expired) = wheel.pop(now) else {
            assert!(
                map.values().all(|armed| armed.deadline > now),
                "one is left"
            );
            break;
        };
        let number = expired.value;
        let armed = map
            .remove(&number)
            .expect("it was armed, and not cancelled");
        assert_eq!(
            (expired.timer, expired.deadline),
            (armed.timer, armed.deadline)
        );
        assert!(armed.deadline <= now, "it fires early");
        if !armed.late {
            let this = Some((armed.deadline, number));
            assert!(before < this, "{this:?} comes after {before:?}");
            before = this;
        }
    }
    // What is left of those that were armed in time and have come due is no earlier.
    let left = map.iter().filter(|(_, armed)| !armed.late);
    let earliest = left.map(|(number, armed)| (armed.deadline, *number)).min();
    assert!(earliest.is_none() || before < earliest);
    for armed in map.values_mut() {
        armed.late |= armed.deadline <= now;
    }
}

fn check_next_wake(wheel: &Wheel<u64>, map: &BTreeMap<u64, Armed>) {
    assert_eq!(wheel.len(), map.len());
    let earliest = map.values().map(|armed| armed.deadline).min();
    match (wheel.next_wake(), earliest) {
        (None, None) => {}
        // It may be later than the deadline of what was late when it was armed.
        (Some(wake), Some(earliest)) => {
            assert!(wake <= earliest || map.values().any(|armed| armed.late));
        }
        (wake, earliest) => panic!("next wake {wake:?}, but the earliest is {earliest:?}"),
    }
}
