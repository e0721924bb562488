//! Three tasks wait for three bells on the real executor. One bell rings.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use watchglass::{Executor, sleep, spawn_named};

#[derive(Default)]
struct State {
    rung: bool,
    waiting: Option<Waker>,
}

#[derive(Clone, Default)]
struct Bell {
    state: Rc<RefCell<State>>,
}

impl Bell {
    fn ring(&self) {
        self.state.borrow_mut().rung = true;
        let waiting = self.state.borrow_mut().waiting.take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// Ready when the bell has rung.
struct Rung {
    bell: Bell,
}

impl Future for Rung {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.bell.state.borrow_mut();
        if state.rung {
            return Poll::Ready(());
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

async fn ringer() {
    let bells: [Bell; 3] = Default::default();
    for (number, bell) in bells.iter().enumerate() {
        spawn_named(format!("task {number}"), Rung { bell: bell.clone() });
    }
    sleep(Duration::from_secs(1)).await;
    bells[1].ring();
    sleep(Duration::from_secs(1)).await;
}

fn main() {
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(ringer());
}
