//! Every order of the steps, with at most three preemptions.

#[test]
fn loom_finds_nothing_in_the_inbox_and_something_in_every_fault() {
    let check = |scenario: fn()| {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(scenario);
    };
    interleavings::hold(interleavings::under_loom::INBOXES, check, |_| true);
}
