//! Whether every text has its Chinese, so that nobody reads half a page in another language.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::*;
use crate::openapi::document;
use crate::routes;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/docs/zh-CN");
const SCRIPT: &str = include_str!("../../../assets/docs/docs.js");
const PAGE: &str = include_str!("../../../assets/docs/index.html");

/// Every text that the page shows, with the name of the file where its Chinese stands.
fn said() -> BTreeMap<String, String> {
    let mut nouns = BTreeMap::<String, BTreeSet<&str>>::new();
    for (_, described) in routes::documented().flat_map(|route| route.operations) {
        let noun = described.place[0];
        for text in texts(&serde_json::to_value((described.document)()).unwrap()) {
            nouns.entry(text).or_default().insert(noun);
        }
        nouns.entry(title(noun)).or_default().insert(noun);
    }
    let whole = serde_json::to_value(document()).unwrap();
    for text in texts(&whole) {
        nouns.entry(text).or_default();
    }
    let home = |nouns: BTreeSet<&str>| match nouns.into_iter().collect::<Vec<_>>()[..] {
        [noun] => noun.to_owned(),
        _ => "shared".to_owned(),
    };
    let document = nouns.into_iter().map(|(text, nouns)| (text, home(nouns)));
    document.chain(labels(&whole).into_iter().map(|label| (label, "page".to_owned()))).collect()
}

/// Every summary and description below a value.
fn texts(value: &Value) -> BTreeSet<String> {
    let of = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("summary" | "description", Value::String(text)) => paragraphs(text),
        // What is given as an example is no text, and what properties are called no word of ours.
        ("example" | "examples" | "default", _) => BTreeSet::new(),
        ("properties", Value::Object(named)) => named.values().flat_map(texts).collect(),
        _ => texts(value),
    };
    match value {
        Value::Object(map) => map.iter().flat_map(of).collect(),
        Value::Array(list) => list.iter().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

/// As the page looks them up.
fn paragraphs(text: &str) -> BTreeSet<String> {
    let one_line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split("\n\n").map(one_line).filter(|paragraph| !paragraph.is_empty()).collect()
}

/// What the page makes of a tag.
fn title(tag: &str) -> String {
    let (first, rest) = tag.split_at(1);
    first.to_uppercase() + &rest.replace('_', " ")
}

/// The page's own labels: what its script hands to `t`, what its HTML marks, and where parameters stand.
fn labels(document: &Value) -> BTreeSet<String> {
    let quoted = SCRIPT.match_indices("t(\"").filter_map(|(at, call)| {
        let is_name = SCRIPT[..at].ends_with(|before: char| before.is_alphanumeric() || "_.$".contains(before));
        (!is_name).then(|| SCRIPT[at + call.len()..].split('"').next().unwrap().to_owned())
    });
    let marked = PAGE.split(" data-text>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values());
    let parameters = operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
    let places = parameters.filter_map(|parameter| parameter["in"].as_str().map(str::to_owned));
    quoted.chain(marked).chain(places).collect()
}

/// The names that stand between two marks, in any order.
fn names(text: &str, open: char, close: char) -> Vec<&str> {
    let step = if open == close { 2 } else { 1 };
    let marked = text.split(open).skip(1).step_by(step).filter_map(|rest| rest.split(close).next());
    let mut names: Vec<_> = marked.filter(|name| name.starts_with(char::is_alphabetic)).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_text_has_its_chinese_and_none_is_left_over() {
    let wanted: BTreeSet<(String, String)> = said().into_iter().map(|(text, file)| (file, text)).collect();
    let has = |(name, file): &(&str, &str)| {
        let name = (*name).to_owned();
        read(file).into_iter().map(move |(text, _)| (name.clone(), text))
    };
    let there: BTreeSet<(String, String)> = FILES.iter().flat_map(has).collect();
    let list = |texts: Vec<&(String, String)>| {
        texts.into_iter().map(|(file, text)| format!("\n  {file}.json: {text:?}")).collect::<String>()
    };
    let missing = list(wanted.difference(&there).collect());
    let left_over = list(there.difference(&wanted).collect());
    assert!(
        missing.is_empty() && left_over.is_empty(),
        "in crates/api/assets/docs/zh-CN/, each text with its Chinese on a line of its own:\n\
         to be added (a file that is new is listed in openapi/chinese/mod.rs):{missing}\n\
         to be removed, for nothing says it there any more:{left_over}"
    );
}

#[test]
fn every_file_can_be_read_and_is_listed() {
    let listed: BTreeSet<String> = FILES.iter().map(|(name, _)| format!("{name}.json")).collect();
    let there: BTreeSet<String> =
        fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(listed, there, "openapi/chinese/mod.rs lists what {FOLDER} has");
    for (name, file) in FILES {
        let texts: BTreeMap<String, String> =
            serde_json::from_str(file).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        let lines = file.lines().filter(|line| line.starts_with("  \"")).count();
        assert_eq!(lines, texts.len(), "{name}.json has a text twice, or not on a line of its own");
    }
}

#[test]
fn the_chinese_keeps_what_is_no_language() {
    for (name, file) in FILES {
        for (text, chinese) in read(file) {
            let chinese = chinese.as_str().unwrap();
            assert!(!chinese.is_empty(), "{name}.json: {text:?} has no Chinese");
            for (open, close) in [('`', '`'), ('{', '}')] {
                let (english, chinese) = (names(&text, open, close), names(chinese, open, close));
                assert_eq!(english, chinese, "{name}.json: {text:?} does not keep what stands in {open}{close}");
            }
        }
    }
}
