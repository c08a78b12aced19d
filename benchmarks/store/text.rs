//! Percent-encoding, XML and moments, as far as the two dialects need them.

use std::time::{SystemTime, UNIX_EPOCH};

pub fn unquoted(text: &str) -> String {
    let (mut bytes, mut left) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, rest @ ..] = left {
        let pair = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match pair.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => (bytes.push(byte), left = &rest[2..]).1,
            None => (bytes.push(*first), left = rest).1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}

const ENTITIES: [(&str, &str); 7] =
    [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;"), ("\"", "&#34;"), ("'", "&apos;")];

pub fn escaped(text: &str) -> String {
    ENTITIES[..5].iter().fold(text.to_string(), |now, (sign, entity)| now.replace(sign, entity))
}

/// The texts of all elements of this name, where they hold no others.
pub fn elements(document: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let inner = document.split(&start).skip(1).filter_map(|rest| rest.split(&end).next());
    inner
        .map(|text| ENTITIES.iter().rev().fold(text.to_string(), |now, (sign, code)| now.replace(code, sign)))
        .collect()
}

/// A moment (seconds since 1970, UTC): as listings have it, and as HTTP's headers do.
pub fn moment(seconds: u64) -> (String, String) {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = seconds / 86_400;
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut day) = (1970, days);
    while day >= 365 + is_leap(year) as u64 {
        day -= 365 + is_leap(year) as u64;
        year += 1;
    }
    let lengths = [31, 28 + is_leap(year) as u64, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    let listed = format!("{year}-{:02}-{:02}T{clock}.000Z", month + 1, day + 1);
    (listed, format!("{}, {:02} {} {year} {clock} GMT", DAYS[days as usize % 7], day + 1, MONTHS[month]))
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}
