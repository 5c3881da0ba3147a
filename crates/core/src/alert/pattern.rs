//! The patterns of messages: what is left of them when numbers, ids and hexadecimal digits are taken out.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::notification::Pattern;

/// How many patterns an alert shows.
const SHOWN: usize = 3;
/// How many characters of a message count.
const MESSAGE_CHARS: usize = 500;

/// What differs between messages that say the same, the longest forms first: a UUID, an address, hexadecimal digits, a number.
static VARYING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?P<uuid>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b)",
        r"|(?P<ip>\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b)",
        r"|(?P<hex>\b0x[0-9a-f]+\b|\b[0-9a-f]{8,}\b)",
        r"|(?P<number>\d+(?:[.,:]\d+)*)",
    ))
    .ok()
});

/// A message without what differs from one to the next: `charge <n> failed`.
fn mask(message: &str) -> String {
    let message: String = message.chars().take(MESSAGE_CHARS).collect();
    let Some(varying) = VARYING.as_ref() else { return message };
    let name = |found: &regex::Captures<'_>| {
        let whole = found.get(0).map_or("", |part| part.as_str());
        let digits = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
        match ["uuid", "ip", "hex"].into_iter().find(|kind| found.name(kind).is_some()) {
            Some("uuid") => "<uuid>".to_owned(),
            Some("ip") => "<ip>".to_owned(),
            // A word such as `defaced` has hexadecimal letters as well.
            Some(_) if !digits(whole) => whole.to_owned(),
            Some(_) if whole.bytes().all(|byte| byte.is_ascii_digit()) => "<n>".to_owned(),
            Some(_) => "<hex>".to_owned(),
            None => "<n>".to_owned(),
        }
    };
    varying.replace_all(&message, name).into_owned()
}

/// The most frequent patterns of messages with how many there are of each and the first of them, the most frequent first;
/// among equals the one that came first.
pub fn most_frequent<'a>(messages: impl IntoIterator<Item = &'a str>) -> Vec<Pattern> {
    patterns(messages, SHOWN)
}

/// The same, at most `most` of them.
pub fn patterns<'a>(messages: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<Pattern> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<Pattern> = Vec::new();
    for message in messages {
        let pattern = mask(message);
        let place = *places.entry(pattern.clone()).or_insert(found.len());
        match found.get_mut(place) {
            Some(known) => known.count += 1,
            None => {
                let sample = message.chars().take(MESSAGE_CHARS).collect();
                found.push(Pattern { pattern, count: 1, sample });
            }
        }
    }
    // Stable: the first of equals stays the first.
    found.sort_by_key(|pattern| std::cmp::Reverse(pattern.count));
    found.truncate(most);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_masked_and_words_are_not() {
        for (message, pattern) in [
            ("charge 42 failed after 1.5 s", "charge <n> failed after <n> s"),
            ("order 4bf92f3577b34da6a3ce929d0e0e4736 from 10.0.0.17:8080", "order <hex> from <ip>:<n>"),
            ("user 123e4567-e89b-12d3-a456-426614174000 gone", "user <uuid> gone"),
            ("支付 17 超时 at 0x7fff12", "支付 <n> 超时 at <hex>"),
            ("defaced facade effaced_12", "defaced facade effaced_<n>"),
            ("id=12345678901", "id=<n>"),
            ("", ""),
        ] {
            assert_eq!(mask(message), pattern, "{message}");
        }
        assert_eq!(mask(&"支".repeat(10_000)).chars().count(), MESSAGE_CHARS);
    }

    #[test]
    fn the_most_frequent_come_first_with_a_sample_each() {
        let messages = ["a 1", "b 1", "b 2", "c", "d", "b 3", "d"];
        let found = most_frequent(messages);
        let shown: Vec<_> = found.iter().map(|p| (p.pattern.as_str(), p.count, p.sample.as_str())).collect();
        assert_eq!(shown, [("b <n>", 3, "b 1"), ("d", 2, "d"), ("a <n>", 1, "a 1")]);
    }
}
