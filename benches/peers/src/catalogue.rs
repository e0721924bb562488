//! The catalogue: every workload's name, what it does and what its numbers are.

/// What can be measured. `memory` is two of these, one for each kind of task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    SpawnJoin,
    SpawnOneByOne,
    SpawnDetached,
    SpawnWait,
    LargeOutput,
    PageOutput,
    YieldOne,
    YieldMany,
    PingPong,
    FanIn,
    FanInFew,
    FanInWoken,
    RemoteWake,
    RemoteFlood,
    RemotePaced,
    BlockingOneByOne,
    BlockingMany,
    SleepCancel,
    SleepFire,
    SleepLate,
    BusyWithTimers,
    BlockOnReady,
    MemoryWaiting,
    MemorySleeping,
}

impl Workload {
    /// In the order of the report.
    pub const ALL: [Workload; 24] = [
        Workload::SpawnJoin,
        Workload::SpawnOneByOne,
        Workload::SpawnDetached,
        Workload::SpawnWait,
        Workload::LargeOutput,
        Workload::PageOutput,
        Workload::YieldOne,
        Workload::YieldMany,
        Workload::PingPong,
        Workload::FanIn,
        Workload::FanInFew,
        Workload::FanInWoken,
        Workload::RemoteWake,
        Workload::RemoteFlood,
        Workload::RemotePaced,
        Workload::BlockingOneByOne,
        Workload::BlockingMany,
        Workload::SleepCancel,
        Workload::SleepFire,
        Workload::SleepLate,
        Workload::BusyWithTimers,
        Workload::BlockOnReady,
        Workload::MemoryWaiting,
        Workload::MemorySleeping,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Workload::SpawnJoin => "spawn_join",
            Workload::SpawnOneByOne => "spawn_one_by_one",
            Workload::SpawnDetached => "spawn_detached",
            Workload::SpawnWait => "spawn_wait",
            Workload::LargeOutput => "large_output",
            Workload::PageOutput => "page_output",
            Workload::YieldOne => "yield_one",
            Workload::YieldMany => "yield_many",
            Workload::PingPong => "ping_pong",
            Workload::FanIn => "fan_in",
            Workload::FanInFew => "fan_in_few",
            Workload::FanInWoken => "fan_in_woken",
            Workload::RemoteWake => "remote_wake",
            Workload::RemoteFlood => "remote_flood",
            Workload::RemotePaced => "remote_paced",
            Workload::BlockingOneByOne => "blocking_one_by_one",
            Workload::BlockingMany => "blocking_many",
            Workload::SleepCancel => "sleep_cancel",
            Workload::SleepFire => "sleep_fire",
            Workload::SleepLate => "sleep_late",
            Workload::BusyWithTimers => "busy_with_timers",
            Workload::BlockOnReady => "block_on_ready",
            Workload::MemoryWaiting => "memory_waiting",
            Workload::MemorySleeping => "memory_sleeping",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Workload::SpawnJoin => "100,000 tasks spawned, then all awaited",
            Workload::SpawnOneByOne => "a task spawned and awaited, 100,000 times",
            Workload::SpawnDetached => "100,000 tasks spawned that nobody awaits",
            Workload::SpawnWait => "100,000 tasks that each wait to be woken once",
            Workload::LargeOutput => "a task with an output of 3,000 bytes, 10,000 times",
            Workload::PageOutput => "a task with an output of 4,096 bytes, 10,000 times",
            Workload::YieldOne => "one task yields a million times",
            Workload::YieldMany => "a thousand tasks yield a thousand times each",
            Workload::PingPong => "two tasks wake each other 500,000 times",
            Workload::FanIn => "join_all of 10,000 futures that yield ten times each",
            Workload::FanInFew => "join_all of ten futures that yield once, 20,000 times",
            Workload::FanInWoken => "join_all of 10,000 futures that a task wakes ten times each",
            Workload::RemoteWake => "a round trip with another thread, 10,000 times",
            Workload::RemoteFlood => "another thread wakes a thousand tasks, 200 times",
            Workload::RemotePaced => {
                "another thread wakes a task 20 us after it was asked, 10,000 times"
            }
            Workload::BlockingOneByOne => "a closure on the thread pool, awaited, 10,000 times",
            Workload::BlockingMany => "10,000 closures on the thread pool, then all awaited",
            Workload::SleepCancel => "100,000 long sleeps armed and dropped",
            Workload::SleepFire => "100,000 tasks sleep to random instants within 200 ms",
            Workload::SleepLate => "how late a lone sleep of 0.3 to 2.3 ms completes",
            Workload::BusyWithTimers => "yield_many while 10,000 timers are armed",
            Workload::BlockOnReady => "block_on of a ready future, 100,000 times",
            Workload::MemoryWaiting => "what each of a million waiting tasks costs",
            Workload::MemorySleeping => "what each of a million sleeping tasks costs",
        }
    }

    /// What the numbers are.
    pub fn unit(self) -> &'static str {
        match self {
            Workload::SpawnJoin
            | Workload::SpawnOneByOne
            | Workload::SpawnDetached
            | Workload::SpawnWait
            | Workload::LargeOutput
            | Workload::PageOutput => "ns a task",
            Workload::YieldOne | Workload::YieldMany | Workload::BusyWithTimers => "ns a poll",
            Workload::PingPong | Workload::RemoteWake => "ns a round trip",
            Workload::FanIn | Workload::FanInFew => "ns a poll",
            Workload::FanInWoken | Workload::RemoteFlood => "ns a wake",
            Workload::RemotePaced => "ns of processor time a wake",
            Workload::BlockingOneByOne | Workload::BlockingMany => "ns a closure",
            Workload::SleepCancel => "ns a timer",
            Workload::SleepFire => "ns of processor time a timer",
            Workload::SleepLate => "us late",
            Workload::BlockOnReady => "ns a call",
            Workload::MemoryWaiting | Workload::MemorySleeping => "bytes a task",
        }
    }
}
