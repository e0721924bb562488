//! The timeline as a picture: an SVG that is readable in light and dark, and to a screen reader.

use std::collections::HashSet;
use std::fmt::Write;
use std::iter;

use super::described::{described, more_tasks};
use super::findings::{self, Finding};
use super::lanes::{Bar, Lane, Lanes, Poll, Waiting};
use super::legend::Legend;
use super::names::{Names, beginning_that_fits, columns_of, columns_of_letter};
use super::sheet::{
    LANE, LEFT, LETTER, LINE, MARGIN, RIGHT, STYLE, TIMER_ROW, TOP, WIDTH, at, escaped, has_letter,
    ring,
};
use super::sums::{Sums, count};
use crate::trace::Record;

/// So many findings are shown.
const FINDINGS: usize = 6;
/// Marks that all lie within this are drawn as one: nobody could tell them apart, and with a hundred thousand of them
/// the picture would not open.
const CLOSE: f64 = 0.5;

pub(crate) fn picture(records: &[Record]) -> String {
    let found = findings::all(records, &Names::of(records));
    let found = findings::listed(found, records, FINDINGS);
    let mut lanes = lanes(records);
    lanes.cut();
    drawn(records, &lanes, &found, "")
}

/// The picture for the player, unless it has more lanes than this, and where each record lies in its width. In
/// place of the findings, which the page has, it has a line that the page moves.
pub(crate) fn picture_with_places(records: &[Record], most: usize) -> Option<(String, Vec<f64>)> {
    let lanes = lanes(records);
    if lanes.lanes.len() > most {
        return None;
    }
    let lanes_end = lanes.lanes.iter().map(height_of).sum::<f64>() + TOP;
    let playhead = format!(
        "<line id=\"playhead\" y1=\"{}\" y2=\"{lanes_end}\"/>\n",
        TOP - 12.0
    );
    let picture = drawn(records, &lanes, &[], &playhead);
    let rounded = |&x: &f64| (at(x) * 10.0).round() / 10.0;
    Some((picture, lanes.positions.iter().map(rounded).collect()))
}

fn height_of(lane: &Lane) -> f64 {
    LANE + TIMER_ROW * lane.timers.len() as f64
}

fn lanes(records: &[Record]) -> Lanes {
    // A poll is 8 units wide, unless there are very many.
    Lanes::of(records, 8.0 / (WIDTH - LEFT - RIGHT))
}

fn drawn(records: &[Record], lanes: &Lanes, found: &[Finding], more: &str) -> String {
    let names = Names::of(records);
    let mut picture = Picture {
        tops: Vec::new(),
        bottom: TOP,
        svg: String::new(),
    };
    for lane in &lanes.lanes {
        picture.tops.push(picture.bottom);
        picture.bottom += height_of(lane);
    }
    let undrawn = more_tasks(lanes);
    if undrawn.is_some() {
        picture.bottom += LINE;
    }
    let legend = Legend::of(lanes);
    let lines = wrapped(found);
    let sums = Sums::of(records);
    let overlap = sums.overlap(&names);
    let below_legend = picture.bottom + legend.height();
    let found_at = below_legend + if overlap.is_some() { LINE } else { 0.0 };
    let height = found_at + LINE * lines.len() as f64;
    let sums = sums.told(&names).to_string();
    let summary = sums.trim_end().replace('\n', "; ");
    picture.add(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title\" aria-describedby=\"desc\">\n\
         <title id=\"title\">Timeline: {}</title>\n\
         <desc id=\"desc\">{}</desc>\n<style>{STYLE}</style>\n\
         <g aria-hidden=\"true\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"var(--ground)\"/>\n",
        escaped(&summary),
        escaped(&described(lanes, found)),
    ));
    picture.add_ground(lanes);
    let lane_names = lanes.names(letters(LEFT - 16.0));
    for (at, (lane, name)) in lanes.lanes.iter().zip(&lane_names).enumerate() {
        picture.add_lane(lane, name, picture.tops[at]);
    }
    if let Some(undrawn) = undrawn {
        let y = picture.bottom - LINE + 4.0;
        picture.add(&format!(
            "<text class=\"faint\" x=\"{MARGIN}\" y=\"{y:.1}\">{undrawn}</text>\n"
        ));
    }
    picture.add_arrows(lanes);
    picture.add_verdicts(lanes);
    picture.add(&legend.svg(picture.bottom));
    if let Some(overlap) = overlap {
        let y = below_legend + 4.0;
        picture.add(&format!(
            "<text class=\"faint\" x=\"{MARGIN}\" y=\"{y:.1}\">{overlap}</text>\n"
        ));
    }
    picture.add_findings(&lines, found_at);
    picture.add(more);
    picture.add("</g>\n</svg>\n");
    picture.svg
}

struct Picture {
    /// Where each lane begins.
    tops: Vec<f64>,
    bottom: f64,
    svg: String,
}

impl Picture {
    fn add(&mut self, text: &str) {
        self.svg.push_str(text);
    }

    /// Times, and where the thread is idle.
    fn add_ground(&mut self, lanes: &Lanes) {
        let bottom = self.bottom;
        for idle in close(&lanes.idle, |&idle| idle) {
            let x = at(idle[0].0);
            let width: f64 = idle.iter().map(|&(from, until)| at(until) - at(from)).sum();
            let height = bottom - TOP;
            let idle = format!(
                "<rect class=\"idle\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" \
                 height=\"{height}\"><title>nothing is ready</title></rect>\n"
            );
            self.add(&idle);
        }
        let mut free_from = 0.0;
        for (x, label) in &lanes.ticks {
            let x = at(*x);
            let tick = format!(
                "<line class=\"tick\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\n",
                TOP - 6.0
            );
            self.add(&tick);
            let width = label.chars().count() as f64 * LETTER;
            let left = (x - 2.0).min(WIDTH - width - 4.0);
            if left >= free_from {
                let text = format!(
                    "<text class=\"faint time\" x=\"{left:.1}\" y=\"{:.1}\">{label}</text>\n",
                    TOP - 12.0
                );
                self.add(&text);
                free_from = left + width + LETTER;
            }
        }
    }

    fn add_lane(&mut self, lane: &Lane, name: &str, top: f64) {
        let middle = top + LANE / 2.0;
        let (from, until) = (at(lane.spawned), at(lane.end.map_or(1.0, |(x, _)| x)));
        let head = format!(
            "<text class=\"name\" x=\"{MARGIN}\" y=\"{:.1}\">{}{}</text>\n\
             <line class=\"life\" x1=\"{from:.1}\" y1=\"{middle}\" x2=\"{until:.1}\" y2=\"{middle}\"/>\n",
            middle + 4.0,
            escaped(name),
            match name == lane.label {
                true => String::new(),
                false => format!("<title>{}</title>", escaped(&lane.label)),
            }
        );
        self.add(&head);
        self.add_bars(&lane.waits, middle - 9.0);
        for (timers, row) in lane.timers.iter().zip(0..) {
            let y = top + LANE + TIMER_ROW * f64::from(row) - 3.0;
            self.add_bars(timers, y);
        }
        let mut groups = close(&lane.polls, |poll| (poll.from, poll.until)).peekable();
        while let Some(polls) = groups.next() {
            let next = groups.peek().map_or(f64::INFINITY, |next| next[0].from);
            self.add_polls(polls, next, middle);
        }
        for wakes in close(&lane.useless_wakes, |&(x, _)| (x, x)) {
            let (x, told) = &wakes[0];
            let mark = match wakes.len() {
                1 => ring(at(*x), middle, told),
                many => ring(at(*x), middle, &format!("{many} wakes that did nothing")),
            };
            self.add(&(mark + "\n"));
        }
        if let Some((x, stage)) = lane.end
            && lane.ends_badly()
        {
            let end = format!(
                "<text x=\"{:.1}\" y=\"{:.1}\">✕<title>{stage}</title></text>\n",
                at(x) + 3.0,
                middle + 4.0
            );
            self.add(&end);
        }
    }

    fn add_bars(&mut self, bars: &[Bar], y: f64) {
        for bars in close(bars, |bar| (bar.from, bar.until)) {
            let longest = bars
                .iter()
                .max_by(|one, other| (one.until - one.from).total_cmp(&(other.until - other.from)));
            match (bars, longest) {
                ([bar], _) => self.add_bar(bar, y, 18.0),
                ([first, .., last], Some(longest)) => {
                    let queued = bars
                        .iter()
                        .filter(|bar| bar.kind == Waiting::Queued)
                        .count();
                    let waits = count(bars.len() - queued, "wait");
                    let label = match queued {
                        0 => waits,
                        1 => format!("{waits}, and once in the ready queue"),
                        all if all == bars.len() => format!("{all} times in the ready queue"),
                        many => format!("{waits}, and {many} times in the ready queue"),
                    };
                    let one = Bar {
                        from: first.from,
                        until: last.until,
                        kind: longest.kind,
                        label,
                    };
                    self.add_bar(&one, y, 18.0);
                }
                _ => {}
            }
        }
    }

    fn add_bar(&mut self, bar: &Bar, y: f64, height: f64) {
        let x = at(bar.from);
        // Short of the end by a little: the next bar may begin there, and is another wait.
        let width = at(bar.until) - x;
        let width = (width - 1.5).max(width.clamp(0.5, 1.0));
        // Where very many are beside each other, outlines would be all that is seen.
        let outline = if width < 1.0 {
            " style=\"stroke:none\""
        } else {
            ""
        };
        let class = match bar.kind {
            Waiting::Queued => "queued",
            Waiting::Timer => "timer",
            Waiting::Limit => "limit",
            Waiting::Overdue => "overdue",
            Waiting::Other => "other",
            Waiting::Closure => "closure",
        };
        let label = escaped(&bar.label);
        let rect = format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height}\" rx=\"2\"{outline}><title>{label}</title></rect>\n"
        );
        self.add(&rect);
        let room = (width - 12.0).max(0.0);
        // The beginning of a sentence says something, that of a short one does not.
        let enough = 12.0 * LETTER;
        let shown = match bar.label_of(letters(room)) {
            Some(label) => label,
            None if room > enough => beginning_that_fits(&bar.label, letters(room)),
            None => String::new(),
        };
        if bar.kind != Waiting::Queued && !shown.is_empty() {
            let text = format!(
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                x + 6.0,
                y + height / 2.0 + 4.0,
                escaped(&shown)
            );
            self.add(&text);
        }
    }

    /// One poll, or several that cannot be told apart, as wide as all of them.
    fn add_polls(&mut self, polls: &[Poll], next: f64, middle: f64) {
        let (first, last) = (&polls[0], &polls[polls.len() - 1]);
        let x = at(first.from);
        // One that has no width is seen all the same. Very many are not to lie on each other: that would hide that the
        // task waits in between.
        let nexts = polls[1..].iter().map(|poll| poll.from).chain([next]);
        let widths = polls.iter().zip(nexts).map(|(poll, next)| {
            let (x, until) = (at(poll.from), at(poll.until));
            (until - x).max(((at(next) - x) * 0.4).clamp(0.01, 2.0))
        });
        let width: f64 = widths.sum();
        let is_long = polls.iter().any(|poll| poll.long);
        let class = if is_long { "long" } else { "poll" };
        let told = match polls.len() {
            1 => format!("{}: {}", first.time, first.told),
            many => format!("{many} polls from {} to {}", first.time, last.time),
        };
        let rect = format!(
            "<rect class=\"{class}\" x=\"{x:.2}\" y=\"{:.1}\" width=\"{width:.2}\" height=\"28\" \
             rx=\"1\"><title>{}</title></rect>\n",
            middle - 14.0,
            escaped(&told)
        );
        self.add(&rect);
        if has_letter(first.from, last.until) {
            let why = format!(
                "<text class=\"why\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                x + (width - LETTER).min(12.0) / 2.0,
                middle + 4.0,
                first.letter()
            );
            self.add(&why);
        }
    }

    fn add_arrows(&mut self, lanes: &Lanes) {
        let middle = |lane: usize| self.tops[lane] + LANE / 2.0;
        let mut drawn = String::new();
        let mut places = HashSet::new();
        for arrow in &lanes.arrows {
            let rounded = |x: f64| (at(x) / CLOSE).round() as i64;
            let place = (
                arrow.from_lane,
                arrow.until_lane,
                rounded(arrow.from),
                rounded(arrow.until),
            );
            if !places.insert(place) {
                continue;
            }
            let down = if arrow.until_lane > arrow.from_lane {
                1.0
            } else {
                -1.0
            };
            let (x1, y1) = (at(arrow.from), middle(arrow.from_lane) + down * 14.0);
            let (x2, y2) = (at(arrow.until), middle(arrow.until_lane) - down * 15.0);
            let _ = write!(
                drawn,
                "<path class=\"arrow\" d=\"M{x1:.1} {y1:.1}C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} \
                 {:.1}\"><title>{} wakes {}</title></path>\n\
                 <path class=\"head\" d=\"M{x2:.1} {y2:.1}l-4 {:.1}h8z\"/>\n",
                y1 + down * 10.0,
                y2 - down * 14.0,
                y2 - down * 5.0,
                escaped(&lanes.lanes[arrow.from_lane].label),
                escaped(&lanes.lanes[arrow.until_lane].label),
                -down * 7.0
            );
        }
        self.add(&drawn);
    }

    fn add_verdicts(&mut self, lanes: &Lanes) {
        for &x in &lanes.verdicts {
            let (x, bottom) = (at(x), self.bottom);
            let line = format!(
                "<line class=\"verdict\" x1=\"{x:.1}\" y1=\"{:.1}\" x2=\"{x:.1}\" y2=\"{bottom}\">\
                 <title>nothing can happen any more</title></line>\n",
                TOP - 6.0
            );
            self.add(&line);
        }
    }

    fn add_findings(&mut self, lines: &[String], top: f64) {
        let mut y = top + 8.0;
        for line in lines {
            let text = format!(
                "<text class=\"bad\" x=\"{MARGIN}\" y=\"{y:.1}\">{}</text>\n",
                escaped(line)
            );
            self.add(&text);
            y += LINE;
        }
    }
}

/// In groups, each of those that lie close to its first.
fn close<T>(marks: &[T], place: impl Fn(&T) -> (f64, f64)) -> impl Iterator<Item = &[T]> {
    let mut rest = marks;
    iter::from_fn(move || {
        let (first, others) = rest.split_first()?;
        let end = at(place(first).0) + CLOSE;
        let is_close = |mark: &&T| at(place(mark).1) < end;
        let many = 1 + others.iter().take_while(is_close).count();
        let (group, left) = rest.split_at(many);
        rest = left;
        Some(group)
    })
}

/// The findings in lines that fit the picture.
fn wrapped(found: &[Finding]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for finding in found {
        lines.push(String::new());
        for word in finding.says.split_whitespace().flat_map(broken) {
            let line = lines.last_mut().expect("there is one");
            if (columns_of(line) + columns_of(word) + 1) as f64 * LETTER > WIDTH - 40.0 {
                lines.push(format!("    {word}"));
            } else {
                if !line.trim().is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
    }
    lines
}

/// A word in pieces that fit a line: a message may be one word, and a text without blanks is one.
fn broken(word: &str) -> impl Iterator<Item = &str> {
    let most = letters(WIDTH - 40.0) - 8;
    let mut rest = word;
    iter::from_fn(move || {
        let mut columns = 0;
        let fits = |&(_, letter): &(usize, char)| {
            columns += columns_of_letter(letter);
            columns <= most
        };
        let end = rest.char_indices().take_while(fits).last();
        let end = end.map(|(at, letter)| at + letter.len_utf8())?;
        let (piece, left) = rest.split_at(end);
        rest = left;
        Some(piece)
    })
}

/// How many letters there is room for.
fn letters(room: f64) -> usize {
    (room / LETTER) as usize
}
