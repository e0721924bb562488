//! A pool of threads for closures that block: it grows on demand, is bounded, and shrinks when it
//! has nothing to do.
//!
//! Its queue is a channel. What must change together is under one lock: a closure is queued, and a
//! thread gives up waiting, only with the lock held. So either the thread finds the closure, or
//! whoever queues the closure finds the thread gone and starts another.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::guard::{contain, drop_contained};

/// A closure to be run on some thread.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Starts a thread under a name. Another function than the operating system's only in tests.
pub(crate) type StartThread = fn(String, Job) -> io::Result<()>;

pub(crate) struct Pool {
    jobs: Sender<Job>,
    workers: Arc<Workers>,
    max_threads: usize,
    start_thread: StartThread,
}

struct Workers {
    jobs: Receiver<Job>,
    /// How long a thread waits for a closure before it ends.
    keep_alive: Duration,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    threads: usize,
    /// Threads that wait for a closure.
    idle: usize,
    /// Closures that no thread has claimed yet. One may have left the channel already: then its thread is
    /// still counted as idle, and both counts change together.
    queued: usize,
    /// Only for the threads' names.
    started: usize,
}

impl Pool {
    pub(crate) const MAX_THREADS: usize = 512;
    pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);

    /// A pool without any thread: the first closure starts the first.
    pub(crate) fn new(max_threads: usize, keep_alive: Duration) -> Self {
        let (sender, receiver) = unbounded();
        Pool {
            jobs: sender,
            workers: Arc::new(Workers {
                jobs: receiver,
                keep_alive,
                counts: Mutex::new(Counts::default()),
            }),
            max_threads,
            start_thread: start_os_thread,
        }
    }

    /// A pool that starts its threads in another way.
    #[cfg(test)]
    pub(crate) fn starting_with(start_thread: StartThread) -> Self {
        Pool {
            start_thread,
            ..Pool::new(Pool::MAX_THREADS, Pool::KEEP_ALIVE)
        }
    }

    /// Queues a closure. It runs as soon as a thread is free.
    ///
    /// # Errors
    ///
    /// If the pool has no thread at all and the operating system refuses to start one. Then the
    /// closure is dropped.
    pub(crate) fn submit(&self, job: Job) -> io::Result<()> {
        let mut counts = self.workers.lock();
        if counts.idle <= counts.queued && counts.threads < self.max_threads {
            // Linux shows the first 15 letters.
            let name = format!("blocking-{}", counts.started);
            let workers = self.workers.clone();
            match (self.start_thread)(name, Box::new(move || workers.work())) {
                Ok(()) => {
                    counts.threads += 1;
                    counts.started += 1;
                }
                // The threads that there are will come to it.
                Err(_) if counts.threads > 0 => {}
                Err(error) => {
                    drop(counts);
                    drop_contained(job);
                    return Err(error);
                }
            }
        }
        counts.queued += 1;
        self.jobs.send(job).expect("the pool has a receiver itself");
        Ok(())
    }
}

impl Workers {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread of the pool does, from its start to its end.
    fn work(&self) {
        loop {
            self.lock().idle += 1;
            let job = self.jobs.recv_timeout(self.keep_alive);
            let mut counts = self.lock();
            counts.idle -= 1;
            match job {
                Ok(job) => {
                    counts.queued -= 1;
                    drop(counts);
                    contain(job);
                }
                Err(_) if counts.queued == 0 => {
                    counts.threads -= 1;
                    return;
                }
                Err(_) => {}
            }
        }
    }
}

fn start_os_thread(name: String, work: Job) -> io::Result<()> {
    thread::Builder::new().name(name).spawn(work).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::mem;
    use std::sync::Barrier;
    use std::sync::mpsc;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(60);

    fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < LONG, "waited for a minute: {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn an_executor_s_pool_has_the_limits_that_the_docs_state() {
        let executor = crate::Executor::new();
        let pool = &executor.shared.pool;
        assert_eq!(pool.max_threads, 512);
        assert_eq!(pool.workers.keep_alive, Duration::from_secs(10));
    }

    #[test]
    fn it_grows_on_demand_and_not_beyond_its_bound() {
        let pool = Pool::new(3, LONG);
        let (done, results) = mpsc::channel();
        let together = Arc::new(Barrier::new(3));
        for _ in 0..30 {
            let (done, together) = (done.clone(), together.clone());
            // Three at a time, or nobody gets past the barrier.
            let job = move || {
                together.wait();
                done.send(thread::current().id()).unwrap();
            };
            pool.submit(Box::new(job)).unwrap();
        }
        let threads: HashSet<_> = (0..30)
            .map(|_| results.recv_timeout(LONG).unwrap())
            .collect();
        assert_eq!(threads.len(), 3);
    }

    #[test]
    fn an_idle_thread_is_used_again() {
        let pool = Pool::new(8, LONG);
        let (done, results) = mpsc::channel();
        for _ in 0..50 {
            wait_until("the thread is idle", || {
                let counts = pool.workers.lock();
                counts.idle == counts.threads
            });
            let done = done.clone();
            pool.submit(Box::new(move || done.send(()).unwrap()))
                .unwrap();
            results.recv_timeout(LONG).unwrap();
        }
        assert_eq!(pool.workers.lock().started, 1);
    }

    #[test]
    fn it_shrinks_when_idle_and_grows_again() {
        let pool = Pool::new(8, Duration::from_millis(5));
        for _ in 0..3 {
            let (done, results) = mpsc::channel();
            pool.submit(Box::new(move || done.send(()).unwrap()))
                .unwrap();
            results.recv_timeout(LONG).unwrap();
            wait_until("no thread is left", || pool.workers.lock().threads == 0);
        }
        assert_eq!(pool.workers.lock().started, 3);
    }

    #[test]
    fn a_closure_never_waits_behind_one_that_waits_for_it() {
        for _ in 0..500 {
            let pool = Pool::new(8, LONG);
            let (send, receive) = mpsc::channel::<()>();
            let (done, results) = mpsc::channel();
            let finished = done.clone();
            let first = move || {
                receive.recv_timeout(LONG).unwrap();
                finished.send(()).unwrap();
            };
            // Let a thread become idle first: that is when two closures might be promised to it.
            pool.submit(Box::new(move || done.send(()).unwrap()))
                .unwrap();
            results.recv_timeout(LONG).unwrap();
            pool.submit(Box::new(first)).unwrap();
            pool.submit(Box::new(move || send.send(()).unwrap()))
                .unwrap();
            results.recv_timeout(LONG).unwrap();
        }
    }

    #[test]
    fn a_closure_that_races_the_last_idle_thread_is_run() {
        let pool = Pool::new(1, Duration::from_micros(50));
        for _ in 0..2000 {
            let (done, results) = mpsc::channel();
            pool.submit(Box::new(move || done.send(()).unwrap()))
                .unwrap();
            results.recv_timeout(LONG).expect("the closure is run");
            thread::sleep(Duration::from_micros(50));
        }
    }

    #[test]
    fn a_closure_that_is_queued_while_the_last_thread_gives_up_is_run() {
        let pool = Pool::new(1, Duration::from_millis(20));
        let start = Instant::now();
        let mut counts = loop {
            assert!(start.elapsed() < LONG, "no thread waits");
            let counts = pool.workers.lock();
            if counts.idle == 1 && counts.queued == 0 {
                break counts;
            }
            let is_over = counts.threads == 0;
            drop(counts);
            if is_over {
                pool.submit(Box::new(|| ())).unwrap();
            }
            thread::yield_now();
        };
        // The thread waits; soon it has waited for long enough, and cannot say so.
        thread::sleep(Duration::from_millis(100));
        let (done, results) = mpsc::channel();
        let job = Box::new(move || done.send(()).unwrap());
        pool.jobs.send(job).unwrap();
        counts.queued += 1;
        drop(counts);
        results.recv_timeout(LONG).expect("the closure is run");
    }

    #[test]
    fn without_any_thread_the_closure_is_refused_and_dropped() {
        let mut pool = Pool::new(8, LONG);
        pool.start_thread = |_, _| Err(io::Error::other("no more threads"));
        let token = Arc::new(());
        let held = token.clone();
        let error = pool.submit(Box::new(move || drop(held))).unwrap_err();
        assert_eq!(error.to_string(), "no more threads");
        assert_eq!(Arc::strong_count(&token), 1);
        assert_eq!(pool.workers.lock().queued, 0);
    }

    #[test]
    fn a_refused_closure_may_panic_in_its_drop() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let mut pool = Pool::new(8, LONG);
        pool.start_thread = |_, _| Err(io::Error::other("no more threads"));
        let bomb = Bomb;
        let refused = pool.submit(Box::new(move || mem::forget(bomb)));
        assert_eq!(refused.unwrap_err().to_string(), "no more threads");
    }

    #[test]
    fn with_one_thread_the_closure_waits_for_it() {
        let mut pool = Pool::new(8, LONG);
        let (go, wait) = mpsc::channel::<()>();
        let (done, results) = mpsc::channel();
        pool.submit(Box::new(move || wait.recv().unwrap())).unwrap();
        pool.start_thread = |_, _| Err(io::Error::other("no more threads"));
        pool.submit(Box::new(move || done.send(()).unwrap()))
            .unwrap();
        go.send(()).unwrap();
        results.recv_timeout(LONG).unwrap();
    }
}
