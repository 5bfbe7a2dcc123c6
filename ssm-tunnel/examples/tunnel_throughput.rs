//! How fast a tunnel is when the network is not what limits it: the fake service, the fake agent and a sink on this machine.
//!
//! `cargo run --release -p ssm-tunnel --example tunnel_throughput [MEGABYTES]`
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be set up has failed"
)]

use std::{sync::Arc, time::Instant};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_fakes::{FakeAws, Faults};
use ssm_tunnel::{Route, Service, Tunnel};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The first byte of a connection says which way the bytes go.
const DOWN: u8 = b'd';

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let megabytes: usize = std::env::args().nth(1).map_or(256, |it| it.parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let n_bytes = megabytes * 1_000_000;
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, n_bytes));
        }
    });
    let fake = FakeAws::start(address, Faults::default()).await;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "example");
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(fake.url())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .load()
        .await;
    let service = Service::new(&config).unwrap();
    let route = Route { target: "i-0123456789abcdef0".into(), host: "sink".into(), port: 1 };
    let tunnel = Tunnel::open(service, route, 0, Arc::new(|_| {})).await.unwrap();
    for (name, way) in [("from the remote host", DOWN), ("to the remote host", b'u')] {
        let mut socket = TcpStream::connect(tunnel.local()).await.unwrap();
        let start = Instant::now();
        transfer(&mut socket, way, n_bytes).await;
        let seconds = start.elapsed().as_secs_f64();
        println!("{name}: {:.0} MB/s ({megabytes} MB in {seconds:.2} s)", n_bytes as f64 / 1e6 / seconds);
    }
    // A query and its answer.
    let mut socket = TcpStream::connect(tunnel.local()).await.unwrap();
    socket.write_all(b"e").await.unwrap();
    let start = Instant::now();
    for _ in 0..1000 {
        socket.write_all(b"q").await.unwrap();
        socket.read_u8().await.unwrap();
    }
    println!("round trip of a byte: {:.0} µs", start.elapsed().as_secs_f64() * 1e3);
    tunnel.close().await.unwrap();
}

async fn serve(mut socket: TcpStream, n_bytes: usize) {
    match socket.read_u8().await.unwrap() {
        DOWN => {
            let piece = vec![7; 64 * 1024];
            for start in (0..n_bytes).step_by(piece.len()) {
                if socket.write_all(&piece[..piece.len().min(n_bytes - start)]).await.is_err() {
                    return;
                }
            }
        }
        b'e' => {
            let (mut reader, mut writer) = socket.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        }
        _ => {
            let mut buffer = vec![0; 64 * 1024];
            let mut left = n_bytes;
            while left > 0 {
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => left -= count,
                }
            }
            let _ = socket.write_all(b".").await;
        }
    }
    // Until the client has everything.
    let _ = socket.read_u8().await;
}

async fn transfer(socket: &mut TcpStream, way: u8, n_bytes: usize) {
    socket.write_all(&[way]).await.unwrap();
    if way == DOWN {
        let mut buffer = vec![0; 64 * 1024];
        let mut left = n_bytes;
        while left > 0 {
            left -= socket.read(&mut buffer).await.unwrap();
        }
    } else {
        let piece = vec![7; 64 * 1024];
        for start in (0..n_bytes).step_by(piece.len()) {
            socket.write_all(&piece[..piece.len().min(n_bytes - start)]).await.unwrap();
        }
        socket.read_u8().await.unwrap();
    }
}
