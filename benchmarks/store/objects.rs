//! What is stored, in memory, and the counters.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// A stretch of bytes that others may share: a copy costs no memory.
#[derive(Clone)]
pub struct Piece {
    pub bytes: Arc<Vec<u8>>,
    pub from: usize,
    pub to: usize,
}

impl Piece {
    pub fn whole(bytes: Vec<u8>) -> Piece {
        Piece { from: 0, to: bytes.len(), bytes: Arc::new(bytes) }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.from..self.to]
    }
}

/// The bytes `from..to` of what the pieces hold together.
pub fn stretch(pieces: &[Piece], from: usize, to: usize) -> Vec<Piece> {
    let (mut found, mut at) = (Vec::new(), 0);
    for piece in pieces {
        let size = piece.to - piece.from;
        let (first, last) = (from.max(at), to.min(at + size));
        if first < last {
            found.push(Piece { from: piece.from + first - at, to: piece.from + last - at, ..piece.clone() });
        }
        at += size;
    }
    found
}

pub struct Object {
    pub pieces: Vec<Piece>,
    pub size: usize,
    pub crc: u64,
    pub etag: String, // in lower case; OSS's dialect shows it in upper case
    pub headers: Vec<(String, String)>,
    pub changed: u64,
}

pub struct Part {
    pub pieces: Vec<Piece>,
    pub size: usize,
    pub crc: u64,
}

pub struct Upload {
    pub key: String,
    pub headers: Vec<(String, String)>,
    pub parts: BTreeMap<u32, Part>,
}

/// Kinds of requests, in the order of their counters.
#[rustfmt::skip]
const KINDS: [&str; 15] = [
    "put", "get", "head", "delete", "delete_many", "list", "copy", "initiate", "part", "part_copy", "complete", "abort",
    "list_parts", "list_uploads", "bucket",
];

#[derive(Default)]
pub struct Store {
    pub buckets: RwLock<HashMap<String, BTreeMap<String, Arc<Object>>>>,
    pub uploads: Mutex<HashMap<String, Upload>>,
    pub counts: [AtomicU64; KINDS.len()],
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub connections: AtomicU64,
    pub uploads_begun: AtomicU64,
    pub no_md5: bool,
    pub latency: Duration,
}

impl Store {
    pub fn count(&self, kind: &str) {
        let place = KINDS.iter().position(|known| *known == kind).expect("a kind that is counted");
        self.counts[place].fetch_add(1, Relaxed);
    }

    pub fn statistics(&self) -> String {
        let objects = self.buckets.read().unwrap().values().map(BTreeMap::len).sum::<usize>() as u64;
        let counts = KINDS.iter().zip(&self.counts).map(|(kind, count)| (*kind, count.load(Relaxed)));
        let totals = [("bytes_in", &self.bytes_in), ("bytes_out", &self.bytes_out), ("connections", &self.connections)];
        let totals = totals.map(|(name, count)| (name, count.load(Relaxed)));
        let fields = counts.chain(totals).chain([("objects", objects)]).filter(|(_, count)| *count > 0);
        let told: Vec<String> = fields.map(|(name, count)| format!("\"{name}\":{count}")).collect();
        format!("{{{}}}", told.join(","))
    }

    pub fn reset(&self) {
        self.buckets.write().unwrap().clear();
        self.uploads.lock().unwrap().clear();
        let totals = [&self.bytes_in, &self.bytes_out, &self.connections];
        self.counts.iter().chain(totals).for_each(|count| count.store(0, Relaxed));
    }

    pub fn find(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        self.buckets.read().unwrap().get(bucket)?.get(key).cloned()
    }

    pub fn write(&self, bucket: &str, key: &str, object: Object) {
        let mut buckets = self.buckets.write().unwrap();
        buckets.entry(bucket.to_string()).or_default().insert(key.to_string(), Arc::new(object));
    }

    pub fn remove(&self, bucket: &str, key: &str) {
        self.buckets.write().unwrap().get_mut(bucket).and_then(|keys| keys.remove(key));
    }
}
