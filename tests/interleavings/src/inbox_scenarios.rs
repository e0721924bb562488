//! What the threads do: programs for the inbox of the module in which the macro stands.
//!
//! The executor in them is the real one's loop in short: receive, poll, park.

/// The scenarios, once for each copy of the inbox: a macro, because each copy has its own types.
#[macro_export]
macro_rules! inbox_scenarios {
    () => {
        use super::atomic::AtomicUsize as Written;

        pub const SCENARIOS: &[(&str, fn())] = &[
            ("two_threads_wake_one_task", two_threads_wake_one_task),
            ("one_thread_wakes_twice", one_thread_wakes_twice),
            (
                "two_threads_and_a_busy_executor",
                two_threads_and_a_busy_executor,
            ),
            ("a_job_wakes_and_ends", a_job_wakes_and_ends),
            ("a_job_ends_without_a_wake", a_job_ends_without_a_wake),
            ("the_last_waker_is_dropped", the_last_waker_is_dropped),
        ];

        const TASK: TaskId = TaskId(7);

        fn executor() -> (Arc<Home>, Inbox, Arc<TaskWaker>) {
            $crate::forget_late();
            let (home, inbox) = Home::new(None);
            let waker = TaskWaker::new(home.clone());
            waker.set_task(TASK);
            (home, inbox, waker)
        }

        /// Runs the task until its poll has seen what it waits for.
        fn run(home: &Home, inbox: &Inbox, done: impl Fn() -> bool) {
            let mut look = home.take_mail();
            loop {
                for _ in 0..if look { inbox.len() } else { 0 } {
                    assert_eq!(inbox.receive(), Some((TASK, false)));
                    let done = done();
                    $crate::the_poll_is_over();
                    if done {
                        return;
                    }
                }
                let ended = inbox.park(home, None, || false);
                look = ended == ParkEnd::NotParked || home.take_mail();
            }
        }

        /// Each thread writes something down and wakes. The poll that sees both may be due to
        /// either wake.
        fn two_threads_wake_one_task() {
            let (home, inbox, waker) = executor();
            let written = Arc::new([Written::new(0), Written::new(0)]);
            for thread in 0..2 {
                let (written, waker) = (written.clone(), waker.clone());
                super::spawn(move || {
                    written[thread].store(1, Ordering::Relaxed);
                    waker.send();
                });
            }
            run(&home, &inbox, || {
                written.iter().all(|w| w.load(Ordering::Relaxed) == 1)
            });
        }

        /// What is written before the second wake must be seen too, wherever the first poll is.
        fn one_thread_wakes_twice() {
            let (home, inbox, waker) = executor();
            let written = Arc::new(Written::new(0));
            let writes = written.clone();
            super::spawn(move || {
                for number in 1..3 {
                    writes.store(number, Ordering::Relaxed);
                    waker.send();
                }
            });
            run(&home, &inbox, || written.load(Ordering::Relaxed) == 2);
        }

        /// An executor that never parks looks into its inbox only if there is mail: no letter may be
        /// left there without.
        fn two_threads_and_a_busy_executor() {
            let (home, inbox, first) = executor();
            let second = TaskWaker::new(home.clone());
            second.set_task(TASK);
            let turn = || {
                if home.take_mail() {
                    for _ in 0..inbox.len() {
                        inbox.receive();
                    }
                }
            };
            let send = |waker: Arc<TaskWaker>| super::spawn(move || waker.send());
            let threads = [first, second].map(send);
            turn();
            turn();
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            turn();
            assert!(
                inbox.is_empty(),
                "a lost wake: there is a letter and no mail"
            );
        }

        /// Once no job is out and the inbox is empty, no wake is on its way.
        fn a_job_wakes_and_ends() {
            let (home, inbox, waker) = executor();
            home.blocking_call_starts();
            let job = home.clone();
            super::spawn(move || {
                waker.send();
                job.blocking_call_ended();
            });
            loop {
                if inbox.receive().is_some() {
                    return;
                }
                let jobs = home.blocking_calls();
                if jobs == 0 {
                    assert!(!inbox.is_empty(), "a false verdict: a wake is on its way");
                } else {
                    inbox.park(&home, None, || home.blocking_calls() != jobs);
                }
            }
        }

        /// A job that is dropped unrun wakes nobody, but the executor must not wait for it.
        fn a_job_ends_without_a_wake() {
            let (home, inbox, _) = executor();
            home.blocking_call_starts();
            let job = home.clone();
            super::spawn(move || job.blocking_call_ended());
            loop {
                let jobs = home.blocking_calls();
                if jobs == 0 {
                    return;
                }
                inbox.park(&home, None, || home.blocking_calls() != jobs);
            }
        }

        /// The executor is parked only because somebody has a waker, and must not stay so when
        /// nobody has.
        fn the_last_waker_is_dropped() {
            let (home, inbox, waker) = executor();
            for _ in 0..2 {
                let theirs = waker.clone();
                super::spawn(move || drop(theirs));
            }
            let watched = waker.watch();
            let is_gone = || watched.strong_count() == 0;
            while !is_gone() {
                inbox.park(&home, None, is_gone);
            }
            assert!(TaskWaker::end_watch(&watched).is_none());
        }
    };
}
