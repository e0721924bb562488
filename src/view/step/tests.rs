use std::cell::OnceCell;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::trace::{Cause, Observer, Recording};
use crate::{
    AbortHandle, Executor, join_all, sleep, spawn_blocking, spawn_named, timeout, yield_now,
};

fn recorded() -> (Executor, Recording) {
    let recording = Recording::new();
    let builder = Executor::builder().virtual_time();
    (builder.observer(recording.clone()).build(), recording)
}

/// Twenty tasks of one name, each with a timer, after a task that ends at once and a timer that wakes nobody.
fn crowd() -> Recording {
    let (executor, recording) = recorded();
    executor.block_on(async {
        let nap = || sleep(Duration::from_secs(1));
        let mut of_nobody = pin!(nap());
        let nobody = &mut Context::from_waker(Waker::noop());
        assert!(of_nobody.as_mut().poll(nobody).is_pending());
        spawn_named("early", yield_now()).await.unwrap();
        let naps: Vec<_> = (0..20).map(|_| spawn_named("nap", nap())).collect();
        drop(join_all(naps).await);
    });
    recording
}

/// What the walk shows last.
fn shown(recording: &Recording, commands: &[&str]) -> String {
    let (input, mut output) = (commands.join("\n"), Vec::new());
    let walked = recording.read(|records| walk(records, input.as_bytes(), &mut output));
    walked.unwrap();
    let output = String::from_utf8(output).unwrap();
    output.rsplit("\nstep ").next().unwrap().to_owned()
}

#[test]
fn what_a_task_does_is_known_also_where_the_log_is_full() {
    let (executor, recording) = recorded();
    executor.block_on(async {});
    let mut records = recording.take();
    let is_ended = |record: &Record| matches!(record.event, Event::PollEnded { .. });
    let events = records.iter().position(is_ended).unwrap() + 1;
    records.truncate(events);
    let full = Event::LogFull { events };
    for text in ["before", "after"] {
        let recording: Recording = records.iter().cloned().collect();
        let shown = shown(&recording, &[&(records.len() - 1).to_string()]);
        assert!(shown.contains("it has its output"), "{text}: {shown}");
        let (seq, time) = (events as u64, Duration::ZERO);
        let event = full.clone();
        records.push(Record { seq, time, event });
    }
}

#[test]
fn a_long_name_is_cut_in_the_lists() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        let long = "x".repeat(2_000);
        spawn_named(long, sleep(Duration::from_secs(1)))
            .await
            .unwrap();
    });
    let armed = |event: &Event| matches!(event, Event::TimerArmed { .. });
    let step = recording.events().iter().position(armed).unwrap();
    for step in [2, step] {
        let shown = shown(&recording, &[&format!("{}", step + 1)]);
        let lists = shown.lines().skip(2);
        assert!(lists.clone().any(|line| line.contains("xxx…")), "{shown}");
        assert!(lists.clone().all(|line| line.len() < 250), "{shown}");
    }
}

#[test]
fn whole_words_are_commands_too() {
    let words = [
        "next", "back", "help", "next", "poll", "forward", "why", "quit", "b",
    ];
    let letters = ["n", "b", "h", "n", "p", "", "w", "q"];
    assert_eq!(shown(&crowd(), &words), shown(&crowd(), &letters));
}

#[test]
fn who_is_woken_waits_no_more_and_a_closure_s_task_waits_for_the_closure() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        drop(join_all([1, 2].map(|n| sleep(Duration::from_secs(n)))).await);
        spawn_blocking(|| ()).await.unwrap();
    });
    let at_the_wake = shown(&recording, &["n", "n", "b"]);
    assert!(
        at_the_wake.contains(": woken, in the ready queue"),
        "{at_the_wake}"
    );
    let started = |event: &Event| matches!(event, Event::BlockingStarted { .. });
    let step = recording.events().iter().position(started).unwrap();
    let handed_over = shown(&recording, &[&format!("{step}")]);
    assert!(
        handed_over.contains(": waiting until it has run on another thread"),
        "{handed_over}"
    );
}

#[test]
fn what_is_dropped_does_not_run_and_a_wake_leads_to_no_wake() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        let aborted = spawn_named("aborted", yield_now());
        drop(spawn_named("left", std::future::pending::<()>()));
        aborted.abort();
        yield_now().await;
    });
    drop(executor);
    let events = recording.events();
    let step = |is: fn(&Event) -> bool| events.iter().position(is).unwrap().to_string();
    let is_abort =
        |event: &Event| matches!(event, Event::PollStarted { why, .. } if *why == Cause::Aborted);
    for step in [
        step(is_abort),
        step(|event| matches!(event, Event::Dropping { .. })),
    ] {
        let dropped = shown(&recording, &[&step]);
        assert!(dropped.contains(": being dropped"), "{dropped}");
    }
    let woken = step(|event| matches!(event, Event::Woken { .. }));
    let refused = shown(&recording, &[&woken, "w"]);
    assert!(refused.contains("this step is a wake itself"), "{refused}");
}

#[test]
fn of_many_tasks_and_timers_the_first_are_listed_and_the_others_counted() {
    let recording = crowd();
    let asleep = shown(&recording, &["p nap #20"]);
    for lines in [
        "  nap #14: waiting for its timer for 1.000 s\n> nap #20: running, poll 1\n  and 6 tasks more\n",
        "  timer 0  uses a waker at 1.000 s, in level 4",
        "  timer 15  wakes nap #15 at 1.000 s, in level 4, slot 59 of the wheel\n  and 4 timers more\n",
    ] {
        assert!(asleep.contains(lines), "{asleep}");
    }
    assert!(!asleep.contains("early"), "it has ended: {asleep}");
    let woken = shown(&recording, &["p nap #20", "p nap #1.1", "b"]);
    let queue = "nap #16 (its timer for 1.000 s fired), then 4 more\n";
    assert!(woken.contains(queue), "{woken}");
}

#[test]
fn a_task_is_followed_by_its_label_its_id_or_its_name() {
    let (recording, mut commands) = (crowd(), Vec::new());
    for (command, says) in [
        ("p nap #7", "nap #7 polled (poll 1): it is new"),
        ("p #8", "nap #8 polled (poll 1): it is new"),
        ("p 9", "nap #9 polled (poll 1): it is new"),
        (
            "p nap",
            "several are called `nap`: nap #1.1, nap #2, nap #3, ",
        ),
        ("p early", "early is not polled after this step"),
    ] {
        commands.push(command);
        let shown = shown(&recording, &commands);
        assert!(shown.contains(says), "{command}: {shown}");
    }
}

#[test]
fn a_task_is_followed_by_its_label_in_full_or_as_it_is_shown() {
    let (executor, recording) = recorded();
    let name = "a long name ".repeat(9);
    let [first, _second] = [1, 2].map(|_| executor.spawn_named(name.clone(), async {}));
    executor.run_until_idle();
    let names = recording.read(Names::of);
    let [full, cut] = [names.clone(), names.cut()].map(|names| names.task(first.id()));
    assert!(full.starts_with(&name) && !cut.starts_with(&name));
    for label in [full, cut] {
        let shown = shown(&recording, &[&format!("p {label}")]);
        let polled = " polled (poll 1): it is new";
        assert!(shown.contains(polled), "{label}: {shown}");
    }
}

#[test]
fn what_is_no_command_is_refused_with_what_there_is() {
    let many = shown(&crowd(), &["p x\u{1b}[A"]);
    let refused = "> no task is called `x\\u{1b}[A`; there are: crowd, early, nap #1.1, nap #2,";
    assert!(many.contains(refused), "{many}");
    assert!(many.contains(" nap #18 and 2 more\n"), "{many}");
    for wrong in ["\u{1b}[A", "b 5", "+5", "-1", "5 6"] {
        let shown = shown(&crowd(), &[wrong]);
        let refused = format!("> `{}` is no command\n{HELP}\n", OneLine(wrong));
        assert!(shown.contains(&refused), "{shown}");
    }
    // And what is no text at all is not the end of the walk.
    let mut output = Vec::new();
    let input: &[u8] = b"\xff\n2\n";
    let walked = crowd().read(|records| walk(records, input, &mut output));
    walked.unwrap();
    let output = String::from_utf8(output).unwrap();
    assert!(
        output.contains("is no command") && output.contains("\nstep 2 of"),
        "{output}"
    );
}

#[test]
fn what_was_found_is_listed_at_first_and_f_leads_there() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        drop(spawn_named("forgets", pending::<()>()));
        spawn_named("panics", async { panic!("on purpose") })
            .await
            .unwrap_or(());
    });
    let mut output = Vec::new();
    recording
        .read(|records| walk(records, &b"f\nf\nf\n"[..], &mut output))
        .unwrap();
    let output = String::from_utf8(output).unwrap();
    let found: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("found at step "))
        .collect();
    assert_eq!(found.len(), 2, "{output}");
    let mut steps = output.split("\nstep ").skip(2);
    for found in found {
        let (step, says) = found["found at step ".len()..]
            .split_once(": 0.000 s  ")
            .unwrap();
        let shown = steps.next().unwrap();
        assert!(
            shown.starts_with(&format!("{step} of ")) && shown.contains(says),
            "{output}"
        );
    }
    assert!(output.contains("> nothing more was found to be wrong after this step\n"));
    let nothing = shown(&crowd(), &["f"]);
    assert!(
        nothing.contains("> nothing was found to be wrong\n"),
        "{nothing}"
    );
    // Also at the end of the poll, one step before that is found.
    for commands in [&["f"][..], &["f", "b"]] {
        let shown = shown(&recording, commands);
        assert!(
            shown.contains("  forgets: waiting, and nobody has its waker\n"),
            "{shown}"
        );
    }
}

#[test]
fn who_is_aborted_is_shown_as_such_at_every_stage() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        let [new, waits] = ["new", "waits"].map(|name| spawn_named(name, pending::<()>()));
        yield_now().await;
        let later = spawn_named("later", pending::<()>());
        later.abort();
        waits.abort();
        drop((new, later));
        yield_now().await;
    });
    let aborted = |event: &Event| matches!(event, Event::Detached { .. });
    let shown = shown(&recording, &[&step_of(&recording, aborted)]);
    for stage in [
        "later: new, in the ready queue, aborted\n",
        "waits: to be dropped, in the ready queue, aborted\n",
    ] {
        assert!(shown.contains(stage), "{shown}");
    }
}

#[test]
fn the_first_step_is_where_it_goes_back_no_further_and_help_is_there() {
    for (command, says) in [("b", "this is the first step\n"), ("h", HELP), ("?", HELP)] {
        let shown = shown(&crowd(), &[command]);
        assert!(shown.starts_with("0 of "), "{shown}");
        assert!(shown.contains(&format!("> {says}")), "{shown}");
    }
}

#[test]
fn the_last_lines_that_were_printed_are_shown_and_that_the_thread_is_parked() {
    let recording = Recording::new();
    let lines = (1..4).map(|n| Event::Printed {
        task: None,
        text: format!("{n}, a\n{n}, b\n"),
    });
    for (seq, event) in (0..).zip(lines.chain([Event::Parked { until: None }])) {
        let time = Duration::ZERO;
        recording.observe(&Record { seq, time, event });
    }
    let [printed, parked] = ["2", "3"].map(|step| shown(&recording, &[step]));
    assert!(!printed.contains("; the thread is parked"), "{printed}");
    assert!(parked.contains("; the thread is parked\n"), "{parked}");
    let lines = parked
        .lines()
        .filter_map(|line| line.strip_prefix("  printed  "));
    assert_eq!(lines.collect::<Vec<_>>(), ["2, a", "2, b", "3, a", "3, b"]);
}

#[test]
fn w_asks_of_the_poll_that_one_is_in_or_at_the_end_of() {
    let (executor, recording) = recorded();
    executor.block_on(async { sleep(Duration::from_secs(1)).await });
    let answer = |is: fn(&Event) -> bool| shown(&recording, &[&step_of(&recording, is), "w"]);
    let fires = answer(|event| matches!(event, Event::TimerFired { .. }));
    assert!(fires.contains("no poll goes on at this step"), "{fires}");
    for is_in_second_poll in [
        |event: &Event| {
            matches!(
                event,
                Event::PollStarted {
                    why: Cause::Timer(_),
                    ..
                }
            )
        },
        |event: &Event| matches!(event, Event::PollEnded { ready: true, .. }),
        |event: &Event| matches!(event, Event::Completed { .. }),
    ] {
        let why = answer(is_in_second_poll);
        assert!(
            why.contains("ready queue: its timer for 1.000 s fired"),
            "{why}"
        );
    }
}

#[test]
fn p_follows_who_was_polled_last_and_not_who_was_woken_in_vain() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        let ends = poll_fn(|cx| Poll::Ready(cx.waker().clone()));
        spawn_named("ended", ends).await.unwrap().wake();
        yield_now().await;
    });
    let in_vain = |event: &Event| {
        let Event::Woken { effect, .. } = event else {
            return false;
        };
        *effect == Effect::Finished
    };
    let step = step_of(&recording, in_vain);
    let next = shown(&recording, &[&step, "p"]);
    assert!(next.contains("polled (poll 3): it woke itself"), "{next}");
    let why = shown(&recording, &[&step, "w"]);
    assert!(
        why.contains("is a wake itself, and it did nothing"),
        "{why}"
    );
}

/// The step of the first such event.
fn step_of(recording: &Recording, is_it: impl Fn(&Event) -> bool) -> String {
    let step = recording.events().iter().position(is_it);
    step.unwrap().to_string()
}

#[test]
fn a_task_that_aborts_itself_runs_until_its_poll_is_over() {
    let (executor, recording) = recorded();
    let own = Rc::new(OnceCell::<AbortHandle>::new());
    let selfish = {
        let own = own.clone();
        async move {
            own.get().unwrap().abort();
            drop(spawn_named("child", async {}));
            yield_now().await;
        }
    };
    let selfish = executor.spawn_named("selfish", selfish);
    own.set(selfish.abort_handle()).unwrap();
    executor.block_on(selfish).unwrap_err();
    let is_child = |event: &Event| matches!(event, Event::Spawned { name, .. } if name == "child");
    let is_dropped = |event: &Event| {
        matches!(
            event,
            Event::PollStarted {
                why: Cause::Aborted,
                ..
            }
        )
    };
    let runs = shown(&recording, &[&step_of(&recording, is_child)]);
    assert!(runs.contains("> selfish: running, poll 1"), "{runs}");
    let dropped = shown(&recording, &[&step_of(&recording, is_dropped)]);
    assert!(dropped.contains("> selfish: being dropped"), "{dropped}");
}

#[test]
fn the_wakers_of_the_main_task_that_cannot_be_counted_later_are_not_counted_at_first() {
    let (executor, recording) = recorded();
    executor.block_on(async {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        yield_now().await;
        drop(waker);
    });
    let is_counted = |event: &Event| {
        matches!(
            event,
            Event::PollEnded {
                wakers: Some(1),
                ..
            }
        )
    };
    let pending = shown(&recording, &[&step_of(&recording, is_counted)]);
    assert!(!pending.contains("of its waker"), "{pending}");
}

#[test]
fn who_is_ready_is_so_until_its_end_also_where_its_poll_was_long() {
    let recording = Recording::new();
    let builder = Executor::builder().virtual_time().long_poll(Duration::ZERO);
    builder
        .observer(recording.clone())
        .build()
        .block_on(async {});
    let is_long = |event: &Event| matches!(event, Event::LongPoll(_));
    let found = shown(&recording, &[&step_of(&recording, is_long)]);
    assert!(found.contains(": ready: it has its output\n"), "{found}");
}

#[test]
fn what_a_task_waits_for_is_the_same_when_its_limit_has_fired() {
    let (executor, recording) = recorded();
    let limited = timeout(Duration::from_secs(1), pending::<()>());
    executor.block_on(limited).unwrap_err();
    let has_fired = |event: &Event| matches!(event, Event::TimerFired { .. });
    let fired = shown(&recording, &[&step_of(&recording, has_fired)]);
    let waits = "waiting for a future that is not watchglass's and its time limit at 1.000 s";
    assert!(fired.contains(waits), "{fired}");
}
