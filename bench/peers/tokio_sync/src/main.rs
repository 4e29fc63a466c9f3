//! sync_cost - the works of bench/sync_cost.c with Tokio, on its current-thread runtime.

use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::yield_now;

const ROUNDS: usize = 11;
const TURNS: u32 = 1_000_000;

async fn lock_alone() {
    let mutex = Mutex::new(());
    for _ in 0..TURNS {
        drop(mutex.lock().await);
    }
}

async fn sem_alone() {
    let permits = Semaphore::new(1);
    for _ in 0..TURNS {
        drop(permits.acquire().await.unwrap());
    }
}

async fn pass_lock(mutex: Arc<Mutex<()>>) {
    for i in 0..TURNS / 2 {
        let held = mutex.lock().await;
        if i == 0 {
            yield_now().await;
        }
        drop(held);
    }
}

async fn lock_handover() {
    let mutex = Arc::new(Mutex::new(()));
    let a = tokio::spawn(pass_lock(mutex.clone()));
    let b = tokio::spawn(pass_lock(mutex));
    a.await.unwrap();
    b.await.unwrap();
}

async fn pass_sem(permits: Arc<Semaphore>) {
    for i in 0..TURNS / 2 {
        let held = permits.acquire().await.unwrap();
        if i == 0 {
            yield_now().await;
        }
        drop(held);
    }
}

async fn sem_handover() {
    let permits = Arc::new(Semaphore::new(1));
    let a = tokio::spawn(pass_sem(permits.clone()));
    let b = tokio::spawn(pass_sem(permits));
    a.await.unwrap();
    b.await.unwrap();
}

fn measure<W>(runtime: &Runtime, name: &str, work: fn() -> W)
where
    W: std::future::Future<Output = ()> + Send + 'static,
{
    let mut ns = Vec::new();
    for round in 0..=ROUNDS {
        let begin = Instant::now();
        runtime.block_on(async { tokio::spawn(work()).await.unwrap() });
        if round > 0 {
            ns.push(begin.elapsed().as_nanos() as f64 / f64::from(TURNS));
        }
    }
    ns.sort_by(|a, b| a.total_cmp(b));
    println!("{name}\ttokio\t{:.1}\tns\t{:.1}\t{:.1}", ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
}

fn main() {
    let runtime = Builder::new_current_thread().build().unwrap();
    measure(&runtime, "lock_alone", lock_alone);
    measure(&runtime, "sem_alone", sem_alone);
    measure(&runtime, "lock_handover", lock_handover);
    measure(&runtime, "sem_handover", sem_handover);
}
