//! Clause 4 broken: the future takes the second poll for the event itself.

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

/// Ready when polled twice, in the belief that the bell has rung by then.
struct Rung {
    bell: Bell,
    polled_before: bool,
}

impl Future for Rung {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.polled_before {
            return Poll::Ready(());
        }
        self.polled_before = true;
        self.bell.state.borrow_mut().waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn main() {
    let bell = Bell::default();
    let mut rung = pin!(Rung {
        bell: bell.clone(),
        polled_before: false,
    });
    let waker = waker_fn(|| println!("the waker is used: please poll again"));
    let mut cx = Context::from_waker(&waker);

    println!("{:?}", rung.as_mut().poll(&mut cx));
    println!("something else wakes the same task, so it is polled");
    println!("{:?}", rung.as_mut().poll(&mut cx));
    println!("has the bell rung? {}", bell.state.borrow().rung);
    println!("now it rings");
    bell.ring();
}
