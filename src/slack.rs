//! How late the operating system may wake this thread: as it always does, or as little as it can.
//!
//! Linux may end a thread's timed wait late by a *slack*, up to 50 us unless told otherwise, so that
//! it can wake several threads at once. A sleep is up to that much later than it need be.

use std::num::NonZeroU64;

use rustix::thread::set_current_timer_slack;

/// Lowers the slack of this thread, for as long as the thread lives.
pub(crate) fn lower() {
    // 1 ns is the least: 0 stands for the default. A kernel that refuses leaves sleeps as they were.
    let _ = set_current_timer_slack(Some(NonZeroU64::MIN));
}
