//! What the marks of a picture mean: of those that are in it, and no others.

use super::lanes::{Bar, Lane, Lanes, Poll, Waiting, letters};
use super::sheet::{LETTER, LINE, MARGIN, WIDTH, at, has_letter, ring};

/// The room for a mark, before its text.
const MARK: f64 = 20.0;

pub(super) struct Legend {
    /// A class of the picture and its meaning, in as many lines as they need.
    lines: Vec<Vec<(&'static str, &'static str)>>,
    /// Why polls happened, and drops.
    why: Vec<String>,
}

impl Legend {
    pub(super) fn of(lanes: &Lanes) -> Self {
        let all = &lanes.lanes;
        let polls = || all.iter().flat_map(|lane| &lane.polls);
        let any_poll = |long| polls().any(|poll| poll.long == long);
        // What is too narrow to be seen is not explained.
        let is_seen = |from, until| at(until) - at(from) >= 1.0;
        let is_seen_bar = |bar: &&Bar| is_seen(bar.from, bar.until);
        let bars = || all.iter().flat_map(Lane::bars).filter(is_seen_bar);
        let any_wait = |kind| bars().any(|bar| bar.kind == kind);
        let any_idle = lanes.idle.iter().any(|&(from, until)| is_seen(from, until));
        let any_useless = all.iter().any(|lane| !lane.useless_wakes.is_empty());
        let other = match bars().any(Bar::is_outside) {
            true => "waits (foreign: not watchglass's)",
            false => "waits",
        };
        let any_bad_end = all.iter().any(Lane::ends_badly);
        let poll = match (polls().any(Poll::is_drop), lanes.is_stretched) {
            (false, false) => "poll",
            (false, true) => "poll (widened)",
            (true, false) => "poll or drop",
            (true, true) => "poll or drop (widened)",
        };
        let mut lines = vec![Vec::new()];
        let mut room = WIDTH - 2.0 * MARGIN;
        for (class, text, is_there) in [
            ("poll", poll, any_poll(false)),
            ("long", "held the thread long", any_poll(true)),
            ("timer", "sleeps", any_wait(Waiting::Timer)),
            ("limit", "time limit", any_wait(Waiting::Limit)),
            ("overdue", "overdue", any_wait(Waiting::Overdue)),
            ("other", other, any_wait(Waiting::Other)),
            ("closure", "closure on a thread", any_wait(Waiting::Closure)),
            ("queued", "in the ready queue", any_wait(Waiting::Queued)),
            ("arrow", "wakes", !lanes.arrows.is_empty()),
            ("useless", "wake that did nothing", any_useless),
            ("cross", "dropped unfinished, or panicked", any_bad_end),
            ("idle", "nothing is ready", any_idle),
            ("verdict", "a stall", !lanes.verdicts.is_empty()),
        ] {
            if !is_there {
                continue;
            }
            if width(text) > room {
                lines.push(Vec::new());
                room = WIDTH - 2.0 * MARGIN;
            }
            room -= width(text);
            lines.last_mut().expect("there is one").push((class, text));
        }
        let shown = |poll: &&Poll| has_letter(poll.from, poll.until);
        let is_there = |letter| polls().filter(shown).any(|poll| poll.letter() == letter);
        let [polled, dropped] = letters(is_there).map(|(begin, told)| match told.is_empty() {
            true => None,
            false => Some(begin.to_owned() + &told.join(", ")),
        });
        let by_mouse = || "the mouse over a poll says why it was polled".to_owned();
        let why = vec![polled.unwrap_or_else(by_mouse)]
            .into_iter()
            .chain(dropped)
            .collect();
        Legend { lines, why }
    }

    pub(super) fn height(&self) -> f64 {
        34.0 - LINE + LINE * (self.lines.len() + self.why.len()) as f64
    }

    pub(super) fn svg(&self, top: f64) -> String {
        let mut svg = String::new();
        for (line, entries) in (0..).zip(&self.lines) {
            let y = top + 12.0 + LINE * f64::from(line);
            let mut x = MARGIN;
            for (class, text) in entries {
                let (text_x, text_y) = (x + MARK, y + 10.0);
                svg += &mark(class, x, y);
                svg += &format!(
                    "<text class=\"faint\" x=\"{text_x:.1}\" y=\"{text_y:.1}\">{text}</text>\n"
                );
                x += width(text);
            }
        }
        let top = top + 22.0 + LINE * self.lines.len() as f64;
        for (line, why) in (0..).zip(&self.why) {
            let y = top + LINE * f64::from(line);
            svg += &format!("<text class=\"faint\" x=\"{MARGIN}\" y=\"{y:.1}\">{why}</text>\n");
        }
        svg
    }
}

fn mark(class: &str, x: f64, y: f64) -> String {
    let (middle, bottom) = (x + 7.0, y + 12.0);
    match class {
        "arrow" => format!("<path class=\"arrow\" d=\"M{x} {:.1}h14\"/>", y + 6.0),
        "useless" => ring(middle, y + 6.0, ""),
        "verdict" => format!(
            "<line class=\"verdict\" x1=\"{middle:.1}\" y1=\"{y}\" x2=\"{middle:.1}\" y2=\"{bottom}\"/>"
        ),
        "cross" => format!("<text x=\"{:.1}\" y=\"{:.1}\">✕</text>", x + 4.0, y + 10.0),
        _ => format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"14\" height=\"12\"/>"),
    }
}

/// Of a mark with its text.
fn width(text: &str) -> f64 {
    MARK + text.len() as f64 * LETTER + 18.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_letters_at_once_have_room() {
        for (begin, told) in letters(|_| true) {
            let letters = begin.len() + told.join(", ").len();
            assert!(MARGIN + letters as f64 * LETTER <= WIDTH, "{told:?}");
        }
    }
}
