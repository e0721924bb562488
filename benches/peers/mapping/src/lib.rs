//! What does not compile: a future that may not go to another thread cannot be spawned on a tokio
//! runtime, which may move it there between two polls.
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//!
//! async fn task(number: Rc<u32>) {
//!     tokio::task::yield_now().await;
//!     println!("{number}");
//! }
//!
//! async fn program() {
//!     tokio::spawn(task(Rc::new(1)));
//! }
//! ```
//!
//! On this thread alone it can:
//!
//! ```
//! use std::rc::Rc;
//!
//! async fn task(number: Rc<u32>) {
//!     tokio::task::yield_now().await;
//!     println!("{number}");
//! }
//!
//! async fn program() {
//!     tokio::task::spawn_local(task(Rc::new(1)));
//! }
//! ```
//!
//! And a timer is rounded up to the next millisecond:
//!
//! ```
//! use std::time::Duration;
//! use tokio::time::{Instant, sleep};
//!
//! let builder = &mut tokio::runtime::Builder::new_current_thread();
//! let runtime = builder.enable_time().start_paused(true).build().unwrap();
//! runtime.block_on(async {
//!     let start = Instant::now();
//!     sleep(Duration::from_nanos(1)).await;
//!     assert_eq!(start.elapsed(), Duration::from_millis(1));
//! });
//! ```
//!
//! A sleep counts from its call, as on watchglass:
//!
//! ```
//! use std::time::Duration;
//! use tokio::time::{Instant, sleep};
//!
//! let builder = &mut tokio::runtime::Builder::new_current_thread();
//! let runtime = builder.enable_time().start_paused(true).build().unwrap();
//! runtime.block_on(async {
//!     let start = Instant::now();
//!     let first = sleep(Duration::from_millis(200));
//!     let second = sleep(Duration::from_millis(100));
//!     first.await;
//!     second.await;
//!     assert_eq!(start.elapsed(), Duration::from_millis(200));
//! });
//! ```
