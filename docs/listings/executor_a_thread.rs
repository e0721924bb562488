//! One executor on each of four threads, and a channel between them.

use std::collections::HashSet;
use std::thread::{self, ThreadId};
use watchglass::{block_on, join, join_all, spawn};

const THREADS: usize = 4;

/// Takes jobs until no more can come, and sends the results on.
async fn worker(jobs: async_channel::Receiver<u64>, results: async_channel::Sender<u64>) {
    while let Ok(job) = jobs.recv().await {
        results.send(job * job).await.expect("somebody collects");
    }
}

/// What one thread does: an executor of its own, with two tasks.
fn run_executor(
    jobs: async_channel::Receiver<u64>,
    results: async_channel::Sender<u64>,
) -> ThreadId {
    block_on(async {
        let first = spawn(worker(jobs.clone(), results.clone()));
        let second = spawn(worker(jobs, results));
        for ended in join_all([first, second]).await {
            ended.expect("no worker panics");
        }
    });
    thread::current().id()
}

fn main() {
    let (job_sender, jobs) = async_channel::bounded(8);
    let (result_sender, results) = async_channel::bounded(8);
    let start = |_| {
        let (jobs, results) = (jobs.clone(), result_sender.clone());
        thread::spawn(move || run_executor(jobs, results))
    };
    let executors: Vec<_> = (0..THREADS).map(start).collect();
    drop((jobs, result_sender));

    let sum = block_on(async {
        let sends = async {
            for job in 1..=1000 {
                job_sender.send(job).await.expect("somebody works");
            }
            job_sender.close();
        };
        let adds = async {
            let mut sum = 0;
            while let Ok(result) = results.recv().await {
                sum += result;
            }
            sum
        };
        join(sends, adds).await.1
    });
    println!("the sum of the squares of 1 to 1000 is {sum}");
    let threads: HashSet<ThreadId> = executors.into_iter().map(|e| e.join().unwrap()).collect();
    println!("threads with an executor each: {}", threads.len());
}
