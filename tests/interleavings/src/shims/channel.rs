// The channel, as the inbox uses crossbeam's: it never fills up, and `is_empty` looks at two
// counters without a lock, in the order and with the orderings that are in crossbeam's list.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Mutex;
use super::atomic::{AtomicUsize, Ordering};

pub struct Sender<T>(Arc<Channel<T>>);

pub struct Receiver<T>(Arc<Channel<T>>);

struct Channel<T> {
    letters: Mutex<VecDeque<T>>,
    received: AtomicUsize,
    sent: AtomicUsize,
}

#[derive(Debug)]
pub struct Empty;

pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        letters: Mutex::new(VecDeque::new()),
        received: AtomicUsize::new(0),
        sent: AtomicUsize::new(0),
    });
    (Sender(channel.clone()), Receiver(channel))
}

impl<T> Sender<T> {
    pub fn send(&self, letter: T) -> Result<(), T> {
        let mut letters = self.0.letters.lock().unwrap();
        letters.push_back(letter);
        self.0.sent.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub fn try_recv(&self) -> Result<T, Empty> {
        let mut letters = self.0.letters.lock().unwrap();
        let letter = letters.pop_front().ok_or(Empty)?;
        self.0.received.fetch_add(1, Ordering::SeqCst);
        Ok(letter)
    }

    pub fn len(&self) -> usize {
        let received = self.0.received.load(Ordering::SeqCst);
        self.0.sent.load(Ordering::SeqCst) - received
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
