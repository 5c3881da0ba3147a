//! The Chinese of what the page of the `OpenAPI` document shows.
//!
//! In `assets/docs/zh-CN/` each noun of `endpoints/` has a file with its texts by the English ones. `shared.json` has what
//! several nouns say or none, `page.json` the labels of the page itself. A test names each text that is missing.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::asset::Asset;

macro_rules! files {
    ($($name:literal)*) => { &[$(($name, include_str!(concat!("../../../assets/docs/zh-CN/", $name, ".json")))),*] };
}

/// The files by their names.
const FILES: &[(&str, &str)] = files![
    "page" "shared" "root" "logs" "alerts" "apps" "rules" "silences" "summaries" "reports" "subscribers" "schedules" "tasks"
    "channels" "deliveries" "dead_letters" "queues" "workers" "health" "docs"
];

/// All of them in one, ready to be sent.
pub static CHINESE: LazyLock<Asset> = LazyLock::new(|| {
    let texts: Map<String, Value> = FILES.iter().flat_map(|(_, file)| read(file)).collect();
    Asset::new("application/json", Value::Object(texts).to_string())
});

/// The texts of a file.
fn read(file: &str) -> Map<String, Value> {
    // What cannot be read fails a test.
    serde_json::from_str(file).unwrap_or_default()
}
