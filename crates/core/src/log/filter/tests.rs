//! Filters as a query says them, and what they let through.

use super::*;
use crate::log::{Extra, LogId};

fn now() -> DateTime<Utc> {
    "2026-11-23T04:00:00Z".parse().unwrap()
}

fn read(query: &str) -> Result<(LogFilter, Order), String> {
    let pairs: Vec<(String, String)> = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    LogFilter::from_query(&pairs, now()).map_err(|errors| serde_json::to_string(&errors).unwrap())
}

fn log(message: &str, attributes: Option<&str>) -> Log {
    let attributes = attributes.map(|text| serde_json::from_str(text).unwrap());
    Log {
        id: LogId(1),
        app: AppId(1),
        level: "ERROR".to_owned(),
        message: message.to_owned(),
        created_at: now(),
        extra: Extra { attributes, ..Extra::default() },
    }
}

#[test]
fn words_and_phrases_must_be_there_and_others_must_not() {
    for (q, message, expected) in [
        ("time out", "connection TIMEOUT", true),
        ("time  up", "connection timeout", false),
        ("\"time out\"", "timeout", false),
        ("\"time out\"", "a Time Out of 3 s", true),
        ("error -payment", "error in payment", false),
        ("error -\"in payment\"", "error in pay", true),
        ("支付", "微信支付失败", true),
        ("支付 -失败", "微信支付失败", false),
        ("100%", "100% full", true),
        ("100%", "1000 full", false),
        ("a_b", "axb", false),
        ("c:\\", "at C:\\temp", true),
        ("\"", "a \" quote", true),
        ("-", "a - b", true),
        ("cafe", "CAFÉ", true),
        ("🚨", "🚨 alarm", true),
        ("🚨", "🚀 start", false),
    ] {
        let (filter, _) = read(&format!("q={q}")).unwrap();
        assert_eq!(filter.matches(&log(message, None)), expected, "{q} in {message}");
    }
}

#[test]
fn a_character_is_found_as_each_that_is_taken_for_it() {
    let characters = |text: &str| Term::parse(text)[0].characters().collect::<Vec<_>>();
    assert_eq!(characters("1支🚨"), [['1'], ['支'], ['🚨']]);
    assert!(['e', 'E', 'é', 'Ế'].iter().all(|c| characters("È")[0].contains(c)));
    for text in ["s", "ß", "и", "Ω", "ｱ", "\u{345}", "\u{FFFD}"] {
        let alike = &characters(text)[0];
        let (filter, _) = read(&format!("q={text}")).unwrap();
        for c in ('\0'..='\u{11000}').filter(|c| !c.is_whitespace()) {
            assert_eq!(filter.matches(&log(&c.to_string(), None)), alike.contains(&c), "{text} and {c:?}");
        }
    }
}

#[test]
fn moments_are_read_in_every_form_that_people_write() {
    for (text, expected) in [
        ("2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"),
        ("2026-11-23T11:00:00 08:00", "2026-11-23T03:00:00Z"),
        ("2026-11-23 03:00:00Z", "2026-11-23T03:00:00Z"),
        ("2026-11-23 11:00:00 08:00", "2026-11-23T03:00:00Z"),
        ("2026-11-23 03:00:00Z", "2026-11-23T03:00:00Z"),
        ("2026-11-23 11:00:00 08:00", "2026-11-23T03:00:00Z"),
        ("1795402800", "2026-11-23T03:00:00Z"),
        ("1795402800000", "2026-11-23T03:00:00Z"),
        ("now", "2026-11-23T04:00:00Z"),
        ("now-90m", "2026-11-23T02:30:00Z"),
        ("now-2d", "2026-11-21T04:00:00Z"),
    ] {
        let (filter, _) = read(&format!("since={text}")).unwrap();
        assert_eq!(filter.since, Some(expected.parse().unwrap()), "{text}");
    }
    for text in ["yesterday", "now+1h", "now-1", "now-xh", "now-99999999999w", "-99999999999"] {
        assert!(read(&format!("since={text}")).unwrap_err().starts_with(r#"{"since":["Expected a time"#), "{text}");
    }
}

#[test]
fn every_wrong_parameter_is_named() {
    let long = "x".repeat(257);
    let query =
        format!("app=x&level=LOUD&since=soon&until=late&q={long}&attr.=1&attr.{long}=1&trace_id={long}&order=up");
    let errors: Value = serde_json::from_str(&read(&query).unwrap_err()).unwrap();
    let mut names: Vec<&str> = errors.as_object().unwrap().keys().map(String::as_str).collect();
    let longest = format!("attr.{long}");
    names.retain(|name| *name != longest);
    assert_eq!(names, ["app", "attr.", "level", "order", "q", "since", "trace_id", "until"]);
    assert!(read("since=now&until=now-1h").unwrap_err().contains("since"));
    assert_eq!(read("app=&level=&q=&since=&limit=3&unknown=1").unwrap(), (LogFilter::default(), Order::NewestFirst));
}

#[test]
fn attributes_are_compared_as_they_are_written() {
    let attributes = r#"{"user":"7","n":7,"ok":true,"none":null,"a.b":"c","deep":{"x":1}}"#;
    for (query, expected) in [
        ("attr.user=7", true),
        ("attr.n=7", true),
        ("attr.n=7.0", false),
        ("attr.ok=true", true),
        ("attr.none=null", true),
        ("attr.a.b=c", true),
        ("attr.deep={\"x\":1}", false),
        ("attr.other=", false),
        ("attr.user=7&attr.n=8", false),
    ] {
        let (filter, _) = read(query).unwrap();
        assert_eq!(filter.matches(&log("m", Some(attributes))), expected, "{query}");
        assert!(!filter.matches(&log("m", None)), "{query}");
    }
}

#[test]
fn one_log_answers_many_filters_as_it_answers_each() {
    let log = log("Payment FAILED 支付", Some(r#"{"n":7}"#));
    let candidate = Candidate::new(&log);
    for (query, expected) in [
        ("level=ERROR", true),
        ("q=failed", true),
        ("q=支付 -payment", false),
        ("attr.n=7", true),
        ("attr.n=8", false),
        ("attr.m=7", false),
        ("q=nothing", false),
        ("q=payment&attr.n=7", true),
    ] {
        let (filter, _) = read(query).unwrap();
        assert_eq!(filter.lets_through(&candidate), expected, "{query}");
    }
}

#[test]
fn a_fingerprint_tells_filters_and_orders_apart() {
    let of = |query: &str| {
        let (filter, order) = read(query).unwrap();
        filter.fingerprint(order)
    };
    let all =
        ["app=1", "app=2", "level=INFO", "q=a", "q=-a", "q=A", "order=ASC", "trace_id=a", "attr.a=b", "since=now"];
    let mut prints: Vec<_> = all.map(of).to_vec();
    assert_eq!(of("app=2&app=1&app=2"), of("app=1&app=2"));
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), all.len());
}
