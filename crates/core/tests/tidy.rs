//! The invariants of the house, as far as reading the source can tell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails where these do")]

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines.
const FILE_MAX: usize = 400;
/// The longest block of tests in a file of code, in lines.
const TESTS_MAX: usize = 100;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust file below a folder, with its path from the top and its text.
fn sources(below: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let (top, mut found) = (top(), Vec::new());
    walk(&top.join(below), &mut found);
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).unwrap())
    };
    let files: Vec<_> = found.into_iter().map(read).collect();
    assert!(!files.is_empty(), "nothing below {below}");
    files
}

/// The files in which a line outside comments contains one of `words`, but for those whose path contains one of `homes`.
fn outside(below: &str, words: &[&str], homes: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in sources(below) {
        if homes.iter().any(|home| name.contains(home)) || name.ends_with("tests/tidy.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn every_file_says_what_lives_there() {
    for (name, text) in sources("crates") {
        let generated = name.ends_with("schema.rs");
        assert!(generated || text.starts_with("//! ") || text.starts_with("#!["), "{name} does not begin with //!");
    }
}

#[test]
fn files_are_short_and_long_tests_have_a_file_of_their_own() {
    for (name, text) in sources("crates") {
        let lines = text.lines().count();
        assert!(lines <= FILE_MAX || name.ends_with("schema.rs"), "{name} has {lines} lines, {FILE_MAX} at most");
        let tests = text.lines().skip_while(|line| *line != "mod tests {").count();
        assert!(tests <= TESTS_MAX, "{name} has {tests} lines of tests: move them to a sibling file");
    }
}

#[test]
fn only_store_knows_the_database_and_redis_and_only_api_knows_http() {
    let none: Vec<String> = Vec::new();
    assert_eq!(outside("crates", &["diesel::", "mysql::", "redis::"], &["crates/store/"]), none);
    assert_eq!(outside("crates", &["actix_web", "actix_multipart"], &["crates/api/"]), none);
}

// What is not in the table is not in the OpenAPI document either.
#[test]
fn every_url_is_in_the_table_of_routes() {
    let words = ["web::resource", "web::get", "web::post", "web::patch", "web::put", "web::delete", "#[actix_web::"];
    assert_eq!(outside("crates/api/src", &words, &["routes/endpoint.rs"]), Vec::<String>::new());
}

#[test]
fn core_does_no_input_or_output() {
    let words = ["TcpListener", "std::fs", "File::", "TcpStream", "tokio::"];
    assert_eq!(
        outside("crates/core/src", &words, &["config/sample.rs", "report/tests.rs", "tasks/mod.rs"]),
        Vec::<String>::new()
    );
}

#[test]
fn one_module_asks_for_the_time_and_one_reads_the_environment() {
    let none: Vec<String> = Vec::new();
    assert_eq!(outside("crates/core/src", &["Utc::now()", "Local::now()", "SystemTime::now"], &["clock.rs"]), none);
    assert_eq!(
        outside("crates", &["env::var", "dotenvy", "env = \""], &["core/src/config/", "testing/", "tests/"]),
        none
    );
}

#[test]
fn database_and_broker_do_not_know_each_other() {
    let none: Vec<String> = Vec::new();
    assert_eq!(outside("crates/store/src/db", &["broker"], &[]), none);
    assert_eq!(outside("crates/store/src/broker", &["crate::db", "super::db"], &[]), none);
}

#[test]
fn no_binary_imports_another() {
    let none: Vec<String> = Vec::new();
    let binaries = ["logmon_api", "logmon_worker", "logmon_beat"];
    for (binary, own) in [("api", "logmon_api"), ("worker", "logmon_worker"), ("beat", "logmon_beat")] {
        let others: Vec<&str> = binaries.into_iter().filter(|name| *name != own).collect();
        assert_eq!(outside(&format!("crates/{binary}/src"), &others, &[]), none);
    }
}

#[test]
fn rows_stay_in_the_store() {
    let rows = ["Queryable", "Insertable", "AsChangeset"];
    assert_eq!(outside("crates", &rows, &["crates/store/"]), Vec::<String>::new());
    let public: Vec<String> = outside("crates/store/src/db", &["pub struct"], &["/migrations.rs"])
        .into_iter()
        .filter(|line| line.contains("Row"))
        .collect();
    assert_eq!(public, Vec::<String>::new());
}

#[test]
fn every_redis_key_is_named_in_one_file() {
    let keys = ["\"rq:", "\"unacked", "_kombu.", "celery-task-meta"];
    let found = outside("crates", &keys, &["broker/keys.rs", "/tests/", "core/src/celery/"]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn every_script_for_redis_says_what_it_takes_and_returns() {
    for entry in fs::read_dir(top().join("crates/store/src/broker/scripts")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        if path.file_name().is_some_and(|name| name != "common.lua") {
            for part in ["\n-- KEYS:", "\n-- ARGV:", "\n-- RETURNS:"] {
                assert!(text.contains(part), "{} has no {part:?}", path.display());
            }
        }
    }
}

#[test]
fn every_handler_says_how_it_runs_twice_with_the_effect_of_once() {
    for (name, text) in sources("crates/worker/src/handlers") {
        let header = text.lines().take_while(|line| line.starts_with("//!")).collect::<String>();
        assert!(name.ends_with("mod.rs") || header.contains("Twice: "), "the header of {name} does not say it");
    }
}

#[test]
fn the_top_folder_holds_what_was_agreed() {
    let agreed = "Cargo.toml Cargo.lock crates migrations diesel.toml scripts README.md README.zh-CN.md CHANGELOG.md \
                  LICENSE Procfile rustfmt.toml target var";
    for entry in fs::read_dir(top()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || agreed.split_whitespace().any(|agreed| agreed == name), "{name}");
    }
}

#[test]
fn every_migration_has_both_directions_and_a_reason() {
    for entry in fs::read_dir(top().join("migrations")).unwrap() {
        let folder = entry.unwrap().path();
        let up = fs::read_to_string(folder.join("up.sql")).unwrap();
        assert!(up.starts_with("-- "), "{} does not say why", folder.display());
        assert!(folder.join("down.sql").exists(), "{} cannot be taken back", folder.display());
    }
}
