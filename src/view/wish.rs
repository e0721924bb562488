//! What the environment variable `WATCHGLASS` asks for.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One view, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// To standard output if there is no file.
    Story(Option<PathBuf>),
    /// To standard output if there is no file.
    Timeline(Option<PathBuf>),
    Step,
    Svg(PathBuf),
    Html(PathBuf),
    Chrome(PathBuf),
    Json(PathBuf),
}

impl View {
    /// Where it goes; nowhere is standard output.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            View::Story(file) | View::Timeline(file) => file.as_deref(),
            View::Step => None,
            View::Svg(file) | View::Html(file) | View::Chrome(file) | View::Json(file) => {
                Some(file)
            }
        }
    }
}

impl fmt::Display for View {
    /// As one asks for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            View::Story(_) => "story",
            View::Timeline(_) => "timeline",
            View::Step => "step",
            View::Svg(_) => "svg",
            View::Html(_) => "html",
            View::Chrome(_) => "chrome",
            View::Json(_) => "json",
        };
        match self.file() {
            Some(file) => write!(f, "{kind}:{}", file.display()),
            None => write!(f, "{kind}"),
        }
    }
}

/// All that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) views: Vec<View>,
    /// Each event, as it happens.
    pub(crate) live: bool,
    pub(crate) virtual_time: bool,
    pub(crate) closed_world: bool,
    /// In which order tasks are polled, if not in that of the queue.
    pub(crate) seed: Option<u64>,
    /// How long a poll is that is told of as a long one.
    pub(crate) long_poll: Option<Duration>,
    /// How much of a run is shown.
    pub(crate) at_most: Option<Duration>,
}

/// A value that is not known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown(String);

impl Wish {
    /// Reads values that are joined by commas.
    pub(crate) fn read(values: &str) -> Result<Self, Unknown> {
        let mut wish = Wish::default();
        for value in values.split(',').map(str::trim) {
            let unknown = || Unknown(value.to_owned());
            let (kind, of) = match value.split_once(':') {
                Some((kind, of)) => (kind, Some(of)),
                None => (value, None),
            };
            match (kind, of) {
                (_, Some("")) => return Err(unknown()),
                // No value at all, as in `WATCHGLASS=`, asks for nothing.
                ("", None) => {}
                ("live", None) => wish.live = true,
                ("virtual", None) => wish.virtual_time = true,
                ("closed", None) => wish.closed_world = true,
                ("seed", Some(seed)) => wish.seed = Some(seed.parse().map_err(|_| unknown())?),
                ("long", Some(long)) => wish.long_poll = Some(duration(long).ok_or_else(unknown)?),
                ("for", Some(long)) => wish.at_most = Some(duration(long).ok_or_else(unknown)?),
                ("story", file) => wish.views.push(View::Story(file.map(PathBuf::from))),
                ("timeline", file) => wish.views.push(View::Timeline(file.map(PathBuf::from))),
                ("step", None) => wish.views.push(View::Step),
                ("svg", Some(file)) => wish.views.push(View::Svg(file.into())),
                ("html", Some(file)) => wish.views.push(View::Html(file.into())),
                ("chrome", Some(file)) => wish.views.push(View::Chrome(file.into())),
                ("json", Some(file)) => wish.views.push(View::Json(file.into())),
                _ => return Err(unknown()),
            }
        }
        Ok(wish)
    }
}

/// `20ms`, `500us` or `1s`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit())?);
    let number = number.parse().ok()?;
    match unit {
        "s" => Some(Duration::from_secs(number)),
        "ms" => Some(Duration::from_millis(number)),
        "us" => Some(Duration::from_micros(number)),
        _ => None,
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unknown(value) = self;
        let (kind, _) = value.split_once(':').unwrap_or((value, ""));
        if ["long", "for"].contains(&kind) {
            return write!(
                f,
                "WATCHGLASS={value} does not say how long: write a whole number and its unit, as in {kind}:20ms, \
                 {kind}:500us or {kind}:1s"
            );
        }
        if kind == "seed" {
            return write!(
                f,
                "WATCHGLASS={value} names no order: write a whole number, as in seed:7"
            );
        }
        if ["svg", "html", "chrome", "json"].contains(&kind) {
            let extension = if kind == "chrome" { "json" } else { kind };
            return write!(
                f,
                "WATCHGLASS={value} names no file: write {kind}:FILE, as in WATCHGLASS={kind}:run.{extension}"
            );
        }
        write!(
            f,
            "WATCHGLASS={value} is not known. These are, and several may be joined by commas:\n\
             \x20 story        every event as a sentence, after the run (story:FILE: into a file)\n\
             \x20 timeline     a lane for each task, as text (timeline:FILE: into a file)\n\
             \x20 step         walk through the run, forward and back\n\
             \x20 svg:FILE     the timeline as a picture\n\
             \x20 html:FILE    the player: one page, to step through in a browser\n\
             \x20 chrome:FILE  a trace for Perfetto and chrome://tracing\n\
             \x20 json:FILE    the events\n\
             \x20 live         each event at once, on standard error, also of a program that hangs\n\
             \x20 for:5s       show the first five seconds, and then: also of a program that never ends\n\
             \x20 long:20ms    a poll of so many milliseconds is a long one (else 100, or 500 with virtual)\n\
             \x20 virtual      run on the virtual clock, where sleeping takes no time\n\
             \x20 closed       take it that nobody outside uses a waker: a deadlock ends in a verdict\n\
             \x20 seed:7       poll the tasks in another order, the same for the same number"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_joined_by_commas() {
        let wish = Wish::read("story, svg:a/b.svg,virtual,closed,live,html:C:x.html").unwrap();
        let views = [
            View::Story(None),
            View::Svg("a/b.svg".into()),
            View::Html("C:x.html".into()),
        ];
        assert_eq!(wish.views, views);
        let asked = views.map(|view| view.to_string());
        assert_eq!(asked, ["story", "svg:a/b.svg", "html:C:x.html"]);
        assert!(wish.virtual_time && wish.closed_world && wish.live);
        assert_eq!(Wish::read(""), Ok(Wish::default()));
    }

    #[test]
    fn how_long_a_long_poll_is_and_a_log_may_be_said() {
        let wish = Wish::read("story,long:20ms,for:5s").unwrap();
        assert_eq!(wish.long_poll, Some(Duration::from_millis(20)));
        assert_eq!(wish.at_most, Some(Duration::from_secs(5)));
        let wish = Wish::read("story").unwrap();
        assert_eq!((wish.long_poll, wish.at_most), (None, None));
        for (long, duration) in [
            ("500us", Duration::from_micros(500)),
            ("1s", Duration::from_secs(1)),
        ] {
            let wish = Wish::read(&format!("long:{long}")).unwrap();
            assert_eq!(wish.long_poll, Some(duration));
        }
        for wrong in [
            "long",
            "long:",
            "long:20",
            "long:xms",
            "long:1.5s",
            "for",
            "for:5",
            "for:",
            "for:-1s",
        ] {
            let message = Wish::read(wrong).unwrap_err().to_string();
            let begin = format!("WATCHGLASS={wrong} does not say how long: ");
            assert!(message.starts_with(&begin), "{message}");
        }
    }

    #[test]
    fn a_seed_is_a_whole_number() {
        let most = u64::MAX;
        assert_eq!(Wish::read("seed:0,virtual").unwrap().seed, Some(0));
        assert_eq!(
            Wish::read(&format!("seed:{most}")).unwrap().seed,
            Some(most)
        );
        assert_eq!(Wish::read("virtual").unwrap().seed, None);
        for wrong in [
            "seed",
            "seed:",
            "seed:x",
            "seed:-1",
            "seed:18446744073709551616",
        ] {
            let message = Wish::read(wrong).unwrap_err().to_string();
            let expected =
                format!("WATCHGLASS={wrong} names no order: write a whole number, as in seed:7");
            assert_eq!(message, expected);
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_the_list_of_right_ones() {
        for value in [
            "stroy",
            "svgg:x",
            "step:x",
            "virtual:1",
            "closed:1",
            "live:x",
            "STORY",
        ] {
            let message = Wish::read(&format!("story,{value}"))
                .unwrap_err()
                .to_string();
            assert!(
                message.starts_with(&format!("WATCHGLASS={value} is not known")),
                "{message}"
            );
            for right in [
                "story",
                "timeline",
                "step",
                "svg:FILE",
                "html:FILE",
                "chrome:FILE",
                "json:FILE",
                "live",
                "for:5s",
                "long:20ms",
                "virtual",
                "closed",
                "seed:7",
            ] {
                assert!(message.contains(right), "{message}");
            }
        }
        for value in ["svg", "html", "html:", "json"] {
            let message = Wish::read(value).unwrap_err().to_string();
            let kind = value.trim_end_matches(':');
            assert!(message.contains(&format!("write {kind}:FILE")), "{message}");
        }
    }
}
