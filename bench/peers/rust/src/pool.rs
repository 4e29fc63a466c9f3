//! Jobs for a pool: Tokio's blocking threads, or Rayon's threads with a oneshot channel for the way
//! back (BENCH_POOL=rayon).

use std::future::Future;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

const FLIGHT: usize = 1000;

pub fn is_rayon() -> bool {
    std::env::var("BENCH_POOL").map_or(false, |pool| pool == "rayon")
}

/// Hands the job to Rayon's pool; the future gives what it returns.
pub fn on_rayon<J, R>(job: J) -> impl Future<Output = R>
where
    J: FnOnce() -> R + Send + 'static,
    R: Send + std::fmt::Debug + 'static,
{
    let (send, receive) = oneshot::channel();
    rayon::spawn(move || {
        let _ = send.send(job());
    });
    async { receive.await.unwrap() }
}

fn one() -> usize {
    1
}

pub async fn offload_roundtrip(size: usize) -> usize {
    let mut sum = 0;
    let rayon = is_rayon();
    for _ in 0..size {
        sum += if rayon { on_rayon(one).await } else { spawn_blocking(one).await.unwrap() };
    }
    sum
}

async fn thousands<F: Future<Output = usize>>(size: usize, offload: impl Fn() -> F) -> usize {
    let mut sum = 0;
    let mut flight = Vec::with_capacity(FLIGHT);
    for _ in 0..size / FLIGHT {
        for _ in 0..FLIGHT {
            flight.push(offload());
        }
        for job in flight.drain(..) {
            sum += job.await;
        }
    }
    sum
}

pub async fn offload_1000(size: usize) -> usize {
    if is_rayon() {
        thousands(size, || on_rayon(one)).await
    } else {
        thousands(size, || {
            let job = spawn_blocking(one);
            async { job.await.unwrap() }
        })
        .await
    }
}
