//! What a process says of itself, and how: lines for people, or JSON for machines, on standard error.

use std::io::Write as _;

use chrono::SecondsFormat;
use clap::{Args, ValueEnum};
use log::kv::{self, Key, Value, VisitSource};
use log::{LevelFilter, Record};

use crate::clock::{Clock, SystemClock};

/// The process's own log.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogSettings {
    /// How much the process says of itself: debug, info, warning, error or critical
    #[arg(short = 'l', long = "loglevel", env = "LOG_LEVEL", default_value = "info", value_parser = level)]
    pub log_level: LevelFilter,

    /// The form of these lines
    #[arg(long, env = "LOG_FORMAT", default_value = "text", value_parser = format)]
    pub log_format: LogFormat,
}

/// The form of the process's own lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line: `time`, `level`, `target`, `message` and the line's own fields.
    Json,
}

// The names are those that `celery worker --loglevel` takes, in any letter case.
fn level(text: &str) -> Result<LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "trace" => Ok(LevelFilter::Trace),
        "debug" => Ok(LevelFilter::Debug),
        "info" => Ok(LevelFilter::Info),
        "warning" | "warn" => Ok(LevelFilter::Warn),
        "error" | "critical" | "fatal" => Ok(LevelFilter::Error),
        _ => Err("debug, info, warning, error or critical is expected".to_owned()),
    }
}

fn format(text: &str) -> Result<LogFormat, String> {
    LogFormat::from_str(text, true).ok().ok_or_else(|| "text or json is expected".to_owned())
}

impl LogSettings {
    /// Installs the logger. Call it once, first of all.
    pub fn install(&self) {
        let mut builder = env_logger::Builder::new();
        builder.filter_level(self.log_level.min(LevelFilter::Warn)).filter_module("logmon", self.log_level);
        for library in ["r2d2", "redis"] {
            // Their errors come back as values and are said where they are handled.
            builder.filter_module(library, LevelFilter::Off);
        }
        if self.log_format == LogFormat::Json {
            builder.format(|out, record| writeln!(out, "{}", json_line(record)));
        }
        builder.init();
    }
}

fn json_line(record: &Record<'_>) -> serde_json::Value {
    struct Fields(serde_json::Map<String, serde_json::Value>);
    impl<'kvs> VisitSource<'kvs> for Fields {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
            let value = serde_json::to_value(&value).unwrap_or_else(|_| value.to_string().into());
            self.0.insert(key.to_string(), value);
            Ok(())
        }
    }
    let mut fields = Fields(serde_json::Map::new());
    // A visitor that never fails.
    let visited = record.key_values().visit(&mut fields);
    debug_assert!(visited.is_ok());
    let time = SystemClock.now().to_rfc3339_opts(SecondsFormat::Micros, true);
    for (name, value) in [
        ("time", time),
        ("level", record.level().to_string()),
        ("target", record.target().to_owned()),
        ("message", record.args().to_string()),
    ] {
        fields.0.insert(name.to_owned(), value.into());
    }
    fields.0.into()
}
