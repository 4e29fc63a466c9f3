//! The works of bench/run with Tokio and Rayon: bench_rust WORK WORKERS SIZE. See bench/bench.h.

mod meet;
mod net;
mod pool;
mod tasks;
mod wait;

use std::future::Future;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// With one worker this runtime is as fast as the current-thread one, or faster. For jobs that compute
/// more blocking threads than workers would only get in each other's way.
fn runtime(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).max_blocking_threads(workers).enable_all().build().unwrap()
}

/// The work runs in a task, on a worker; twice, and the second time counts.
fn timed<W>(workers: usize, size: usize, work: fn(usize) -> W)
where
    W: Future<Output = usize> + Send + 'static,
{
    runtime(workers).block_on(async {
        tokio::spawn(work(size)).await.unwrap();
        let begin = Instant::now();
        let result = tokio::spawn(work(size)).await.unwrap();
        say("ns", begin.elapsed());
        println!("result {result}");
    });
}

/// Once; the work prints figures of its own.
fn untimed<W>(workers: usize, size: usize, work: fn(usize) -> W)
where
    W: Future<Output = usize> + Send + 'static,
{
    let runtime = runtime(workers);
    let result = runtime.block_on(async { tokio::spawn(work(size)).await.unwrap() });
    println!("result {result}");
}

pub fn say(key: &str, span: Duration) {
    println!("{key} {}", span.as_nanos());
}

/// Prints the median and the 99th percentile; sorts the spans.
pub fn say_spans(spans: &mut [Duration]) {
    spans.sort();
    say("p50_ns", spans[spans.len() / 2]);
    say("p99_ns", spans[spans.len() - 1 - spans.len() / 100]);
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.len() != 4 {
        eprintln!("usage: bench_rust WORK WORKERS SIZE");
        std::process::exit(2);
    }
    let workers = words[2].parse().unwrap();
    let size = words[3].parse().unwrap();
    match words[1].as_str() {
        "spawn_join" => timed(workers, size, tasks::spawn_join),
        "spawn_await" => timed(workers, size, tasks::spawn_await),
        "yield" => timed(workers, size, tasks::take_turns),
        "skynet" => timed(workers, size, tasks::skynet),
        "channel_roundtrip" => timed(workers, size, meet::channel_roundtrip),
        "channel_many" => timed(workers, size, meet::channel_many),
        "mutex_contended" => timed(workers, size, meet::mutex_contended),
        "prime_sieve" => timed(workers, size, meet::prime_sieve),
        "timer_churn" => timed(workers, size, wait::timer_churn),
        "sleepers_1m" => untimed(workers, size, wait::sleepers),
        "steal_latency" => untimed(workers, size, wait::steal_latency),
        "wake_latency" => untimed(workers, size, wait::wake_latency),
        "offload_roundtrip" => timed(workers, size, pool::offload_roundtrip),
        "offload_1000" => timed(workers, size, pool::offload_1000),
        "echo_server" => untimed(workers, size, net::echo_server),
        "idle" => untimed(workers, size, net::idle),
        other => {
            eprintln!("bench_rust: there is no work {other}");
            std::process::exit(2);
        }
    }
}
