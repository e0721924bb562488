//! Four async functions, and beside each the enum and the `poll` that it stands for, by hand.
//!
//! The states have the names that the compiler gives them. Where it gives none, the hand-written
//! one does what the compiler's does: `mem::replace` leaves `Panicked` behind while the body runs,
//! so that a panic finds the right state in place.

use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::leaf::{Sleep, join, say, sleep};

// ---- one await ----

pub(crate) async fn task_async(name: &'static str, delay: Duration) {
    say(name, "starting");
    sleep(delay).await;
    say(name, "done");
}

pub(crate) enum TaskAsync {
    Unresumed { name: &'static str, delay: Duration },
    Suspend0 { name: &'static str, sleep: Sleep },
    Returned,
    Panicked,
}

/// The call: it packs its arguments and runs nothing.
pub(crate) fn task_async_by_hand(name: &'static str, delay: Duration) -> TaskAsync {
    TaskAsync::Unresumed { name, delay }
}

impl Future for TaskAsync {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.get_mut();
        loop {
            match mem::replace(state, TaskAsync::Panicked) {
                TaskAsync::Unresumed { name, delay } => {
                    say(name, "starting");
                    let sleep = sleep(delay);
                    *state = TaskAsync::Suspend0 { name, sleep };
                }
                TaskAsync::Suspend0 { name, mut sleep } => {
                    if Pin::new(&mut sleep).poll(cx).is_pending() {
                        *state = TaskAsync::Suspend0 { name, sleep };
                        return Poll::Pending;
                    }
                    drop(sleep);
                    say(name, "done");
                    *state = TaskAsync::Returned;
                    return Poll::Ready(());
                }
                TaskAsync::Returned => {
                    *state = TaskAsync::Returned;
                    panic!("`async fn` resumed after completion");
                }
                TaskAsync::Panicked => panic!("`async fn` resumed after panicking"),
            }
        }
    }
}

impl fmt::Debug for TaskAsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskAsync::Unresumed { name, delay } => {
                write!(f, "Unresumed {{ name: {name:?}, delay: {delay:?} }}")
            }
            TaskAsync::Suspend0 { name, .. } => write!(f, "Suspend0 {{ name: {name:?}, sleep }}"),
            TaskAsync::Returned => f.write_str("Returned"),
            TaskAsync::Panicked => f.write_str("Panicked"),
        }
    }
}

// ---- two awaits, and a borrow that lives across both ----

pub(crate) async fn first_word(text: String) -> usize {
    let word = text.split(' ').next().unwrap_or_default();
    sleep(Duration::from_secs(1)).await;
    say(word, "after one await");
    sleep(Duration::from_secs(2)).await;
    say(word, "after two awaits");
    word.len()
}

/// Where the compiler keeps a pointer into `text`, safe code keeps the place of the word in it.
pub(crate) enum FirstWord {
    Unresumed {
        text: String,
    },
    Suspend0 {
        text: String,
        word: Range<usize>,
        sleep: Sleep,
    },
    Suspend1 {
        text: String,
        word: Range<usize>,
        sleep: Sleep,
    },
    Returned,
    Panicked,
}

pub(crate) fn first_word_by_hand(text: String) -> FirstWord {
    FirstWord::Unresumed { text }
}

impl Future for FirstWord {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let state = self.get_mut();
        loop {
            match mem::replace(state, FirstWord::Panicked) {
                FirstWord::Unresumed { text } => {
                    let word = 0..text.split(' ').next().unwrap_or_default().len();
                    let sleep = sleep(Duration::from_secs(1));
                    *state = FirstWord::Suspend0 { text, word, sleep };
                }
                FirstWord::Suspend0 {
                    text,
                    word,
                    sleep: mut first,
                } => {
                    if Pin::new(&mut first).poll(cx).is_pending() {
                        *state = FirstWord::Suspend0 {
                            text,
                            word,
                            sleep: first,
                        };
                        return Poll::Pending;
                    }
                    drop(first);
                    say(&text[word.clone()], "after one await");
                    let sleep = sleep(Duration::from_secs(2));
                    *state = FirstWord::Suspend1 { text, word, sleep };
                }
                FirstWord::Suspend1 {
                    text,
                    word,
                    mut sleep,
                } => {
                    if Pin::new(&mut sleep).poll(cx).is_pending() {
                        *state = FirstWord::Suspend1 { text, word, sleep };
                        return Poll::Pending;
                    }
                    drop(sleep);
                    say(&text[word.clone()], "after two awaits");
                    *state = FirstWord::Returned;
                    return Poll::Ready(word.len());
                }
                FirstWord::Returned => {
                    *state = FirstWord::Returned;
                    panic!("`async fn` resumed after completion");
                }
                FirstWord::Panicked => panic!("`async fn` resumed after panicking"),
            }
        }
    }
}

impl fmt::Debug for FirstWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FirstWord::Unresumed { text } => write!(f, "Unresumed {{ text: {text:?} }}"),
            FirstWord::Suspend0 { word, .. } => {
                write!(f, "Suspend0 {{ text, word: {word:?}, sleep }}")
            }
            FirstWord::Suspend1 { word, .. } => {
                write!(f, "Suspend1 {{ text, word: {word:?}, sleep }}")
            }
            FirstWord::Returned => f.write_str("Returned"),
            FirstWord::Panicked => f.write_str("Panicked"),
        }
    }
}

// ---- a loop with an await in it ----

pub(crate) async fn ticks(count: u32) {
    for tick in 0..count {
        sleep(Duration::from_secs(1)).await;
        say("tick", &tick.to_string());
    }
}

pub(crate) enum Ticks {
    Unresumed {
        count: u32,
    },
    Suspend0 {
        rest: Range<u32>,
        tick: u32,
        sleep: Sleep,
    },
    Returned,
    Panicked,
}

pub(crate) fn ticks_by_hand(count: u32) -> Ticks {
    Ticks::Unresumed { count }
}

impl Future for Ticks {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.get_mut();
        loop {
            let mut rest = match mem::replace(state, Ticks::Panicked) {
                Ticks::Unresumed { count } => 0..count,
                Ticks::Suspend0 {
                    rest,
                    tick,
                    mut sleep,
                } => {
                    if Pin::new(&mut sleep).poll(cx).is_pending() {
                        *state = Ticks::Suspend0 { rest, tick, sleep };
                        return Poll::Pending;
                    }
                    drop(sleep);
                    say("tick", &tick.to_string());
                    rest
                }
                Ticks::Returned => {
                    *state = Ticks::Returned;
                    panic!("`async fn` resumed after completion");
                }
                Ticks::Panicked => panic!("`async fn` resumed after panicking"),
            };
            // The head of the loop. Both ways lead here: from the start and from the await.
            let Some(tick) = rest.next() else {
                *state = Ticks::Returned;
                return Poll::Ready(());
            };
            let sleep = sleep(Duration::from_secs(1));
            *state = Ticks::Suspend0 { rest, tick, sleep };
        }
    }
}

impl fmt::Debug for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ticks::Unresumed { count } => write!(f, "Unresumed {{ count: {count} }}"),
            Ticks::Suspend0 { rest, tick, .. } => {
                write!(f, "Suspend0 {{ rest: {rest:?}, tick: {tick}, sleep }}")
            }
            Ticks::Returned => f.write_str("Returned"),
            Ticks::Panicked => f.write_str("Panicked"),
        }
    }
}

// ---- a join: a state machine that holds two others ----

pub(crate) async fn both() {
    join(
        task_async("Task A", Duration::from_secs(2)),
        task_async("Task B", Duration::from_secs(1)),
    )
    .await;
}

pub(crate) enum Both {
    Unresumed,
    Suspend0 { a: Half, b: Half },
    Returned,
    Panicked,
}

/// One side of a join. A future that gave its output must not be polled again.
#[derive(Debug)]
pub(crate) enum Half {
    Running(TaskAsync),
    Done,
}

impl Half {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if let Half::Running(task) = self
            && Pin::new(task).poll(cx).is_ready()
        {
            *self = Half::Done;
        }
    }

    fn is_done(&self) -> bool {
        matches!(self, Half::Done)
    }
}

pub(crate) fn both_by_hand() -> Both {
    Both::Unresumed
}

impl Future for Both {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.get_mut();
        loop {
            match mem::replace(state, Both::Panicked) {
                Both::Unresumed => {
                    let a = task_async_by_hand("Task A", Duration::from_secs(2));
                    let b = task_async_by_hand("Task B", Duration::from_secs(1));
                    let (a, b) = (Half::Running(a), Half::Running(b));
                    *state = Both::Suspend0 { a, b };
                }
                Both::Suspend0 { mut a, mut b } => {
                    a.poll(cx);
                    b.poll(cx);
                    if !(a.is_done() && b.is_done()) {
                        *state = Both::Suspend0 { a, b };
                        return Poll::Pending;
                    }
                    *state = Both::Returned;
                    return Poll::Ready(());
                }
                Both::Returned => {
                    *state = Both::Returned;
                    panic!("`async fn` resumed after completion");
                }
                Both::Panicked => panic!("`async fn` resumed after panicking"),
            }
        }
    }
}

impl fmt::Debug for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Both::Unresumed => f.write_str("Unresumed"),
            Both::Suspend0 { a, b } => write!(f, "Suspend0 {{ a: {a:?}, b: {b:?} }}"),
            Both::Returned => f.write_str("Returned"),
            Both::Panicked => f.write_str("Panicked"),
        }
    }
}
