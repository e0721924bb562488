//! The smol column of the table in chapter 12: a function for each row.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use smol::future::{self, FutureExt};
use smol::{LocalExecutor, Timer};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

type Executor = Rc<LocalExecutor<'static>>;

async fn after<T>(delay: Duration, output: T) -> T {
    Timer::after(delay).await;
    output
}

/// Says when it is dropped.
struct Dropped(Rc<Cell<&'static str>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set("dropped");
    }
}

fn run_the_program() {
    async fn program() -> u32 {
        42
    }
    let output = smol::block_on(program());
    println!("run the program: {output}");
}

async fn start_a_task(executor: &Executor) {
    let task = executor.spawn(async { println!("start a task: it runs when its turn comes") });
    println!("start a task: it is queued");
    task.await;
    smol::spawn(async {}).await;
}

async fn wait_for_all_of_these() {
    let outputs = future::zip(after(20 * MS, 1), after(10 * MS, 2)).await;
    println!("wait for all of these: {outputs:?}");
}

async fn wait_for_the_first() {
    let slow = after(HOUR, "the slow one");
    let first = future::or(slow, after(10 * MS, "the fast one")).await;
    println!("wait for the first: {first}");
}

async fn take_outcomes_as_they_come(executor: &Executor) {
    let mut tasks = FuturesUnordered::new();
    for delay in [60, 20, 40] {
        tasks.push(executor.spawn(after(delay * MS, delay)));
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = tasks.next().await {
        outcomes.push(outcome);
    }
    println!("take outcomes as they come: {outcomes:?}");
}

async fn a_group_of_tasks(executor: &Executor) {
    let mut tasks = Vec::new();
    for number in 1..=3 {
        tasks.push(executor.spawn(after(MS, number)));
    }
    let mut sum: u32 = 0;
    for task in tasks {
        sum += task.await;
    }
    println!("a group of tasks: {sum}");
}

async fn sleep() {
    let start = Instant::now();
    Timer::after(10 * MS).await;
    assert!(start.elapsed() >= 10 * MS);
    println!("sleep: not less than asked for");
}

async fn set_a_time_limit() {
    let call = async { after(HOUR, Some(())).await };
    let limit = async {
        Timer::after(10 * MS).await;
        None
    };
    assert!(future::or(call, limit).await.is_none());
    println!("set a time limit: the time was up");
}

async fn let_others_go_first(executor: &Executor) {
    let order = Rc::new(RefCell::new(vec!["I"]));
    let other = order.clone();
    let task = executor.spawn(async move { other.borrow_mut().push("another") });
    future::yield_now().await;
    order.borrow_mut().push("I again");
    task.await;
    println!("let others go first: {}", order.borrow().join(", "));
}

async fn call_what_blocks() {
    let here = thread::current().id();
    let call = || thread::current().id();
    let there = smol::unblock(call).await;
    assert_ne!(here, there);
    println!("call what blocks: on another thread");
}

async fn stop_a_task(executor: &Executor) {
    let state = Rc::new(Cell::new("alive"));
    let dropped = Dropped(state.clone());
    let task = executor.spawn(async move {
        after(HOUR, ()).await;
        drop(dropped);
    });
    after(10 * MS, ()).await;
    drop(task);
    after(10 * MS, ()).await;
    println!("stop a task: its future is {}", state.get());
}

async fn notice_a_panic(executor: &Executor) {
    panic::set_hook(Box::new(|_| {}));
    let task = executor.spawn(async { panic!("on purpose") });
    let outcome: Result<(), _> = AssertUnwindSafe(task).catch_unwind().await;
    let _ = panic::take_hook();
    println!("notice a panic: {}", outcome.is_err());
}

async fn let_a_task_run_on_alone(executor: &Executor) {
    let state = Rc::new(Cell::new("at its start"));
    let shared = state.clone();
    let task = executor.spawn(async move {
        after(10 * MS, ()).await;
        shared.set("at its end");
    });
    task.detach();
    let mut looks = 0..1000;
    while state.get() != "at its end" && looks.next().is_some() {
        after(MS, ()).await;
    }
    println!("let a task run on alone: {}", state.get());
}

async fn pass_values_on() {
    let (sender, receiver) = smol::channel::bounded(1);
    let sends = async move {
        for number in 1..=3 {
            sender.send(number).await.unwrap();
        }
    };
    let receives = async {
        let mut numbers = Vec::new();
        while let Ok(number) = receiver.recv().await {
            numbers.push(number);
        }
        numbers
    };
    let (_, numbers) = future::zip(sends, receives).await;
    println!("pass values on: {numbers:?}");
}

async fn lock() {
    let number = smol::lock::Mutex::new(0);
    let add = async || {
        let mut number = number.lock().await;
        let old = *number;
        after(MS, ()).await;
        *number = old + 1;
    };
    future::zip(add(), add()).await;
    println!("lock: {}", number.lock().await);
}

fn main() {
    run_the_program();
    let executor = Executor::default();
    smol::block_on(executor.run(async {
        start_a_task(&executor).await;
        wait_for_all_of_these().await;
        wait_for_the_first().await;
        take_outcomes_as_they_come(&executor).await;
        a_group_of_tasks(&executor).await;
        sleep().await;
        set_a_time_limit().await;
        let_others_go_first(&executor).await;
        call_what_blocks().await;
        stop_a_task(&executor).await;
        notice_a_panic(&executor).await;
        let_a_task_run_on_alone(&executor).await;
        pass_values_on().await;
        lock().await;
    }));
    println!("test without waiting: -");
}
