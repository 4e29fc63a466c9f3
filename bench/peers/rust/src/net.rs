//! An echo server, with and without jobs for Rayon that compute; and idleness.

use crate::pool::on_rayon;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

const SEED: u64 = 88172645;
const HOUR: Duration = Duration::from_secs(3600);
static JOBS_DONE: AtomicUsize = AtomicUsize::new(0);

fn compute(seed: u64, steps: usize) -> u64 {
    let mut x = seed;
    for _ in 0..steps {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

fn read_byte() {
    if std::io::stdin().read_exact(&mut [0]).is_err() {
        std::process::exit(1); // bench/run has gone
    }
}

/// See listen_to_bench in bench/bench.h.
fn listen_to_bench() {
    read_byte();
    let (begin, before) = (Instant::now(), JOBS_DONE.load(Ordering::SeqCst));
    read_byte();
    let jobs = (JOBS_DONE.load(Ordering::SeqCst) - before) as f64;
    println!("jobs_per_s {:.1}", jobs / begin.elapsed().as_secs_f64());
    std::process::exit(0);
}

/// One of those who keep the pool busy: as soon as a job has ended it hands over the next.
async fn feed(steps: usize, right: u64) {
    loop {
        if on_rayon(move || compute(SEED, steps)).await != right {
            eprintln!("a job's answer is wrong");
            std::process::exit(1);
        }
        JOBS_DONE.fetch_add(1, Ordering::SeqCst);
    }
}

async fn echo(mut client: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(n) = client.read(&mut bytes).await {
        if n == 0 || client.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

pub async fn echo_server(steps: usize) -> usize {
    std::thread::spawn(listen_to_bench);
    if steps > 0 {
        let right = compute(SEED, steps);
        for _ in 0..2 * rayon::current_num_threads() {
            tokio::spawn(feed(steps, right));
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("port {}", listener.local_addr().unwrap().port());
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        tokio::spawn(echo(client));
    }
}

pub async fn idle(size: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut near = Vec::new();
    for _ in 0..size {
        near.push(TcpStream::connect(address).await.unwrap());
        let (mut far, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { far.read(&mut [0; 1]).await });
        tokio::spawn(sleep(HOUR));
    }
    println!("result {size}");
    sleep(HOUR).await;
    size
}
