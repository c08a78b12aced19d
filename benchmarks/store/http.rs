//! HTTP/1.1: a request read, an answer sent.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, IoSlice, Read, Write};
use std::net::TcpStream;

use crate::objects::Piece;
use crate::text::{moment, now, unquoted};

pub struct Request {
    pub method: String,
    pub path: String,
    pub query: HashMap<String, String>,
    pub headers: HashMap<String, String>, // names in lower case
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn asked(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.query.contains_key(name)
    }

    pub fn is_s3(&self) -> bool {
        self.headers.keys().any(|name| name.starts_with("x-amz-"))
    }

    /// The header of a copy's source, or of what goes with it, in either dialect.
    pub fn source(&self, rest: &str) -> &str {
        let dialects = ["x-oss", "x-amz"].map(|start| self.header(&format!("{start}-copy-source{rest}")));
        dialects.into_iter().find(|value| !value.is_empty()).unwrap_or("")
    }

    /// What an object keeps of the headers that it is written with.
    pub fn kept(&self) -> Vec<(String, String)> {
        let is_kept = |name: &str| {
            ["x-oss-meta-", "x-amz-meta-"].iter().any(|start| name.starts_with(start))
                || ["content-type", "x-oss-storage-class"].contains(&name)
        };
        self.headers.iter().filter(|(name, _)| is_kept(name)).map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    pub fn etag(&self, etag: &str) -> String {
        let shown = if self.is_s3() { etag.to_string() } else { etag.to_uppercase() };
        format!("\"{shown}\"")
    }
}

fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    input.take(65_536).read_until(b'\n', &mut bytes)?;
    Ok(String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned())
}

/// The next request of a connection, or None where the client has closed it.
pub fn receive(input: &mut BufReader<TcpStream>, output: &mut TcpStream) -> io::Result<Option<Request>> {
    let first = line(input)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = pairs.map(|(name, value)| (unquoted(name), unquoted(&value.replace('+', " ")))).collect();
    let mut request =
        Request { method: method.into(), path: unquoted(path), query, headers: HashMap::new(), body: Vec::new() };
    loop {
        let text = line(input)?;
        let Some((name, value)) = text.split_once(':') else { break };
        request.headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
    }
    if request.header("expect").eq_ignore_ascii_case("100-continue") {
        output.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if request.header("transfer-encoding").contains("chunked") {
        request.body = chunks(input)?;
    } else if let Ok(size) = request.header("content-length").parse() {
        request.body.reserve_exact(size);
        input.take(size as u64).read_to_end(&mut request.body)?;
    }
    if request.header("x-amz-content-sha256").starts_with("STREAMING-") {
        request.body = chunks(&mut request.body.as_slice())?; // S3's own chunks, each with a signature that is not looked at
    }
    Ok(Some(request))
}

/// A body in chunks, of HTTP or of S3: a line with the size in hex digits, then the bytes; then trailers to an empty line.
fn chunks(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let told = line(input)?;
        let size = usize::from_str_radix(told.split(';').next().unwrap_or("").trim(), 16).unwrap_or(0);
        if size == 0 {
            while !line(input)?.is_empty() {}
            return Ok(body);
        }
        input.take(size as u64).read_to_end(&mut body)?;
        line(input)?;
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub pieces: Vec<Piece>,
    pub size: usize,
}

impl Answer {
    pub fn new(status: u16, headers: &[(&str, String)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        Answer { status, headers, pieces: Vec::new(), size: 0 }
    }

    pub fn xml(status: u16, root: &str, inner: &str) -> Answer {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>{inner}</{root}>");
        Answer::text(status, "application/xml", text)
    }

    pub fn text(status: u16, kind: &str, text: String) -> Answer {
        let answer = Answer::new(status, &[("Content-Type", kind.to_string())]);
        Answer { size: text.len(), pieces: vec![Piece::whole(text.into_bytes())], ..answer }
    }

    pub fn error(status: u16, code: &str) -> Answer {
        let inner =
            format!("<Code>{code}</Code><Message>{code}</Message><RequestId>0</RequestId><HostId>local</HostId>");
        Answer::xml(status, "Error", &inner)
    }

    pub fn send(self, output: &mut TcpStream, with_body: bool) -> io::Result<u64> {
        let mut head = format!("HTTP/1.1 {} -\r\nServer: store\r\nDate: {}\r\n", self.status, moment(now()).1);
        head += &format!("x-oss-request-id: 0\r\nx-amz-request-id: 0\r\nContent-Length: {}\r\n", self.size);
        self.headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        head += "\r\n";
        let body: &[Piece] = if with_body { &self.pieces } else { &[] };
        let mut slices = vec![IoSlice::new(head.as_bytes())];
        slices.extend(body.iter().map(|piece| IoSlice::new(piece.as_slice())));
        let mut left = &mut slices[..];
        while !left.is_empty() {
            let written = output.write_vectored(left)?;
            IoSlice::advance_slices(&mut left, written);
        }
        Ok(body.iter().map(|piece| (piece.to - piece.from) as u64).sum())
    }
}
