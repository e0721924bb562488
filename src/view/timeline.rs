//! The timeline as text: a row a task, readable in any terminal.

use std::fmt::Write;

use super::findings;
use super::lanes::{Bar, Lane, Lanes, Waiting};
use super::names::{Names, columns_of, columns_of_letter, name_that_fits};
use super::sums::Sums;
use crate::trace::Record;

/// The width of the rows. With the names it fits a terminal of 100 columns.
const COLUMNS: usize = 76;
/// Names are cut off behind this.
const NAME_COLUMNS: usize = 20;
/// The cell behind a letter that takes two.
const COVERED: char = '\0';

pub(crate) fn text(records: &[Record]) -> String {
    // A poll has a column of its own, and half a one beside it.
    let lanes = Lanes::of(records, 1.0 / COLUMNS as f64);
    let width = lanes.lanes.iter().map(|lane| columns_of(&lane.label));
    let width = width.max().unwrap_or(0).clamp(6, NAME_COLUMNS);
    let mut text = String::new();
    let mut row = |name: &str, cells: &[char]| {
        let name = name_that_fits(name, NAME_COLUMNS);
        let cells: String = cells.iter().filter(|cell| **cell != COVERED).collect();
        let room = " ".repeat(width.saturating_sub(columns_of(&name)));
        let line = format!("{name}{room}  {cells}");
        text.push_str(line.trim_end());
        text.push('\n');
    };
    row("", &scale(&lanes));
    for lane in &lanes.lanes {
        row(&lane.label, &cells(lane));
        for timers in &lane.timers {
            let mut cells = vec![' '; COLUMNS];
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
            row("", &cells);
        }
    }
    row("parked", &idle(&lanes));
    let _ = write!(text, "\n{LEGEND}");
    if lanes.is_stretched {
        text += "The scale is not exact: each poll gets a little room of its own.\n";
    }
    if lanes.lanes.iter().any(Lane::ends_badly) {
        text += "!  it was dropped unfinished, or panicked\n";
    }
    let names = Names::of(records);
    if let Some(overlap) = Sums::of(records).overlap(&names) {
        let _ = writeln!(text, "\n{overlap}");
    }
    text += &findings::text(records, &names);
    text
}

const LEGEND: &str = "\
A letter is a poll and its cause: n new, t its timer fired, w another task woke it, j a task that it
awaits has ended, s it woke itself, o it was woken from outside, a it was aborted (and is dropped).
== it sleeps   __ its time limit   ++ its timer is overdue   -- it waits for something else
~~ its closure runs on a thread   .. it is in the ready queue   * a wake did nothing
:: the thread is parked
";

fn column(x: f64) -> usize {
    ((x * (COLUMNS - 1) as f64).round() as usize).min(COLUMNS - 1)
}

fn scale(lanes: &Lanes) -> Vec<char> {
    let mut cells = vec![' '; COLUMNS + 12];
    let mut free_from = 0;
    for (x, label) in &lanes.ticks {
        let at = column(*x);
        let label = format!("|{label}");
        if at >= free_from {
            write_at(&mut cells, at, &label);
            free_from = at + label.chars().count() + 1;
        }
    }
    cells
}

fn cells(lane: &Lane) -> Vec<char> {
    let mut cells = vec![' '; COLUMNS];
    lane.waits.iter().for_each(|bar| draw(&mut cells, bar));
    // Where the last poll begins whose letter is in a column.
    let mut letters = [None; COLUMNS];
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
    let at = column(x);
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
    let (from, until) = (column(from), column(until));
    cells[from..=until.max(from)].fill(letter);
}

fn draw(cells: &mut [char], bar: &Bar) {
    let (from, until) = (column(bar.from), column(bar.until));
    let letter = match bar.kind {
        Waiting::Queued => '.',
        Waiting::Timer => '=',
        Waiting::Limit => '_',
        Waiting::Overdue => '+',
        Waiting::Other => '-',
        Waiting::Closure => '~',
    };
    fill(cells, bar.from, bar.until, letter);
    let room = until.saturating_sub(from + 5);
    if bar.kind != Waiting::Queued
        && let Some(label) = bar.label_of(room)
    {
        write_at(cells, from + 2, &format!(" {label} "));
    }
}

fn idle(lanes: &Lanes) -> Vec<char> {
    let mut cells = vec![' '; COLUMNS];
    for &(from, until) in &lanes.idle {
        fill(&mut cells, from, until, ':');
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
