//! Tasks meet at channels and at a mutex.

use tokio::sync::mpsc;

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
