//! Clause 3 broken: the future looks first and leaves its waker afterwards.

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

/// Ready when the bell has rung. The function stands for whatever else may happen meanwhile.
struct Rung<F> {
    bell: Bell,
    meanwhile: F,
}

impl<F: Fn() + Unpin> Future for Rung<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.bell.state.borrow().rung {
            return Poll::Ready(());
        }
        (self.meanwhile)();
        self.bell.state.borrow_mut().waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn main() {
    let bell = Bell::default();
    let ring_meanwhile = {
        let bell = bell.clone();
        move || {
            println!("another thread rings the bell just now");
            bell.ring();
        }
    };
    let mut rung = pin!(Rung {
        bell,
        meanwhile: ring_meanwhile,
    });
    let waker = waker_fn(|| println!("the waker is used: please poll again"));

    println!("{:?}", rung.as_mut().poll(&mut Context::from_waker(&waker)));
    println!("the waker waits for a bell that has already rung");
}
