//! Random orders of the steps.

use interleavings::{hold, under_shuttle};
use shuttle::scheduler::PctScheduler;
use shuttle::{Config, Runner};

/// Always the same orders: a fault that some of them show is found each time.
const SEED: u64 = 1;
const ORDERS: usize = 4000;

fn check(scenario: fn()) {
    shuttle::check_random_with_seed(scenario, SEED, ORDERS);
    // At most two switches, at random places.
    let switches = PctScheduler::new_from_seed(SEED, 3, ORDERS);
    Runner::new(switches, Config::new()).run(scenario);
}

/// The others are wrong only under a weaker memory model than the one that shuttle knows.
fn is_of_order(fault: &str) -> bool {
    let faults_of_order = [
        "flag_cleared_after_the_poll",
        "inbox_looked_at_before_the_parked_mark",
        "unpark_dropped",
        "unparked_before_the_letter_is_sent",
        "nobody_unparked_when_a_job_ends",
        "nobody_unparked_when_the_last_waker_goes",
        "what_is_not_in_the_inbox_not_looked_at_again",
        "mail_raised_before_the_letter_is_sent",
    ];
    faults_of_order.contains(&fault)
}

#[test]
fn shuttle_finds_nothing_in_the_inbox_and_something_in_every_fault_of_order() {
    hold(under_shuttle::inbox::COPIES, check, is_of_order);
}

#[test]
fn shuttle_finds_nothing_in_a_join_and_something_in_every_fault_of_order() {
    let wanted = |fault: &str| fault != "flag_cleared_without_the_lock";
    hold(under_shuttle::join::COPIES, check, wanted);
}
