//! A single-threaded async executor that you can see through.
#![forbid(unsafe_code)]
