//! The story: one line an event, in plain English, and at the end the sums and the findings.

use std::fmt::{self, Write};

use super::findings;
use super::names::Names;
use super::narrator::Narrator;
use super::sums::Sums;
use crate::trace::Record;

/// One record that follows these, as its sentence in the story.
pub(crate) fn sentence(before: &[Record], next: &Record) -> String {
    let names = Names::of(before);
    let mut narrator = Narrator::new(&names);
    before.iter().for_each(|record| narrator.follow(record));
    narrator.tell(next)
}

/// Writes the story line by line, so that a long one need not be held in memory.
pub(crate) fn write(records: &[Record], out: &mut impl Write) -> fmt::Result {
    let names = Names::of(records);
    let mut narrator = Narrator::new(&names);
    for record in records {
        let sentence = narrator.tell(record);
        writeln!(out, "{}  {sentence}", names.time(record.time))?;
    }
    write!(out, "\n{}", Sums::of(records).told(&names))?;
    out.write_str(&findings::text(records, &names))
}
