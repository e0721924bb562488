//! Random orders of the steps.

#[test]
fn shuttle_finds_nothing_in_the_inbox_and_something_in_every_fault_of_order() {
    let check = |scenario: fn()| {
        shuttle::check_random(scenario, 2000);
        // At most two switches, at random places.
        shuttle::check_pct(scenario, 2000, 3);
    };
    // The others are wrong only under a weaker memory model than the one that shuttle knows.
    let wanted = |fault: &str| {
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
    };
    interleavings::hold(interleavings::under_shuttle::INBOXES, check, wanted);
}
