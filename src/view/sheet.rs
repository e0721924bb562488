//! The sheet on which the picture is drawn: its sizes and colours, and what the legend draws too.

/// All lengths are in units of the picture, which is scaled to wherever it is shown.
pub(super) const WIDTH: f64 = 1000.0;
/// Where names and the legend begin.
pub(super) const MARGIN: f64 = 8.0;
pub(super) const LEFT: f64 = 150.0;
pub(super) const RIGHT: f64 = 34.0;
pub(super) const TOP: f64 = 34.0;
pub(super) const LANE: f64 = 40.0;
pub(super) const TIMER_ROW: f64 = 24.0;
/// The height of a line of text below the lanes.
pub(super) const LINE: f64 = 18.0;
/// About the width of a letter at 12 units.
pub(super) const LETTER: f64 = 7.25;

/// Colours by what they mean. Text on a bar has at least 4.5:1 to it, in both schemes.
pub(super) const STYLE: &str = "\
svg{--ground:#fff;--ink:#1b1f24;--faint:#57606a;--line:#d0d7de;--idle:#e7ebef;--poll:#0550ae;\
--long:#a40e26;--timer:#b6e3ff;--overdue:#ffc1bc;--other:#e3d7ff;--closure:#c6efc9;\
--queued:#ffdf9e;--arrow:#8250df}\
@media(prefers-color-scheme:dark){svg{--ground:#0d1117;--ink:#e6edf3;--faint:#9198a1;\
--line:#3d444d;--idle:#242c37;--poll:#79c0ff;--long:#ff7b72;--timer:#0c3a66;\
--overdue:#6e1914;--other:#3c2a6b;--closure:#12471f;--queued:#5f4500;--arrow:#d2a8ff}}\
text{white-space:pre;font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:var(--ink)}\
.faint{fill:var(--faint)}.name{font-weight:600}\
.timer{fill:var(--timer)}.overdue{fill:var(--overdue)}.other{fill:var(--other)}.closure{fill:var(--closure)}\
.limit{fill:var(--ground)}.timer,.limit,.overdue,.other,.closure,.queued{stroke:var(--faint);stroke-width:.75}\
.other{stroke-dasharray:4 3}.closure{stroke-dasharray:1 2}.queued{stroke-dasharray:1 1}\
.queued{fill:var(--queued)}.poll{fill:var(--poll)}.long{fill:var(--long)}\
.bad{fill:var(--long)}.idle{fill:var(--idle)}.life,.tick{stroke:var(--line)}\
.verdict{stroke:var(--long);stroke-width:2}.why{fill:var(--ground);font-weight:600}\
.arrow{stroke:var(--arrow);stroke-width:1.5;fill:none}.head{fill:var(--arrow)}";

/// Where a position from 0 to 1 lies.
pub(super) fn at(x: f64) -> f64 {
    LEFT + x * (WIDTH - LEFT - RIGHT)
}

/// True if a poll has room for the letter that says why.
pub(super) fn has_letter(from: f64, until: f64) -> bool {
    at(until) - at(from) >= LETTER
}

/// The mark of a wake that did nothing.
pub(super) fn ring(x: f64, y: f64, told: &str) -> String {
    format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"var(--ground)\" stroke=\"var(--arrow)\" \
         stroke-width=\"1.5\"><title>{}</title></circle>",
        escaped(told)
    )
}

/// Text that cannot be taken for markup, whatever a task is called or prints.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML has no way to say these at all.
            '\u{FFFE}' | '\u{FFFF}' => safe.push('\u{FFFD}'),
            control if control.is_control() && control != '\n' => safe.push('\u{FFFD}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_be_markup() {
        let name = "</text><script>'\"&\u{1}\u{FFFE}";
        assert_eq!(
            escaped(name),
            "&lt;/text&gt;&lt;script&gt;&#39;&quot;&amp;\u{FFFD}\u{FFFD}"
        );
    }
}
