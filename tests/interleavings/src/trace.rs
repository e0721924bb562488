//! As much of the events as a join needs.

#[derive(Clone, Copy)]
pub enum WaitsOn {
    Children(usize),
}
