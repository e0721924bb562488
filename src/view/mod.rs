//! Shows what happened, in words and in pictures. All of it is behind the feature `view`, and the
//! executor knows none of it.
//!
//! ```text
//!   Recording ──▶ State, record by record ──▶ a renderer ──▶ text, SVG, HTML, JSON
//! ```

mod snapshot;

#[doc(hidden)]
pub use snapshot::Snapshot;
