//! Calling an async function runs none of its body.

async fn task_async(name: &str) {
    println!("{name} starting");
}

fn name() -> &'static str {
    println!("the argument is computed");
    "Task A"
}

fn main() {
    println!("before the call");
    let future = task_async(name());
    println!("after the call");
    drop(future);
    println!("after the drop");
}
