//! What each checker gives in place of the standard library and the channel.

pub mod under_loom {
    pub use loom::sync::atomic;
    pub use loom::sync::{Mutex, MutexGuard};
    pub use loom::thread::spawn;

    pub mod thread {
        include!("park.rs");
    }

    pub mod channel {
        include!("channel.rs");
    }

    pub mod guard {
        include!("guard.rs");
    }
}

pub mod under_shuttle {
    pub use shuttle::sync::atomic;
    pub use shuttle::sync::{Mutex, MutexGuard};
    pub use shuttle::thread::{self, spawn};

    pub mod channel {
        include!("channel.rs");
    }

    pub mod guard {
        include!("guard.rs");
    }
}
