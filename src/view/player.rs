//! The player: one page that steps through a run in a browser, with nothing to fetch and no server.
//!
//! The page has the records, the sources that they point into, and a fold of its own in plain
//! JavaScript (`player/fold.js`), which is tested against [`State`](crate::trace::State). Whatever a
//! task is called or prints gets into the page as JSON in which no `<` is left, and from there only
//! as text: none of it can become markup.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::findings;
use super::json::lines;
use super::names::Names;
use super::sheet::escaped;
use super::sources::Sources;
use super::sums::Sums;
use super::svg::picture_with_places;
use crate::trace::{Event, Record};

/// So many records are parsed at a time.
const CHUNK: usize = 5_000;
/// A run of more records, or more tasks, has no timeline in its page: its marks would lie on each other, and each
/// step would be slow.
const TIMELINE_RECORDS: usize = 10_000;
const TIMELINE_LANES: usize = 100;

/// The parts of the page's script. The last one begins.
const SCRIPT: [&str; 8] = [
    include_str!("player/fold.js"),
    include_str!("player/states.js"),
    include_str!("player/words.js"),
    include_str!("player/going.js"),
    include_str!("player/timeline.js"),
    include_str!("player/panels.js"),
    include_str!("player/source.js"),
    include_str!("player/player.js"),
];

pub(crate) fn page(title: &str, records: &[Record]) -> String {
    let records = &*numbered_as_steps(records);
    let timeline = match records.len() {
        1..=TIMELINE_RECORDS => picture_with_places(records, TIMELINE_LANES),
        _ => None,
    };
    let (picture, places) = match timeline {
        Some(timeline) => timeline,
        None if records.is_empty() => Default::default(),
        None => (no_timeline(records), Vec::new()),
    };
    let filled = [
        ("timeline", picture),
        ("style", include_str!("player/style.css").to_owned()),
        ("run", in_script(&run(records, &places).to_string())),
        ("records", scripts(records)),
        ("script", SCRIPT.concat()),
        ("title", escaped(title)),
    ];
    let mut page = String::new();
    // Filled in one go from left to right: what is filled in is never looked at again.
    let mut rest = include_str!("player/page.html");
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").expect("the page closes each place");
        let text = filled.iter().find(|(filled, _)| *filled == name);
        page.push_str(before);
        page.push_str(&text.expect("the page has only these places").1);
        rest = after;
    }
    page + rest
}

fn no_timeline(records: &[Record]) -> String {
    let overlap = Sums::of(records).overlap(&Names::of(records));
    let overlap = overlap.map_or(String::new(), |overlap| format!(" {overlap}."));
    format!(
        "<p class=\"none\">A run of more than {TIMELINE_LANES} tasks or {TIMELINE_RECORDS} steps has none in its \
         page. WATCHGLASS=svg:FILE draws one of up to 200 tasks.{overlap}</p>"
    )
}

/// The page finds a record by its number, which must be its step: not so, if what came before was taken away.
fn numbered_as_steps(records: &[Record]) -> Cow<'_, [Record]> {
    let mut steps = (0..).zip(records);
    if steps.all(|(step, record)| record.seq == step) {
        return Cow::Borrowed(records);
    }
    let mut records = records.to_vec();
    for (step, record) in (0..).zip(&mut records) {
        record.seq = step;
    }
    Cow::Owned(records)
}

/// What the page needs of the run as a whole.
fn run(records: &[Record], places: &[f64]) -> Value {
    let names = Names::of(records);
    let cut_names = names.clone().cut();
    let sources = Sources::of(records);
    let mut files = Map::new();
    for (path, lines) in sources.files() {
        files.insert(path.to_owned(), json!(lines));
    }
    let (mut labels, mut cut_labels) = (Map::new(), Map::new());
    let mut last_polls = Map::new();
    for record in records {
        match record.event {
            Event::Spawned { task, .. } => {
                let (id, name, cut) = (task.to_string(), names.task(task), cut_names.task(task));
                if cut != name {
                    cut_labels.insert(id.clone(), Value::from(cut));
                }
                labels.insert(id, Value::from(name));
            }
            Event::PollStarted { task, .. } => {
                last_polls.insert(task.to_string(), Value::from(record.seq));
            }
            _ => {}
        }
    }
    // Where to look first.
    let found = findings::all(records, &names);
    let found_at: Vec<usize> = found.iter().map(|finding| finding.step).collect();
    let listed = findings::listed(found, records, findings::LISTED).into_iter();
    let listed = listed.map(|finding| json!({"step": finding.step, "says": finding.says}));
    json!({
        "count": records.len(),
        "chunk": CHUNK,
        "names": labels,
        "cut_names": cut_labels,
        "last_polls": last_polls,
        "digits": names.digits(),
        "files": files,
        "changed": sources.changed(),
        "findings": listed.collect::<Vec<Value>>(),
        "found_at": found_at,
        "places": places,
        // If there is none, it may be that nobody watched what the program printed.
        "prints": records.iter().any(|record| matches!(record.event, Event::Printed { .. })),
    })
}

fn scripts(records: &[Record]) -> String {
    let lines: Vec<String> = lines(records).collect();
    let script = |(chunk, lines): (usize, &[String])| {
        format!(
            "<script type=\"application/json\" id=\"records-{chunk}\">[\n{}\n]</script>\n",
            in_script(&lines.join(",\n"))
        )
    };
    lines.chunks(CHUNK).enumerate().map(script).collect()
}

/// JSON that cannot end the script element around it.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}
