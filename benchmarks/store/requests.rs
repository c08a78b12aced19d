//! What each request does: objects, listings and multipart uploads, in both dialects.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

use crate::checksums::{crc64, joined, md5};
use crate::http::{Answer, Request};
use crate::objects::{stretch, Object, Part, Piece, Store, Upload};
use crate::text::{elements, escaped, moment, now, quoted, unquoted};

pub fn answer_of(store: &Store, request: &mut Request) -> Answer {
    let path = request.path.trim_start_matches('/').to_string();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let (upload, copies) = (request.has("uploadId"), !request.source("").is_empty());
    match (request.method.as_str(), key.is_empty()) {
        ("POST", true) if request.has("delete") => delete_many(store, request, bucket),
        ("GET", true) if request.has("uploads") => (store.count("list_uploads"), no_uploads(bucket)).1,
        ("GET", true) if !["location", "versioning", "bucketInfo"].iter().any(|name| request.has(name)) => {
            list(store, request, bucket)
        }
        (_, true) => (store.count("bucket"), about(request, bucket)).1,
        ("POST", _) if request.has("uploads") => initiate(store, request, bucket, key),
        ("POST", _) if upload => complete(store, request, bucket, key),
        ("PUT", _) if upload && copies => copy_part(store, request),
        ("PUT", _) if upload => (store.count("part"), take_part(store, request)).1,
        ("PUT", _) if copies => copy(store, request, bucket, key),
        ("PUT", _) => put(store, request, bucket, key),
        ("GET", _) if upload => list_parts(store, request, bucket, key),
        ("GET" | "HEAD", _) => get(store, request, bucket, key),
        ("DELETE", _) if upload => {
            store.count("abort");
            store.uploads.lock().unwrap().remove(request.asked("uploadId"));
            Answer::new(204, &[])
        }
        ("DELETE", _) => (store.count("delete"), store.remove(bucket, key), Answer::new(204, &[])).2,
        _ => Answer::error(405, "MethodNotAllowed"),
    }
}

fn about(request: &Request, bucket: &str) -> Answer {
    match request.method.as_str() {
        "GET" if request.has("location") => Answer::xml(200, "LocationConstraint", ""),
        "GET" if request.has("versioning") => Answer::xml(200, "VersioningConfiguration", ""),
        "GET" => {
            let fields = "<StorageClass>Standard</StorageClass><Location>oss-cn-hangzhou</Location>";
            Answer::xml(200, "BucketInfo", &format!("<Bucket><Name>{}</Name>{fields}</Bucket>", escaped(bucket)))
        }
        _ => Answer::new(200, &[]),
    }
}

fn digest(store: &Store, body: &[u8], crc: u64) -> String {
    if store.no_md5 {
        format!("{crc:032x}-1")
    } else {
        md5(body)
    }
}

fn put(store: &Store, request: &mut Request, bucket: &str, key: &str) -> Answer {
    store.count("put");
    if request.header("x-oss-forbid-overwrite") == "true" && store.find(bucket, key).is_some() {
        return Answer::error(409, "FileAlreadyExists");
    }
    let body = std::mem::take(&mut request.body);
    let crc = crc64([body.as_slice()]);
    let etag = digest(store, &body, crc);
    let answer = Answer::new(200, &[("ETag", request.etag(&etag)), ("x-oss-hash-crc64ecma", crc.to_string())]);
    let (size, pieces) = (body.len(), vec![Piece::whole(body)]);
    store.write(bucket, key, Object { pieces, size, crc, etag, headers: request.kept(), changed: now() });
    answer
}

fn get(store: &Store, request: &Request, bucket: &str, key: &str) -> Answer {
    store.count(if request.method == "GET" { "get" } else { "head" });
    let Some(object) = store.find(bucket, key) else { return Answer::error(404, "NoSuchKey") };
    let wanted = request.header("if-match").trim_matches('"');
    if !wanted.is_empty() && !wanted.eq_ignore_ascii_case(&object.etag) {
        return Answer::error(412, "PreconditionFailed");
    }
    let Some((from, to)) = range(request.header("range"), object.size) else {
        return Answer::error(416, "InvalidRange");
    };
    let is_part = !request.header("range").is_empty();
    let mut answer = Answer::new(
        if is_part { 206 } else { 200 },
        &[
            ("ETag", request.etag(&object.etag)),
            ("Last-Modified", moment(object.changed).1),
            ("Accept-Ranges", "bytes".into()),
            ("x-oss-object-type", "Normal".into()),
            ("x-oss-hash-crc64ecma", object.crc.to_string()),
        ],
    );
    answer.headers.extend(object.headers.iter().cloned());
    if is_part {
        let told = format!("bytes {from}-{}/{}", to.saturating_sub(1), object.size);
        answer.headers.push(("Content-Range".into(), told));
    }
    Answer { pieces: stretch(&object.pieces, from, to), size: to - from, ..answer }
}

/// The bytes that a Range header (RFC 9110) asks of `size`; None where they lie behind the end.
fn range(header: &str, size: usize) -> Option<(usize, usize)> {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|told| told.split_once('-')) else {
        return Some((0, size));
    };
    let (from, to) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(from), Ok(last)) => (from, size.min(last.saturating_add(1))),
        (Ok(from), Err(_)) => (from, size),
        (Err(_), Ok(count)) => (size.saturating_sub(count), size),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

fn copy(store: &Store, request: &Request, bucket: &str, key: &str) -> Answer {
    store.count("copy");
    let Some(source) = source_of(store, request) else { return Answer::error(404, "NoSuchKey") };
    let replaces =
        ["x-oss-metadata-directive", "x-amz-metadata-directive"].iter().any(|n| request.header(n) == "REPLACE");
    let headers = if replaces { request.kept() } else { source.headers.clone() };
    let (pieces, etag) = (source.pieces.clone(), source.etag.clone());
    let inner = format!("<LastModified>{}</LastModified><ETag>{}</ETag>", moment(now()).0, request.etag(&etag));
    store.write(bucket, key, Object { pieces, size: source.size, crc: source.crc, etag, headers, changed: now() });
    Answer::xml(200, "CopyObjectResult", &inner)
}

/// The object that a copy names, if it is there and is still the one that the client saw.
fn source_of(store: &Store, request: &Request) -> Option<Arc<Object>> {
    let named = unquoted(request.source("").split('?').next()?);
    let (bucket, key) = named.trim_start_matches('/').split_once('/')?;
    let wanted = request.source("-if-match").trim_matches('"');
    store.find(bucket, key).filter(|found| wanted.is_empty() || wanted.eq_ignore_ascii_case(&found.etag))
}

fn delete_many(store: &Store, request: &Request, bucket: &str) -> Answer {
    store.count("delete_many");
    let keys = elements(&String::from_utf8_lossy(&request.body), "Key");
    keys.iter().for_each(|key| store.remove(bucket, key));
    let told: String = keys.iter().map(|key| format!("<Deleted><Key>{}</Key></Deleted>", escaped(key))).collect();
    Answer::xml(200, "DeleteResult", &told)
}

/// Both versions of the listing, of both dialects: they differ in the names of the markers and the default of a page.
fn list(store: &Store, request: &Request, bucket: &str) -> Answer {
    store.count("list");
    let is_second = request.asked("list-type") == "2";
    let names = if is_second { ["continuation-token", "start-after"] } else { ["marker", "marker"] };
    let after = names.map(|name| request.asked(name)).into_iter().find(|text| !text.is_empty()).unwrap_or("");
    let (prefix, delimiter) = (request.asked("prefix"), request.asked("delimiter"));
    let most = request.asked("max-keys").parse().unwrap_or(if request.is_s3() { 1000 } else { 100 }).min(1000);
    let coded = request.asked("encoding-type") == "url";
    let shown = |text: &str| if coded { quoted(text) } else { escaped(text) };
    let buckets = store.buckets.read().unwrap();
    let start = if after >= prefix { Bound::Excluded(after) } else { Bound::Included(prefix) };
    let found = buckets.get(bucket).map(|keys| keys.range::<str, _>((start, Bound::Unbounded)));
    let (mut items, mut folders, mut count, mut last) = (String::new(), String::new(), 0, String::new());
    let mut more = false;
    for (key, object) in found.into_iter().flatten().take_while(|(key, _)| key.starts_with(prefix)) {
        let inner = if delimiter.is_empty() { None } else { key[prefix.len()..].find(delimiter) };
        let folder = inner.map(|at| &key[..prefix.len() + at + delimiter.len()]);
        if folder.is_some_and(|name| name == last || after.starts_with(name)) {
            continue;
        }
        if count == most {
            more = true;
            break;
        }
        count += 1;
        last = folder.unwrap_or(key).to_string();
        if folder.is_some() {
            folders += &format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", shown(&last));
        } else {
            let (changed, etag) = (moment(object.changed).0, request.etag(&object.etag));
            items += &format!("<Contents><Key>{}</Key><LastModified>{changed}</LastModified>", shown(key));
            items += &format!("<ETag>{etag}</ETag><Type>Normal</Type><Size>{}</Size>", object.size);
            items += "<StorageClass>Standard</StorageClass></Contents>";
        }
    }
    let marker = if is_second { "NextContinuationToken" } else { "NextMarker" };
    let next = if more { format!("<{marker}>{}</{marker}>", shown(&last)) } else { String::new() };
    let encoding = if coded { "<EncodingType>url</EncodingType>" } else { "" };
    let head = format!("<Name>{}</Name><Prefix>{}</Prefix><MaxKeys>{most}</MaxKeys>", escaped(bucket), shown(prefix));
    let counted = format!("<Delimiter>{}</Delimiter><KeyCount>{count}</KeyCount>{encoding}", shown(delimiter));
    let told = format!("{head}{counted}<IsTruncated>{more}</IsTruncated>{next}{items}{folders}");
    Answer::xml(200, "ListBucketResult", &told)
}

fn no_uploads(bucket: &str) -> Answer {
    let inner = format!("<Bucket>{}</Bucket><IsTruncated>false</IsTruncated>", escaped(bucket));
    Answer::xml(200, "ListMultipartUploadsResult", &inner)
}

fn initiate(store: &Store, request: &Request, bucket: &str, key: &str) -> Answer {
    store.count("initiate");
    let id = format!("{:032X}", store.uploads_begun.fetch_add(1, Relaxed) + 1);
    let upload = Upload { key: key.to_string(), headers: request.kept(), parts: BTreeMap::new() };
    store.uploads.lock().unwrap().insert(id.clone(), upload);
    let names = format!("<Bucket>{}</Bucket><Key>{}</Key>", escaped(bucket), escaped(key));
    Answer::xml(200, "InitiateMultipartUploadResult", &format!("{names}<UploadId>{id}</UploadId>"))
}

fn take_part(store: &Store, request: &mut Request) -> Answer {
    let body = std::mem::take(&mut request.body);
    let crc = crc64([body.as_slice()]);
    let etag = request.etag(&digest(store, &body, crc));
    let part = Part { size: body.len(), pieces: vec![Piece::whole(body)], crc };
    if !keep_part(store, request, part) {
        return Answer::error(404, "NoSuchUpload");
    }
    Answer::new(200, &[("ETag", etag), ("x-oss-hash-crc64ecma", crc.to_string())])
}

fn copy_part(store: &Store, request: &Request) -> Answer {
    store.count("part_copy");
    let Some(source) = source_of(store, request) else { return Answer::error(404, "NoSuchKey") };
    let Some((from, to)) = range(request.source("-range"), source.size) else {
        return Answer::error(416, "InvalidRange");
    };
    let pieces = stretch(&source.pieces, from, to);
    let crc = crc64(pieces.iter().map(Piece::as_slice));
    if !keep_part(store, request, Part { pieces, size: to - from, crc }) {
        return Answer::error(404, "NoSuchUpload");
    }
    let etag = request.etag(&format!("{crc:032x}-1"));
    Answer::xml(200, "CopyPartResult", &format!("<LastModified>{}</LastModified><ETag>{etag}</ETag>", moment(now()).0))
}

/// False where there is no such upload.
fn keep_part(store: &Store, request: &Request, part: Part) -> bool {
    let number = request.asked("partNumber").parse().unwrap_or(0);
    let mut uploads = store.uploads.lock().unwrap();
    uploads.get_mut(request.asked("uploadId")).map(|upload| upload.parts.insert(number, part)).is_some()
}

fn list_parts(store: &Store, request: &Request, bucket: &str, key: &str) -> Answer {
    store.count("list_parts");
    let uploads = store.uploads.lock().unwrap();
    let Some(upload) = uploads.get(request.asked("uploadId")) else { return Answer::error(404, "NoSuchUpload") };
    let changed = moment(now()).0; // of a part nobody looks at it
    let told = |(number, part): (&u32, &Part)| {
        let etag = request.etag(&format!("{:032x}-1", part.crc));
        let fields = format!("<PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Size>{}</Size>", part.size);
        format!("<Part>{fields}<LastModified>{changed}</LastModified></Part>")
    };
    let last = upload.parts.keys().last().copied().unwrap_or(0);
    let head = format!("<Bucket>{}</Bucket><Key>{}</Key>", escaped(bucket), escaped(key));
    let end = format!("<NextPartNumberMarker>{last}</NextPartNumberMarker><IsTruncated>false</IsTruncated>");
    Answer::xml(200, "ListPartsResult", &(head + &end + &upload.parts.iter().map(told).collect::<String>()))
}

fn complete(store: &Store, request: &Request, bucket: &str, key: &str) -> Answer {
    store.count("complete");
    let begun = store.uploads.lock().unwrap().remove(request.asked("uploadId")).filter(|upload| upload.key == key);
    let Some(mut upload) = begun else { return Answer::error(404, "NoSuchUpload") };
    let (mut pieces, mut size, mut crc, mut count) = (Vec::new(), 0, 0, 0);
    for number in elements(&String::from_utf8_lossy(&request.body), "PartNumber") {
        let Some(part) = number.parse().ok().and_then(|number: u32| upload.parts.remove(&number)) else {
            return Answer::error(400, "InvalidPart");
        };
        crc = joined(crc, part.crc, part.size as u64);
        size += part.size;
        count += 1;
        pieces.extend(part.pieces);
    }
    let etag = format!("{crc:032x}-{count}"); // no digest, as the ETag of parts is none of their bytes in either dialect
    let shown = request.etag(&etag);
    store.write(bucket, key, Object { pieces, size, crc, etag, headers: upload.headers, changed: now() });
    let names = format!("<Location>local</Location><Bucket>{}</Bucket><Key>{}</Key>", escaped(bucket), escaped(key));
    let mut answer = Answer::xml(200, "CompleteMultipartUploadResult", &format!("{names}<ETag>{shown}</ETag>"));
    answer.headers.extend([("ETag".into(), shown), ("x-oss-hash-crc64ecma".into(), crc.to_string())]);
    answer
}
