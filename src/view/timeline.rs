//! The timeline as text: a row a task, readable in any terminal.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::described::more_tasks;
use super::findings;
use super::lanes::{Bar, Lane, Lanes, Poll, Waiting, letters};
use super::names::{Names, columns_of, columns_of_letter};
use super::sums::Sums;
use crate::trace::{Event, Record};

/// The width of a row behind its name, at most.
const COLUMNS: usize = 76;
/// And at least, however narrow the terminal is.
const LEAST_COLUMNS: usize = 24;
/// The legend's lines are no longer than this. With a name of [`NAME_COLUMNS`] before it, a row is a little longer,
/// and the last label of the scale may stick out.
const LINE: usize = 96;
/// Names are cut off behind this.
const NAME_COLUMNS: usize = 20;
/// The cell behind a letter that takes two.
const COVERED: char = '\0';

pub(crate) fn text(records: &[Record]) -> String {
    text_for(records, None)
}

/// The timeline for a terminal that is so wide, if it is one, and that is known.
pub(crate) fn text_for(records: &[Record], terminal: Option<usize>) -> String {
    let names = Names::of(records);
    let width = records.iter().filter_map(|record| match record.event {
        Event::Spawned { task, .. } => Some(columns_of(&names.task(task))),
        _ => None,
    });
    let width = width.max().unwrap_or(0).clamp(6, NAME_COLUMNS);
    let room = terminal.map(|terminal| terminal.saturating_sub(width + 2).max(LEAST_COLUMNS));
    let columns = room.map_or(COLUMNS, |room| room.min(COLUMNS));
    // A poll has a column of its own, and half a one beside it.
    let mut lanes = Lanes::of(records, 1.0 / columns as f64);
    lanes.cut();
    let mut text = String::new();
    let mut row = |name: &str, cells: &[char]| {
        let cells: String = cells.iter().filter(|cell| **cell != COVERED).collect();
        let room = " ".repeat(width.saturating_sub(columns_of(name)));
        let line = format!("{name}{room}  {cells}");
        text.push_str(line.trim_end());
        text.push('\n');
    };
    row("", &scale(&lanes, columns, room));
    let mut marks = BTreeSet::new();
    for (lane, name) in lanes.lanes.iter().zip(lanes.names(NAME_COLUMNS)) {
        let cells = cells(lane, columns);
        let column = |x| column(x, columns);
        marks.extend(marks_seen(&cells, &lane.waits));
        let is_seen = |poll: &Poll| cells[column(poll.from)..=column(poll.until)].contains(&'#');
        marks.extend(lane.polls.iter().any(is_seen).then_some('#'));
        row(&name, &cells);
        for timers in &lane.timers {
            let mut cells = vec![' '; columns];
            for bar in timers {
                draw(&mut cells, bar);
                // One that begins where the last has ended is another, if it is not the same that is overdue.
                if bar.kind != Waiting::Overdue
                    && let Some(before) = column(bar.from).checked_sub(1)
                    && cells[before] != ' '
                    && column(bar.from) < column(bar.until)
                {
                    cells[column(bar.from)] = ' ';
                }
            }
            marks.extend(marks_seen(&cells, timers));
            row("", &cells);
        }
    }
    if let Some(undrawn) = more_tasks(&lanes) {
        row("", &undrawn.chars().collect::<Vec<_>>());
    }
    if !lanes.idle.is_empty() {
        row("idle", &idle(&lanes, columns));
    }
    if !lanes.verdicts.is_empty() {
        row("stall", &verdicts(&lanes, columns));
    }
    let line = terminal.map_or(LINE, |terminal| terminal.clamp(LEAST_COLUMNS, LINE));
    let _ = write!(text, "\n{}", legend(&lanes, &marks, line));
    if lanes.is_stretched {
        let polls: usize = lanes.lanes.iter().map(|lane| lane.polls.len()).sum();
        text += match polls > columns {
            true => "The scale is not exact, and a letter may stand for several polls.\n",
            false => "The scale is not exact: each poll gets a little room of its own.\n",
        };
    }
    if let Some(overlap) = Sums::of(records).overlap(&names) {
        let _ = writeln!(text, "\n{overlap}");
    }
    text += &findings::text(records, &names);
    text
}

/// What the marks mean: of those that are there, and are not hidden by others.
fn legend(lanes: &Lanes, marks: &BTreeSet<char>, most: usize) -> String {
    let all = &lanes.lanes;
    let polls = || all.iter().flat_map(|lane| &lane.polls);
    let is_polled = |letter: char| polls().any(|poll| poll.letter() == letter);
    let [polled, dropped] =
        letters(is_polled).map(|(begin, told)| in_lines(begin, told.into_iter(), ", ", most));
    let any = |kind| marks.contains(&mark(kind));
    let mut bars = all.iter().flat_map(Lane::bars);
    let other = match bars.any(Bar::is_outside) {
        true => "-- it waits for something else (foreign: not watchglass's)",
        false => "-- it waits for something else",
    };
    let poll = match polls().any(Poll::is_drop) {
        true => "## it is polled, or dropped",
        false => "## it is polled",
    };
    let marks = [
        (poll, marks.contains(&'#')),
        ("== it sleeps", any(Waiting::Timer)),
        ("__ its time limit", any(Waiting::Limit)),
        ("++ its timer is overdue", any(Waiting::Overdue)),
        (other, any(Waiting::Other)),
        ("~~ its closure runs on a thread", any(Waiting::Closure)),
        (".. it is in the ready queue", any(Waiting::Queued)),
        (
            "* a wake did nothing",
            all.iter().any(|lane| !lane.useless_wakes.is_empty()),
        ),
        (
            "! dropped unfinished, or panicked",
            all.iter().any(Lane::ends_badly),
        ),
        (":: nothing is ready", !lanes.idle.is_empty()),
        ("| a stall", !lanes.verdicts.is_empty()),
    ];
    let marks = marks.into_iter().filter(|(_, is_there)| *is_there);
    let marks = marks.map(|(mark, _)| mark.to_owned());
    polled + &dropped + &in_lines("", marks, "   ", most)
}

/// In lines of so many letters at most, if there are any.
fn in_lines(
    begin: &str,
    items: impl Iterator<Item = String>,
    between: &str,
    most: usize,
) -> String {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return String::new();
    }
    let (mut lines, mut line) = (String::new(), begin.to_owned());
    for (at, item) in items.enumerate() {
        if at > 0 {
            line += between;
        }
        if !line.is_empty() && line.len() + item.len() + between.trim_end().len() > most {
            lines += line.trim_end();
            lines.push('\n');
            line.clear();
        }
        line += &item;
    }
    lines += &line;
    lines.push('\n');
    lines
}

fn column(x: f64, columns: usize) -> usize {
    ((x * (columns - 1) as f64).round() as usize).min(columns - 1)
}

/// A label stands behind its mark; that of the last, where it has no room there, before it.
fn scale(lanes: &Lanes, columns: usize, room: Option<usize>) -> Vec<char> {
    let length = |label: &str| label.chars().count() + 1;
    let longest = lanes.ticks.iter().map(|(_, label)| length(label)).max();
    let mut cells = vec![' '; room.unwrap_or(columns + longest.unwrap_or(0))];
    let (mut free_from, mut free_until) = (0, cells.len());
    if let Some((x, label)) = lanes.ticks.last()
        && let end = column(*x, columns) + 1
        && end - 1 + length(label) > cells.len()
    {
        let begin = end.saturating_sub(length(label));
        write_at(&mut cells, begin, &format!("{label}|"));
        free_until = begin.saturating_sub(1);
    }
    for (x, label) in &lanes.ticks {
        let at = column(*x, columns);
        if at >= free_from && at + length(label) <= free_until {
            write_at(&mut cells, at, &format!("|{label}"));
            free_from = at + length(label) + 1;
        }
    }
    cells
}

fn cells(lane: &Lane, columns: usize) -> Vec<char> {
    let mut cells = vec![' '; columns];
    let column = |x| column(x, columns);
    lane.waits.iter().for_each(|bar| draw(&mut cells, bar));
    // Where the last poll begins whose letter is in a column.
    let mut letters = vec![None; columns];
    for poll in &lane.polls {
        fill(&mut cells, poll.from, poll.until, '#');
        cells[column(poll.from)] = poll.letter();
        letters[column(poll.from)] = Some(poll.from);
    }
    for &(x, _) in &lane.useless_wakes {
        beside_a_poll(&mut cells, &letters, x, '*');
    }
    if let Some((x, _)) = lane.end
        && lane.ends_badly()
    {
        beside_a_poll(&mut cells, &letters, x, '!');
    }
    cells
}

/// Marks a place; or that before a poll or after it, if the poll has its letter there.
fn beside_a_poll(cells: &mut [char], letters: &[Option<f64>], x: f64, mark: char) {
    let at = column(x, cells.len());
    let is_free = |at: usize| letters.get(at).is_some_and(Option::is_none);
    let is_before = letters[at].is_some_and(|poll| x < poll);
    let at = match at.checked_sub(1) {
        _ if is_free(at) => at,
        Some(before) if is_before && is_free(before) => before,
        _ if is_free(at + 1) => at + 1,
        _ => at,
    };
    cells[at] = mark;
}

/// One column at least, also if a log that was altered says that something ended before it began.
fn fill(cells: &mut [char], from: f64, until: f64, letter: char) {
    let [from, until] = [from, until].map(|x| column(x, cells.len()));
    cells[from..=until.max(from)].fill(letter);
}

fn mark(kind: Waiting) -> char {
    match kind {
        Waiting::Queued => '.',
        Waiting::Timer => '=',
        Waiting::Limit => '_',
        Waiting::Overdue => '+',
        Waiting::Other => '-',
        Waiting::Closure => '~',
    }
}

/// The marks of those bars that are not wholly behind others. In the two columns at its ends a bar has no label.
fn marks_seen(cells: &[char], bars: &[Bar]) -> Vec<char> {
    let column = |x| column(x, cells.len());
    let is_seen = |bar: &&Bar| {
        let bar_cells = &cells[column(bar.from)..=column(bar.from.max(bar.until))];
        let mut ends = bar_cells
            .iter()
            .take(2)
            .chain(bar_cells.iter().rev().take(2));
        ends.any(|&cell| cell == mark(bar.kind))
    };
    bars.iter()
        .filter(is_seen)
        .map(|bar| mark(bar.kind))
        .collect()
}

fn draw(cells: &mut [char], bar: &Bar) {
    let [from, until] = [bar.from, bar.until].map(|x| column(x, cells.len()));
    fill(cells, bar.from, bar.until, mark(bar.kind));
    let room = until.saturating_sub(from + 5);
    if bar.kind != Waiting::Queued
        && let Some(label) = bar.label_of(room)
    {
        write_at(cells, from + 2, &format!(" {label} "));
    }
}

fn idle(lanes: &Lanes, columns: usize) -> Vec<char> {
    let mut cells = vec![' '; columns];
    for &(from, until) in &lanes.idle {
        fill(&mut cells, from, until, ':');
    }
    cells
}

fn verdicts(lanes: &Lanes, columns: usize) -> Vec<char> {
    let mut cells = vec![' '; columns];
    for &x in &lanes.verdicts {
        cells[column(x, columns)] = '|';
    }
    cells
}

fn write_at(cells: &mut [char], at: usize, text: &str) {
    let mut cells = cells.iter_mut().skip(at);
    for letter in text.chars().filter(|&letter| columns_of_letter(letter) > 0) {
        for shown in [letter, COVERED].iter().take(columns_of_letter(letter)) {
            if let Some(cell) = cells.next() {
                *cell = *shown;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_legend_is_longer_than_it_may_be_or_empty() {
        let lines = |most| {
            let items = ["one", "two", "a long one", "four"].map(str::to_owned);
            in_lines("these: ", items.into_iter(), ", ", most)
        };
        assert_eq!(lines(99), "these: one, two, a long one, four\n");
        // The comma needs room, too.
        assert_eq!(lines(14), "these: one,\ntwo,\na long one,\nfour\n");
        assert_eq!(lines(10), "these:\none, two,\na long one,\nfour\n");
        assert_eq!(lines(4), "these:\none,\ntwo,\na long one,\nfour\n");
        let long = ["a long one".to_owned()].into_iter();
        assert_eq!(in_lines("", long, "   ", 4), "a long one\n");
    }
}
