//! Tasks are started, awaited, and take turns.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use tokio::task::{yield_now, JoinHandle};

/// Kept from the round that warms up.
static HANDLES: Mutex<Vec<JoinHandle<usize>>> = Mutex::new(Vec::new());

pub async fn spawn_join(size: usize) -> usize {
    let mut handles = std::mem::take(&mut *HANDLES.lock().unwrap());
    handles.reserve(size);
    for _ in 0..size {
        handles.push(tokio::spawn(async { 1 }));
    }
    let mut sum = 0;
    for handle in handles.iter_mut() {
        sum += handle.await.unwrap();
    }
    handles.clear();
    *HANDLES.lock().unwrap() = handles;
    sum
}

pub async fn spawn_await(size: usize) -> usize {
    let mut sum = 0;
    for _ in 0..size {
        sum += tokio::spawn(async { 1 }).await.unwrap();
    }
    sum
}

async fn yield_often(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// So many tasks take turns.
const TURNERS: usize = 100;

pub async fn take_turns(size: usize) -> usize {
    let mut handles = Vec::new();
    for _ in 0..TURNERS {
        handles.push(tokio::spawn(yield_often(size / TURNERS)));
    }
    for handle in handles {
        handle.await.unwrap();
    }
    size / TURNERS * TURNERS
}

fn grow(first: usize, leaves: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let mut children = Vec::with_capacity(10);
        for i in 0..10 {
            children.push(tokio::spawn(grow(first + i * leaves / 10, leaves / 10)));
        }
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

pub async fn skynet(size: usize) -> usize {
    tokio::spawn(grow(0, size)).await.unwrap()
}
