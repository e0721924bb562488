//! Keeps a panic of the user's code from going where it does not belong.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs the user's code and ends its panic here. The panic hook has told of it by then.
pub(crate) fn contain(code: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        // The payload's own drop may panic, with a payload whose drop may panic...
        if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(another);
        }
    }
}

/// Drops a value of the user's, whose `Drop` may panic.
pub(crate) fn drop_contained<T>(value: T) {
    contain(|| drop(value));
}

/// Drops a future that has given its output, and gives that; or drops it too, and lets the panic of that drop go on.
pub(crate) fn output_after<T>(drop_future: impl FnOnce(), output: T) -> T {
    match catch_unwind(AssertUnwindSafe(drop_future)) {
        Ok(()) => output,
        Err(panic) => {
            // Not by the panic that unwinds: a second one, in this drop, would end the process.
            drop_contained(output);
            resume_unwind(panic)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    #[test]
    fn a_payload_that_panics_when_it_is_dropped_ends_here_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        contain(|| panic_any(Bomb));
    }
}
