//! Without the feature `timer-slack`, or elsewhere than on Linux, a thread is woken as late as the operating system
//! likes.

pub(crate) fn lower() {}
