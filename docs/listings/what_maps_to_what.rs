//! The watchglass column of the table in chapter 12: a function for each row.

use std::cell::{Cell, RefCell};
use std::panic;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};
use watchglass::{Executor, JoinSet, block_on, join, join_all, now, race, sleep_until};
use watchglass::{spawn, spawn_blocking, timeout, yield_now};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

async fn after<T>(delay: Duration, output: T) -> T {
    watchglass::sleep(delay).await;
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
    let output = block_on(program());
    println!("run the program: {output}");
}

async fn start_a_task() {
    let task = spawn(async { println!("start a task: it runs when its turn comes") });
    println!("start a task: it is queued");
    task.await.unwrap();
}

async fn wait_for_all_of_these() {
    let outputs = join(after(20 * MS, 1), after(10 * MS, 2)).await;
    let list = [after(20 * MS, 1), after(10 * MS, 2)];
    assert_eq!(join_all(list).await, [outputs.0, outputs.1]);
    println!("wait for all of these: {outputs:?}");
}

async fn wait_for_the_first() {
    let slow = after(HOUR, "the slow one");
    let first = race(slow, after(10 * MS, "the fast one")).await;
    println!("wait for the first: {first}");
}

async fn take_outcomes_as_they_come() {
    let mut tasks = JoinSet::new();
    for delay in [60, 20, 40] {
        tasks.spawn(after(delay * MS, delay));
    }
    let mut outcomes = Vec::new();
    while let Some(outcome) = tasks.join_next().await {
        outcomes.push(outcome.unwrap());
    }
    println!("take outcomes as they come: {outcomes:?}");
}

async fn a_group_of_tasks() {
    let mut tasks = JoinSet::new();
    for number in 1..=3 {
        tasks.spawn(after(MS, number));
    }
    let mut sum: u32 = 0;
    while let Some(outcome) = tasks.join_next().await {
        sum += outcome.unwrap();
    }
    println!("a group of tasks: {sum}");
}

async fn sleep() {
    let start = Instant::now();
    watchglass::sleep(10 * MS).await;
    assert!(start.elapsed() >= 10 * MS);
    sleep_until(now() + MS).await;
    println!("sleep: not less than asked for");
}

async fn set_a_time_limit() {
    let late = timeout(10 * MS, after(HOUR, ())).await;
    assert!(late.is_err());
    println!("set a time limit: the time was up");
}

async fn let_others_go_first() {
    let order = Rc::new(RefCell::new(vec!["I"]));
    let other = order.clone();
    let task = spawn(async move { other.borrow_mut().push("another") });
    yield_now().await;
    order.borrow_mut().push("I again");
    task.await.unwrap();
    println!("let others go first: {}", order.borrow().join(", "));
}

async fn call_what_blocks() {
    let here = thread::current().id();
    let call = || thread::current().id();
    let there = spawn_blocking(call).await.unwrap();
    assert_ne!(here, there);
    println!("call what blocks: on another thread");
}

async fn stop_a_task() {
    let state = Rc::new(Cell::new("alive"));
    let dropped = Dropped(state.clone());
    let task = spawn(async move {
        after(HOUR, ()).await;
        drop(dropped);
    });
    after(10 * MS, ()).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    println!("stop a task: its future is {}", state.get());
}

async fn notice_a_panic() {
    panic::set_hook(Box::new(|_| {}));
    let task = spawn(async { panic!("on purpose") });
    let error = task.await.unwrap_err();
    let _ = panic::take_hook();
    println!("notice a panic: {}", error.is_panic());
}

async fn let_a_task_run_on_alone() {
    let state = Rc::new(Cell::new("at its start"));
    let shared = state.clone();
    let task = spawn(async move {
        after(10 * MS, ()).await;
        shared.set("at its end");
    });
    drop(task);
    let mut looks = 0..1000;
    while state.get() != "at its end" && looks.next().is_some() {
        after(MS, ()).await;
    }
    println!("let a task run on alone: {}", state.get());
}

async fn pass_values_on() {
    let (sender, receiver) = async_channel::bounded(1);
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
    let (_, numbers) = join(sends, receives).await;
    println!("pass values on: {numbers:?}");
}

async fn lock() {
    let number = async_lock::Mutex::new(0);
    let add = async || {
        let mut number = number.lock().await;
        let old = *number;
        after(MS, ()).await;
        *number = old + 1;
    };
    join(add(), add()).await;
    println!("lock: {}", number.lock().await);
}

fn test_without_waiting() {
    let real = Instant::now();
    let executor = Executor::builder().virtual_time().build();
    executor.block_on(after(HOUR, ()));
    assert!(real.elapsed() < Duration::from_secs(60));
    println!("test without waiting: an hour took no minute");
}

fn main() {
    run_the_program();
    block_on(async {
        start_a_task().await;
        wait_for_all_of_these().await;
        wait_for_the_first().await;
        take_outcomes_as_they_come().await;
        a_group_of_tasks().await;
        sleep().await;
        set_a_time_limit().await;
        let_others_go_first().await;
        call_what_blocks().await;
        stop_a_task().await;
        notice_a_panic().await;
        let_a_task_run_on_alone().await;
        pass_values_on().await;
        lock().await;
    });
    test_without_waiting();
}
