//! Tasks meet at channels and at a mutex.

use std::sync::Arc;
use tokio::sync::{mpsc, Mutex};
use tokio::task::yield_now;

pub async fn channel_roundtrip(size: usize) -> usize {
    let (send_there, mut receive_there) = mpsc::channel(1);
    let (send_back, mut receive_back) = mpsc::channel(1);
    let other = tokio::spawn(async move {
        while let Some(item) = receive_there.recv().await {
            let next: usize = item + 1;
            send_back.send(next).await.unwrap();
        }
    });
    let mut item = 0;
    for _ in 0..size {
        send_there.send(item).await.unwrap();
        item = receive_back.recv().await.unwrap();
    }
    drop(send_there);
    other.await.unwrap();
    item
}

const PRODUCERS: usize = 8;
const MANY_ROOM: usize = 128;

/// Tokio's own channels have one receiver; async-channel is what its users take for many.
pub async fn channel_many(size: usize) -> usize {
    let (sender, receiver) = async_channel::bounded(MANY_ROOM);
    let mut consumers = Vec::new();
    for i in 0..PRODUCERS {
        let sender = sender.clone();
        tokio::spawn(async move {
            let first = i * (size / PRODUCERS);
            for item in first..first + size / PRODUCERS {
                sender.send(item).await.unwrap();
            }
        });
        let receiver = receiver.clone();
        consumers.push(tokio::spawn(async move {
            let mut sum = 0;
            while let Ok(item) = receiver.recv().await {
                sum += item;
            }
            sum
        }));
    }
    drop(sender);
    let mut sum = 0;
    for consumer in consumers {
        sum += consumer.await.unwrap();
    }
    sum
}

const LOCKERS: usize = 8;
const HOLD_EVERY: usize = 100;

pub async fn mutex_contended(size: usize) -> usize {
    let counter = Arc::new(Mutex::new(0));
    let mut lockers = Vec::new();
    for _ in 0..LOCKERS {
        let counter = counter.clone();
        lockers.push(tokio::spawn(async move {
            for i in 0..size / LOCKERS {
                let mut value = counter.lock().await;
                *value += 1;
                if i % HOLD_EVERY == 0 {
                    yield_now().await;
                }
            }
        }));
    }
    for locker in lockers {
        locker.await.unwrap();
    }
    let value = *counter.lock().await;
    value
}

async fn generate(out: mpsc::Sender<usize>) {
    let mut n = 2;
    while out.send(n).await.is_ok() {
        n += 1;
    }
}

async fn pass_indivisible(mut from: mpsc::Receiver<usize>, out: mpsc::Sender<usize>, prime: usize) {
    while let Some(n) = from.recv().await {
        if n % prime != 0 && out.send(n).await.is_err() {
            return;
        }
    }
}

/// Tokio has no channel without room: one item is the least.
pub async fn prime_sieve(size: usize) -> usize {
    let (out, mut last) = mpsc::channel(1);
    tokio::spawn(generate(out));
    let mut prime = 0;
    for _ in 0..size {
        prime = last.recv().await.unwrap();
        let (out, next) = mpsc::channel(1);
        tokio::spawn(pass_indivisible(last, out, prime));
        last = next;
    }
    prime
}
