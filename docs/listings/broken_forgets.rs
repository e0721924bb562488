//! Clause 1 broken: the future answers `Pending` and keeps no waker.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use waker_fn::waker_fn;

#[derive(Default)]
struct State {
    rung: bool,
    waiting: Option<Waker>,
}

/// Something outside that rings once.
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

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        let state = self.bell.state.borrow_mut();
        if state.rung {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

fn main() {
    let bell = Bell::default();
    let mut rung = pin!(Rung { bell: bell.clone() });
    let waker = waker_fn(|| println!("the waker is used: please poll again"));
    let mut cx = Context::from_waker(&waker);

    println!("{:?}", rung.as_mut().poll(&mut cx));
    println!("the bell rings");
    bell.ring();
    println!("and nobody knows");
}
