//! As much of a task's id as the inbox needs.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskId(pub u64);

impl TaskId {
    pub fn to_bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0).then_some(TaskId(bits))
    }
}
