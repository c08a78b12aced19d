//! A loopback object store that measures clients: it speaks as much of OSS's and of S3's protocol as backup tools need.
//!
//!     rustc --edition 2021 -C opt-level=3 -o store store.rs
//!     ./store [--port N] [--latency-ms N] [--no-md5]      serves until it is stopped; its first line is `port N`
//!     ./store --check                                     proves its checksums, prints their speed, and ends
//!
//! Buckets are paths (`/bucket/key`), begin to exist when they are named, and lie in memory. No signature is checked.
//! `GET /__stats` gives the counts of requests by kind and of bytes as JSON; `POST /__reset` empties everything. An answer
//! waits for the latency first, as a far server's would. MD5 is slower than loopback: with --no-md5 an ETag has the form of
//! a multipart one, which no client takes for a digest. One thread serves one connection.

#[path = "store/checksums.rs"]
mod checksums;
#[path = "store/http.rs"]
mod http;
#[path = "store/objects.rs"]
mod objects;
#[path = "store/requests.rs"]
mod requests;
#[path = "store/text.rs"]
mod text;

use std::io::{self, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use checksums::{crc64, joined, md5};
use http::{receive, Answer};
use objects::Store;
use requests::answer_of;
use text::moment;

fn serve(store: &Store, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    store.connections.fetch_add(1, Relaxed);
    let mut output = stream.try_clone()?;
    let mut input = BufReader::with_capacity(64 << 10, stream);
    while let Some(mut request) = receive(&mut input, &mut output)? {
        let (is_head, is_last) = (request.method == "HEAD", request.header("connection").eq_ignore_ascii_case("close"));
        let answer = match request.path.as_str() {
            "/__stats" => Answer::text(200, "application/json", store.statistics()),
            "/__reset" => (store.reset(), Answer::new(204, &[])).1,
            _ => {
                store.bytes_in.fetch_add(request.body.len() as u64, Relaxed);
                std::thread::sleep(store.latency);
                answer_of(store, &mut request)
            }
        };
        let sent = answer.send(&mut output, !is_head)?;
        if !request.path.starts_with("/__") {
            store.bytes_out.fetch_add(sent, Relaxed);
        }
        if is_last {
            break;
        }
    }
    Ok(())
}

/// The published check values, and parts that do not end where a step of sixteen bytes does.
fn check() {
    assert_eq!(crc64([b"123456789".as_slice()]), 0x995D_C9BB_DF19_39FA);
    assert_eq!(joined(crc64([b"1234".as_slice()]), crc64([b"56789".as_slice()]), 5), 0x995D_C9BB_DF19_39FA);
    assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(md5(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(md5(&[b'a'; 55]), "ef1772b6dff9a122358552954ad0df65");
    assert_eq!(md5(&[b'a'; 56]), "3b0c8ac703f828b04c6c197006d17218");
    assert_eq!(md5(&[b'a'; 63]), "b06521f39153d618550606be297466d5");
    assert_eq!(md5(&[b'a'; 120]), "5f61c0ccad4cac44c75ff505e1f1e537");
    assert_eq!(moment(951_782_400), ("2000-02-29T00:00:00.000Z".into(), "Tue, 29 Feb 2000 00:00:00 GMT".into()));
    let size = if cfg!(debug_assertions) { 1 << 20 } else { 64 << 20 };
    let bytes: Vec<u8> = (0..size).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let started = Instant::now();
    let whole = crc64([bytes.as_slice()]);
    let passed = started.elapsed().as_secs_f64();
    for at in [0, 1, 15, 17, 500_003] {
        assert_eq!(joined(crc64([&bytes[..at]]), crc64([&bytes[at..]]), (bytes.len() - at) as u64), whole);
        assert_eq!(crc64([&bytes[..at], &bytes[at..]]), whole);
    }
    println!("checksums right; CRC-64 {:.2} GB/s", bytes.len() as f64 / passed / 1e9);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|given| given == name);
    let number = |name: &str| {
        let at = arguments.iter().position(|given| given == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(0, |text| text.parse().expect("a number"))
    };
    if has("--check") {
        return check();
    }
    let listener = TcpListener::bind(("127.0.0.1", number("--port") as u16)).expect("a free port");
    println!("port {}", listener.local_addr().expect("an address").port());
    let latency = Duration::from_millis(number("--latency-ms"));
    let store: &'static Store = Box::leak(Box::new(Store { no_md5: has("--no-md5"), latency, ..Store::default() }));
    for stream in listener.incoming().flatten() {
        let thread = std::thread::Builder::new().stack_size(256 << 10);
        // A client that goes away in the middle of a request ends its thread and nothing else.
        drop(thread.spawn(move || serve(store, stream)));
    }
}
