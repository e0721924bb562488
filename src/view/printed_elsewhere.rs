//! Where there is no file in memory, printed lines are left out of the views.

use std::io::{self, Write};

pub(crate) struct Printed;

pub(crate) struct Past;

impl Past {
    pub(crate) fn columns() -> Option<usize> {
        None
    }

    /// Nobody knows what was printed last.
    pub(crate) fn begin_line(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Past {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

impl Printed {
    pub(crate) fn watch() -> io::Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn take(&mut self) -> Option<String> {
        None
    }
}

pub(crate) fn write_to_stderr(line: &[u8]) {
    let _ = io::stderr().write_all(line);
}
