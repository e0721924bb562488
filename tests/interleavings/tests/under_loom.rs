//! Every order of the steps, with at most three preemptions.

use interleavings::{hold, under_loom};

fn check(scenario: fn()) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(scenario);
}

#[test]
fn loom_finds_nothing_in_the_inbox_and_something_in_every_fault() {
    hold(under_loom::inbox::COPIES, check, |_| true);
}

#[test]
fn loom_finds_nothing_in_a_join_and_something_in_every_fault() {
    hold(under_loom::join::COPIES, check, |_| true);
}
