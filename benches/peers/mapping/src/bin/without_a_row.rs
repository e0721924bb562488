//! What asyncio has and the table of chapter 12 has no row for: the same on watchglass, a function each.
//!
//! It prints nothing but names and what was found, so that the chapter can quote it.

use std::cell::Cell;
use std::error::Error;
use std::process::{self, Command};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::{FutureExt, StreamExt, stream};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use watchglass::{block_on, join_all, race, sleep, spawn, spawn_blocking};

const MS: Duration = Duration::from_millis(1);

/// `asyncio.Event`: set once, it lets those pass who wait and those who come later.
async fn event() -> Vec<&'static str> {
    let is_set = Rc::new(async_lock::OnceCell::new());
    let waits = |who| {
        let is_set = is_set.clone();
        spawn(async move {
            is_set.wait().await;
            who
        })
    };
    let early = waits("who waits");
    sleep(MS).await;
    is_set.set(()).await.expect("it is set once");
    let late = waits("who comes later");
    vec![early.await.unwrap(), late.await.unwrap()]
}

/// `asyncio.Semaphore`: at most three at a time.
async fn semaphore() -> usize {
    let limit = Rc::new(async_lock::Semaphore::new(3));
    let (inside, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let tasks = (0..10).map(|_| {
        let (limit, inside, most) = (limit.clone(), inside.clone(), most.clone());
        spawn(async move {
            let _permit = limit.acquire().await;
            inside.set(inside.get() + 1);
            most.set(most.get().max(inside.get()));
            sleep(MS).await;
            inside.set(inside.get() - 1);
        })
    });
    join_all(tasks).await;
    most.get()
}

/// `asyncio.Future`: somebody will set the result.
async fn future() -> u32 {
    let (result, future) = oneshot::channel();
    spawn(async move {
        sleep(MS).await;
        result.send(42).expect("somebody waits");
    });
    future
        .await
        .expect("the sender is not dropped before it sends")
}

/// Two tasks await the same one.
async fn awaited_twice() -> (u32, u32) {
    let task = spawn(async { 42 });
    let shared = async move { task.await.unwrap() }.shared();
    let other = spawn(shared.clone());
    (shared.await, other.await.unwrap())
}

/// `asyncio.gather` of three types.
async fn gather() -> (u32, &'static str, bool) {
    futures::join!(async { 1 }, async { "two" }, async { true })
}

/// `asyncio.gather`, which raises the first exception at once. Here the others are dropped then.
async fn first_error() -> Result<(u32, u32), &'static str> {
    let never = async {
        sleep(Duration::MAX).await;
        Ok(1)
    };
    let fails = async {
        sleep(MS).await;
        Err("no")
    };
    futures::try_join!(never, fails)
}

/// An async generator, and `async for`.
async fn generator() -> Vec<u32> {
    let countdown = stream::unfold(3_u32, |left| async move {
        sleep(MS).await;
        (left > 0).then(|| (left, left - 1))
    });
    let mut countdown = Box::pin(countdown);
    let mut seen = Vec::new();
    while let Some(left) = countdown.next().await {
        seen.push(left);
    }
    seen
}

/// A callback that is a coroutine function.
async fn callback() -> u32 {
    async fn first(
        mut numbers: std::ops::Range<u32>,
        is_it: impl AsyncFn(u32) -> bool,
    ) -> Option<u32> {
        loop {
            let number = numbers.next()?;
            if is_it(number).await {
                return Some(number);
            }
        }
    }
    let is_large = async |number| {
        sleep(MS).await;
        number > 3
    };
    first(0..9, is_large).await.expect("one of them is")
}

/// `loop.call_later`, and `handle.cancel()`: a task that sleeps first, and is aborted.
async fn call_later() -> Vec<&'static str> {
    let called = Rc::new(Cell::new(Vec::new()));
    let later = |duration, name| {
        let called = called.clone();
        spawn(async move {
            sleep(duration).await;
            called.set([called.take(), vec![name]].concat());
        })
    };
    let cancelled = later(MS, "cancelled");
    cancelled.abort();
    let second = later(2 * MS, "second");
    let first = later(MS, "first");
    first.await.unwrap();
    assert!(!second.is_finished());
    second.await.unwrap();
    called.take()
}

/// `task.add_done_callback`: another task awaits it, and then calls.
async fn done_callback() -> u32 {
    let task = spawn(async { 42 });
    let (told, callback) = oneshot::channel();
    drop(spawn(async move { told.send(task.await.unwrap()) }));
    callback.await.expect("it is called")
}

/// `loop.call_soon_threadsafe`: a thread sends what is to be done, and a task does it.
async fn from_a_thread() -> String {
    let (sender, receiver) = async_channel::unbounded();
    thread::spawn(move || sender.send_blocking("called").expect("somebody receives"));
    receiver.recv().await.expect("the thread sends").to_string()
}

/// `asyncio.create_subprocess_exec`.
async fn subprocess() -> Result<String, Box<dyn Error>> {
    let output = spawn_blocking(|| Command::new("echo").arg("hi").output()).await??;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// `asyncio.start_server` and `open_connection`: smol's sockets, from its crate async-net, have a thread of their own.
async fn sockets() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await?;
        stream.write_all(&hello).await
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"hello").await?;
    let mut echo = String::new();
    stream.read_to_string(&mut echo).await?;
    server.await??;
    Ok(echo)
}

/// Ctrl-C. By itself it ends the process, and nothing is dropped.
async fn interrupted() -> &'static str {
    struct CleansUp<'a>(&'a Cell<&'static str>);
    impl Drop for CleansUp<'_> {
        fn drop(&mut self) {
            self.0.set("cleaned up");
        }
    }
    let state = Cell::new("running");
    let work = async {
        let _cleans_up = CleansUp(&state);
        sleep(Duration::MAX).await;
    };
    let (sender, pressed) = async_channel::bounded(1);
    let handler = move || _ = sender.try_send(());
    ctrlc::set_handler(handler).expect("no other handler is set");
    // What the terminal does.
    let pid = process::id().to_string();
    let presses = spawn_blocking(move || Command::new("kill").args(["-INT", &pid]).status());
    race(work, async { _ = pressed.recv().await }).await;
    presses.await.unwrap().expect("there is a program kill");
    state.get()
}

/// What goes wrong ends the program: `Err` is printed, and its exit code is 1.
fn main() -> Result<(), Box<dyn Error>> {
    block_on(program())
}

async fn program() -> Result<(), Box<dyn Error>> {
    println!("Event: {:?} go on", event().await);
    println!("Semaphore: {} at a time", semaphore().await);
    println!("Future: {}", future().await);
    println!("a task that two await: {:?}", awaited_twice().await);
    println!("gather, three types: {:?}", gather().await);
    println!("gather, the first error: {:?}", first_error().await);
    println!("async generator: {:?}", generator().await);
    println!("async callback: {}", callback().await);
    println!("call_later: {:?}", call_later().await);
    println!("add_done_callback: {}", done_callback().await);
    println!("call_soon_threadsafe: {}", from_a_thread().await);
    println!("subprocess: {}", subprocess().await?);
    println!("sockets: {}", sockets().await?);
    println!("Ctrl-C: {}", interrupted().await);
    Ok(())
}
