//! With the feature `timer-slack`, an executor is woken as punctually as the kernel can. (Without it there is nothing
//! to test here.)

#![cfg(all(feature = "timer-slack", target_os = "linux"))]

use std::thread;

use rustix::thread::current_timer_slack;
use watchglass::Executor;

#[test]
fn an_executor_lowers_the_slack_of_its_thread_and_of_no_other() {
    let slack_ns = || current_timer_slack().unwrap();
    let before_ns = slack_ns();
    let on_another = thread::spawn(move || {
        let _executor = Executor::new();
        assert_eq!(slack_ns(), 1);
    });
    on_another.join().unwrap();
    assert_eq!(slack_ns(), before_ns);
}
