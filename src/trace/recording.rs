//! An observer that keeps every event.

use std::cell::RefCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

use super::{Event, Observer, Record};

/// Keeps every event of the executor that it observes, in order.
///
/// A clone is another handle on the same log, so keep one and give one to the executor. Make a new recording for each
/// executor, because the views take all that is in one for one run. A recording stays on its thread. But the records
/// that [`take`](Recording::take) gives may be sent to another thread, and collected into a recording there.
///
/// ```
/// use watchglass::Executor;
/// use watchglass::trace::{Event, Recording};
///
/// let recording = Recording::new();
/// let executor = Executor::builder().observer(recording.clone()).build();
/// executor.block_on(async {});
/// let ready = |event: &Event| matches!(event, Event::PollEnded { ready: true, .. });
/// assert!(recording.events().iter().any(ready));
/// ```
#[derive(Clone, Default)]
pub struct Recording {
    records: Rc<RefCell<Vec<Record>>>,
}

impl Recording {
    /// An empty recording.
    #[must_use]
    pub fn new() -> Self {
        Recording::default()
    }

    /// A copy of everything recorded so far, each event with its number and its time.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.records.borrow().clone()
    }

    /// A copy of everything recorded so far, the events alone.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let records = self.records.borrow();
        records.iter().map(|record| record.event.clone()).collect()
    }

    /// Moves everything recorded so far out.
    ///
    /// What happens next is recorded as before. But a view of that later part does not know the tasks from before.
    pub fn take(&self) -> Vec<Record> {
        self.records.take()
    }

    /// Looks at what is recorded so far without copying it.
    #[cfg(feature = "view")]
    pub(crate) fn read<R>(&self, look: impl FnOnce(&[Record]) -> R) -> R {
        look(&self.records.borrow())
    }

    /// How many events are recorded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.borrow().len()
    }

    /// True if nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A copy: what is written to may be the user's code, and let more be recorded.
        f.debug_struct("Recording")
            .field("records", &self.records())
            .finish()
    }
}

/// A recording of records that were taken out of another one, and sent to this thread perhaps.
///
/// ```
/// use watchglass::Executor;
/// use watchglass::trace::Recording;
///
/// let recording = Recording::new();
/// Executor::builder().observer(recording.clone()).build().block_on(async {});
/// let records = recording.records();
/// let copy: Recording = recording.take().into_iter().collect();
/// assert_eq!(copy.records(), records);
/// ```
impl FromIterator<Record> for Recording {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let records = Rc::new(RefCell::new(Vec::from_iter(records)));
        Recording { records }
    }
}

impl UnwindSafe for Recording {}
impl RefUnwindSafe for Recording {}

impl Observer for Recording {
    fn observe(&self, record: &Record) {
        self.observe_owned(record.clone());
    }

    fn observe_owned(&self, record: Record) {
        self.records.borrow_mut().push(record);
    }
}
