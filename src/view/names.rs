//! What tasks, times and places are called in every view, so that they are called the same.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use unicode_width::UnicodeWidthChar;

use crate::task::TaskId;
use crate::trace::{Event, OneLine, Record, Seconds};

/// In a list, a longer name would be all that one sees.
const CUT_COLUMNS: usize = 40;

/// The names of the tasks of one log: a task that shares its name with another has its id beside it. And how
/// exactly its times are told.
#[derive(Clone)]
pub(crate) struct Names {
    labels: HashMap<TaskId, String>,
    digits: usize,
}

impl Names {
    pub(crate) fn of(records: &[Record]) -> Self {
        let spawned = || {
            records.iter().filter_map(|record| match &record.event {
                Event::Spawned { task, name, .. } => Some((*task, &**name)),
                _ => None,
            })
        };
        let mut bearers: HashMap<&str, usize> = HashMap::new();
        spawned().for_each(|(_, name)| *bearers.entry(name).or_default() += 1);
        let label = |(task, name): (TaskId, &str)| {
            let label = match bearers[name] {
                _ if !name.chars().any(is_seen) => task.to_string(),
                1 => OneLine(name).to_string(),
                _ => format!("{} {task}", OneLine(name)),
            };
            (task, label)
        };
        let mut labels: HashMap<TaskId, String> = spawned().map(label).collect();
        // Somebody may have given a task the very label of another, also the longer one that it then has.
        loop {
            let mut times: HashMap<&String, usize> = HashMap::new();
            labels
                .values()
                .for_each(|label| *times.entry(label).or_default() += 1);
            let is_given = |(_, label): &(&TaskId, &String)| times[label] > 1;
            let given = labels.iter().filter(is_given);
            // The one whose own id it ends with may keep it.
            let is_longer =
                |(task, label): &(&TaskId, &String)| !label.ends_with(&format!(" {task}"));
            let given: Vec<TaskId> = given.filter(is_longer).map(|(&task, _)| task).collect();
            if given.is_empty() {
                break;
            }
            for task in given {
                let label = labels.get_mut(&task).expect("it is one of them");
                *label += &format!(" {task}");
            }
        }
        Names {
            labels,
            digits: digits(records),
        }
    }

    /// The same for where there is little room: a long one without its middle. What is the same then has the id beside
    /// it.
    pub(crate) fn cut(mut self) -> Self {
        let labels = self.labels.iter().map(|(&task, label)| (task, &label[..]));
        let cut = names_that_fit(labels, CUT_COLUMNS);
        for (label, cut) in self.labels.values_mut().zip(cut) {
            *label = cut;
        }
        self
    }

    /// A time on the executor's clock, in words: `1.500 s`.
    pub(crate) fn time(&self, time: Duration) -> Seconds {
        Seconds::with_digits(time, self.digits)
    }

    /// How long something took by the executor's clock. It is rounded, where a time is cut off.
    pub(crate) fn span(&self, time: Duration) -> Seconds {
        let last_digit_ns = 10_u64.pow(9 - self.digits as u32);
        self.time(time + Duration::from_nanos(last_digit_ns / 2))
    }

    /// How many digits its times have after the point.
    pub(crate) fn digits(&self) -> usize {
        self.digits
    }

    /// The task's name, or its id if it was spawned before the log began.
    pub(crate) fn task(&self, id: TaskId) -> String {
        match self.labels.get(&id) {
            Some(label) => label.clone(),
            None => id.to_string(),
        }
    }

    /// `a`, `a and b`, or `a, b and c`, or `a, b and 7 more`.
    pub(crate) fn tasks(&self, ids: &[TaskId], more: usize) -> String {
        let mut labels: Vec<String> = ids.iter().map(|&id| self.task(id)).collect();
        if more > 0 {
            labels.push(format!("{more} more"));
        }
        match labels.as_slice() {
            [] => "no task".to_owned(),
            [one] => one.clone(),
            [most @ .., last] => format!("{} and {last}", most.join(", ")),
        }
    }
}

/// A task's name, without its middle where it is too long: what tells it from others, its id or a number of its own,
/// is mostly at the end.
pub(crate) fn name_that_fits(name: &str, columns: usize) -> String {
    if columns_of(name) <= columns {
        return name.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let space = letters.iter().rposition(|letter| *letter == ' ');
    let id = space.filter(|at| letters[at + 1..].first() == Some(&'#'));
    let id = id.map(|at| letters.len() - at);
    let at_the_end = id.filter(|id| *id < columns).unwrap_or(columns / 3);
    let room = columns.saturating_sub(1); // beside the `…`
    let in_front = room.saturating_sub(at_the_end);
    let begins = that_fit(letters.iter(), in_front);
    let ends = that_fit(letters.iter().rev(), room - in_front);
    let (begins, ends) = (&letters[..begins], &letters[letters.len() - ends..]);
    begins.iter().chain(&['…']).chain(ends).collect()
}

/// All these names, each as [`name_that_fits`] has it. What is the same then has the id beside it.
pub(crate) fn names_that_fit<'a>(
    names: impl Iterator<Item = (TaskId, &'a str)> + Clone,
    columns: usize,
) -> Vec<String> {
    let cut = names.clone().map(|(_, name)| name_that_fits(name, columns));
    let mut cut: Vec<String> = cut.collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    for name in &cut {
        *times.entry(name.clone()).or_default() += 1;
    }
    for ((task, name), cut) in names.zip(&mut cut) {
        if times[cut] > 1 {
            *cut = name_that_fits(&format!("{name} {task}"), columns);
        }
    }
    cut
}

/// The beginning of a text that is too long.
pub(crate) fn beginning_that_fits(text: &str, columns: usize) -> String {
    match columns_of(text) <= columns {
        true => text.to_owned(),
        false => {
            let letters: Vec<char> = text.chars().collect();
            let begins = that_fit(letters.iter(), columns.saturating_sub(1));
            letters[..begins].iter().chain(&['…']).collect()
        }
    }
}

/// How many letters fit.
fn that_fit<'a>(letters: impl Iterator<Item = &'a char>, columns: usize) -> usize {
    let widths = letters.scan(0, |sum, &letter| {
        *sum += columns_of_letter(letter);
        Some(*sum)
    });
    widths.take_while(|&width| width <= columns).count()
}

/// How many columns of a terminal a text takes.
pub(crate) fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_letter).sum()
}

fn is_seen(letter: char) -> bool {
    !letter.is_whitespace() && columns_of_letter(letter) > 0
}

/// Two for the letters of East Asia and for pictures, none for what changes the letter before.
pub(crate) fn columns_of_letter(letter: char) -> usize {
    letter.width().unwrap_or(0)
}

/// A run of the real clock that is shorter than this is told in microseconds: in milliseconds, all of it would
/// happen at once.
const SHORT: Duration = Duration::from_millis(10);

/// How many digits the times of a log have after the point. On the virtual clock as many as the most exact of them
/// needs. On the real one the last digits say nothing.
fn digits(records: &[Record]) -> usize {
    let is_jump = |record: &Record| matches!(record.event, Event::ClockAdvanced { .. });
    let ends = records.first().zip(records.last());
    let lasted = ends.and_then(|(first, last)| last.time.checked_sub(first.time));
    // Where no time goes by at all, it does not jump either.
    if lasted == Some(Duration::ZERO) || records.iter().any(is_jump) {
        let times = records.iter().map(|record| match record.event {
            Event::TimerArmed { deadline, .. } | Event::TimerReset { deadline, .. } => {
                Seconds::digits_of(record.time).max(Seconds::digits_of(deadline))
            }
            _ => Seconds::digits_of(record.time),
        });
        return times.max().unwrap_or(3);
    }
    match lasted.is_some_and(|lasted| lasted < SHORT) {
        true => 6,
        false => 3,
    }
}

/// How long something took: three digits and the unit that suits it.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        match ns {
            0..1_000 => write!(f, "{ns} ns"),
            1_000..1_000_000 => write!(f, "{} us", ns / 1_000),
            1_000_000..1_000_000_000 => {
                write!(f, "{}.{} ms", ns / 1_000_000, ns / 100_000 % 10)
            }
            _ => write!(f, "{}", Seconds::to_the_millisecond(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::trace::{Place, TaskKind, TimerId, TimerKind};

    #[test]
    fn names_that_are_the_same_when_they_are_cut_have_their_ids() {
        let spawned = |name: String, slot| {
            let task = TaskId::new(slot, std::num::NonZeroU32::MIN);
            let (kind, at) = (TaskKind::Spawned, Location::caller());
            let event = Event::Spawned {
                task,
                name: name.into(),
                kind,
                at,
            };
            let (seq, time) = (0, Duration::ZERO);
            Record { seq, time, event }
        };
        let name = |differs: &str| format!("{}{differs}{}", "begins ".repeat(9), "ends ".repeat(9));
        let records = [name("1"), name("2"), "short".to_owned()];
        let records: Vec<Record> = records
            .into_iter()
            .zip(0..)
            .map(|(name, slot)| spawned(name, slot))
            .collect();
        let names = Names::of(&records).cut();
        let mut labels: Vec<String> = names.labels.into_values().collect();
        labels.sort_unstable();
        let [first, second, short] = &labels[..] else {
            panic!("{labels:?}")
        };
        assert!(
            first.ends_with(" #0") && second.ends_with(" #1"),
            "{labels:?}"
        );
        assert_eq!(first.trim_end_matches('0'), second.trim_end_matches('1'));
        assert_eq!(short, "short");
    }

    #[test]
    fn a_task_without_a_name_is_called_by_its_id() {
        let task = TaskId::new(3, std::num::NonZeroU32::MIN);
        let event = Event::Spawned {
            task,
            name: " ".into(),
            kind: TaskKind::Spawned,
            at: Location::caller(),
        };
        let (seq, time) = (0, Duration::ZERO);
        assert_eq!(Names::of(&[Record { seq, time, event }]).task(task), "#3");
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_what_tells_it_from_others() {
        for (name, columns, shown) in [
            ("short #1", 8, "short #1"),
            ("handle_connection #14.2", 16, "handle_co… #14.2"),
            ("handle_connection", 9, "handl…ion"),
            ("downloads the image 17", 15, "downloads…ge 17"),
            (
                "closure in download_everything #2",
                20,
                "closure in downl… #2",
            ),
            ("job #with-a-long-tail", 9, "job #…ail"),
        ] {
            assert_eq!(name_that_fits(name, columns), shown);
        }
        let id = |slot| TaskId::new(slot, std::num::NonZeroU32::MIN);
        let names = ["connection 1 to server", "connection 2 to server", "other"];
        let shown = names_that_fit((1..).map(id).zip(names), 18);
        assert_eq!(shown, ["connection 1 t… #1", "connection 2 t… #2", "other"]);
        assert_eq!(beginning_that_fits("short", 5), "short");
        assert_eq!(beginning_that_fits("too long", 5), "too …");
    }

    #[test]
    fn times_are_told_as_exactly_as_the_run_needs() {
        let (us, ms) = (Duration::from_micros, Duration::from_millis);
        let names = |records: &[(Duration, Event)]| {
            let seq = 0;
            let record = |(time, event): &(Duration, Event)| {
                let (time, event) = (*time, event.clone());
                Record { seq, time, event }
            };
            Names::of(&records.iter().map(record).collect::<Vec<_>>())
        };
        let jumps = |from, to| (to, Event::ClockAdvanced { from, to });
        let told = |names: Names| names.time(us(1_234_567)).to_string();
        assert_eq!(told(names(&[jumps(ms(0), ms(7))])), "1.234 s");
        let jumps_far = [jumps(ms(0), us(300)), jumps(us(300), ms(7_200_000))];
        assert_eq!(told(names(&jumps_far)), "1.234567 s");
        let next = Duration::from_nanos(1);
        assert_eq!(told(names(&[jumps(ms(0), next)])), "1.234567000 s");
        // One that is cancelled is never jumped to.
        let (deadline, place) = (us(300), Place::Due);
        let timer = TimerId {
            index: 0,
            generation: 0,
        };
        let armed = Event::TimerArmed {
            timer,
            task: None,
            kind: TimerKind::Sleep,
            deadline,
            place,
        };
        let reset = Event::TimerReset {
            timer,
            deadline,
            place,
        };
        for cancelled in [armed, reset] {
            let and_jumps = [(ms(0), cancelled.clone()), jumps(ms(0), ms(7))];
            assert_eq!(told(names(&and_jumps)), "1.234567 s");
            // A run in which no time goes by.
            assert_eq!(told(names(&[(ms(0), cancelled)])), "1.234567 s");
        }
        let parks = |time| (time, Event::Parked { until: None });
        assert_eq!(told(names(&[])), "1.234 s");
        assert_eq!(told(names(&[parks(us(5)), parks(us(9_005))])), "1.234567 s");
        assert_eq!(told(names(&[parks(us(5)), parks(us(10_005))])), "1.234 s");
    }

    #[test]
    fn several_tasks_are_joined_by_commas_and_an_and() {
        let ids = [1, 2, 3].map(|slot| TaskId::new(slot, std::num::NonZeroU32::MIN));
        let told = [0, 1, 2, 3].map(|many| Names::of(&[]).tasks(&ids[..many], 0));
        assert_eq!(told, ["no task", "#1", "#1 and #2", "#1, #2 and #3"]);
    }

    #[test]
    fn a_span_has_the_unit_that_suits_it() {
        let texts = [58, 58_999, 1_634_000, 2_000_000_000]
            .map(|ns| Span(Duration::from_nanos(ns)).to_string());
        assert_eq!(texts, ["58 ns", "58 us", "1.6 ms", "2.000 s"]);
    }
}
