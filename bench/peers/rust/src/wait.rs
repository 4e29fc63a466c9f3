//! Timers, sleeping tasks, and how soon somebody begins.

use crate::say_spans;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

const CHURNERS: usize = 1000;
const REST: Duration = Duration::from_millis(2);
const GIVE_UP: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);

pub async fn timer_churn(size: usize) -> usize {
    let mut tasks = Vec::new();
    for _ in 0..CHURNERS {
        tasks.push(tokio::spawn(async move {
            for i in 0..size / CHURNERS {
                let limit = Duration::from_secs(10) + Duration::from_micros(i as u64);
                timeout(limit, yield_now()).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    size / CHURNERS * CHURNERS
}

fn resident_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

pub async fn sleepers(size: usize) -> usize {
    let arrived = Arc::new(Semaphore::new(0));
    let before = resident_bytes();
    for _ in 0..size {
        let arrived = arrived.clone();
        tokio::spawn(async move {
            arrived.add_permits(1);
            drop(arrived);
            sleep(HOUR).await;
        });
    }
    for _ in 0..size {
        arrived.acquire().await.unwrap().forget();
    }
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    println!("bytes_each {:.1}", (resident_bytes() - before) / size as f64);
    println!("mappings {}", maps.lines().count());
    println!("result {size}");
    std::process::exit(0); // to wake them all again is not the question
}

fn ns_since(clock: Instant) -> u64 {
    clock.elapsed().as_nanos() as u64 + 1
}

pub async fn steal_latency(size: usize) -> usize {
    let clock = Instant::now();
    let begun = Arc::new(AtomicU64::new(0));
    let mut spans = Vec::new();
    for _ in 0..size {
        sleep(REST).await;
        begun.store(0, Ordering::SeqCst);
        let start = ns_since(clock);
        let note = begun.clone();
        let other = tokio::spawn(async move { note.store(ns_since(clock), Ordering::SeqCst) });
        let limit = start + GIVE_UP.as_nanos() as u64;
        while begun.load(Ordering::SeqCst) == 0 && ns_since(clock) < limit {}
        other.await.unwrap();
        spans.push(Duration::from_nanos(begun.load(Ordering::SeqCst) - start));
    }
    say_spans(&mut spans);
    size
}

/// The foreign thread rings by a semaphore.
pub async fn wake_latency(size: usize) -> usize {
    let clock = Instant::now();
    let rung = Arc::new(Semaphore::new(0));
    let rung_at = Arc::new(AtomicU64::new(0)); // 0: it was heard
    let (bell, at) = (rung.clone(), rung_at.clone());
    let ringer = std::thread::spawn(move || {
        for _ in 0..size {
            std::thread::sleep(REST);
            while at.load(Ordering::SeqCst) != 0 {
                std::thread::sleep(REST);
            }
            at.store(ns_since(clock), Ordering::SeqCst);
            bell.add_permits(1);
        }
    });
    let mut spans = Vec::new();
    for _ in 0..size {
        rung.acquire().await.unwrap().forget();
        spans.push(Duration::from_nanos(ns_since(clock) - rung_at.load(Ordering::SeqCst)));
        rung_at.store(0, Ordering::SeqCst);
    }
    ringer.join().unwrap();
    say_spans(&mut spans);
    size
}
