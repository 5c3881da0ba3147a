//! What an export looks like: CSV for spreadsheets, NDJSON for programs; gzip around either.

use std::io::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use csv::{Terminator, WriterBuilder};
use flate2::write::GzEncoder;
use logmon_core::log::{Attributes, Log, SpanId, TraceId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::endpoints::logs::LogView;

/// How each log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ToSchema)]
#[schema(rename_all = "lowercase", default = "csv")]
pub enum Format {
    /// A line of RFC 4180, the first one with the names of the columns; a byte order mark before them tells spreadsheets
    /// that this is UTF-8.
    #[default]
    Csv,
    /// A JSON object a line, as a list has it.
    Ndjson,
}

/// Whether what is written is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// By gzip.
    Gzip,
}

impl Format {
    /// Reads the parameter `format`; CSV when it is absent or empty.
    ///
    /// # Errors
    /// What was expected.
    pub fn from_query(text: Option<&str>) -> Result<Self, Vec<String>> {
        match text {
            None | Some("") => Ok(Self::Csv),
            Some(text) if text.eq_ignore_ascii_case("csv") => Ok(Self::Csv),
            Some(text) if text.eq_ignore_ascii_case("ndjson") => Ok(Self::Ndjson),
            Some(text) => Err(vec![format!("\"{text}\" is not a valid choice: csv or ndjson.")]),
        }
    }

    /// What it is on the wire.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// How the name of such a file ends.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// The columns of a CSV file.
const COLUMNS: [&str; 10] = [
    "id",
    "created_at",
    "app",
    "level",
    "message",
    "trace_id",
    "span_id",
    "attributes",
    "received_at",
    "timestamp_clamped",
];
/// How many bytes of a record are written at a time.
const RECORD: usize = 512;
/// How much text is compressed at a time.
const BLOCK: usize = 64 * 1024;

/// Logs as bytes, taken away piece by piece.
pub struct Output {
    format: Format,
    /// What is not compressed yet, or is not to be.
    text: Vec<u8>,
    gzip: Option<GzEncoder<Vec<u8>>>,
}

/// Behind the last log of an export that was cut.
#[derive(Serialize)]
struct Cut<'a> {
    cut_after: u64,
    next: &'a str,
}

/// Behind the last log of an export that failed.
#[derive(Serialize)]
struct BrokenOff {
    broken_off_after: u64,
}

impl Output {
    /// With what stands before the first log.
    pub fn new(format: Format, compression: Compression) -> Self {
        let gzip = match compression {
            Compression::None => None,
            // Twice as large as the best, in a fifth of the time.
            Compression::Gzip => Some(GzEncoder::new(Vec::new(), flate2::Compression::fast())),
        };
        let mut output = Self { format, text: Vec::new(), gzip };
        if format == Format::Csv {
            output.text.extend_from_slice("\u{feff}".as_bytes());
            output.record(COLUMNS);
        }
        output
    }

    /// Adds a log.
    pub fn log(&mut self, log: Log) {
        match self.format {
            Format::Ndjson => self.json(&LogView::from(log)),
            Format::Csv => {
                let extra = &log.extra;
                let or_empty = |text: Option<&str>| neutral(text.unwrap_or_default());
                self.record([
                    log.id.0.to_string(),
                    rfc3339(log.created_at),
                    log.app.0.to_string(),
                    neutral(&log.level),
                    neutral(&log.message),
                    or_empty(extra.trace_id.as_ref().map(TraceId::as_str)),
                    or_empty(extra.span_id.as_ref().map(SpanId::as_str)),
                    or_empty(extra.attributes.as_ref().map(Attributes::as_str)),
                    extra.received_at.map(rfc3339).unwrap_or_default(),
                    if extra.timestamp_clamped { "true" } else { "" }.to_owned(),
                ]);
            }
        }
        if self.text.len() >= BLOCK {
            self.compress();
        }
    }

    /// Says that there are more than these, and at which address.
    pub fn cut(&mut self, after: u64, next: &str) {
        match self.format {
            Format::Ndjson => self.json(&Cut { cut_after: after, next }),
            Format::Csv => self.remark(&format!("Cut after {after} logs. The next ones: {next}")),
        }
    }

    /// Says that these are not all.
    pub fn broken_off(&mut self, after: u64) {
        match self.format {
            Format::Ndjson => self.json(&BrokenOff { broken_off_after: after }),
            Format::Csv => self.remark(&format!("Broken off after {after} logs: these are not all.")),
        }
    }

    /// How many bytes could be taken.
    pub fn waits(&self) -> usize {
        self.gzip.as_ref().map_or(self.text.len(), |gzip| gzip.get_ref().len())
    }

    /// What there is by now.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.gzip.as_mut().map_or(&mut self.text, GzEncoder::get_mut))
    }

    /// What there is still, with what comes behind the last log. Nothing is to be added any more.
    pub fn finish(&mut self) -> Vec<u8> {
        self.compress();
        match self.gzip.take() {
            // Nothing that writes to memory fails.
            Some(gzip) => gzip.finish().unwrap_or_default(),
            None => std::mem::take(&mut self.text),
        }
    }

    fn compress(&mut self) {
        if let Some(gzip) = &mut self.gzip {
            let _written = gzip.write_all(&self.text);
            self.text.clear();
        }
    }

    fn json(&mut self, line: &impl Serialize) {
        let _written = serde_json::to_writer(&mut self.text, line);
        self.text.push(b'\n');
    }

    /// A sentence where the messages are.
    fn remark(&mut self, text: &str) {
        self.record(COLUMNS.map(|column| if column == "message" { text } else { "" }));
    }

    fn record<T: AsRef<[u8]>>(&mut self, fields: [T; COLUMNS.len()]) {
        let mut writer =
            WriterBuilder::new().buffer_capacity(RECORD).terminator(Terminator::CRLF).from_writer(&mut self.text);
        let _written = writer.write_record(fields);
    }
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A text that no spreadsheet takes for a formula (OWASP, CSV injection).
fn neutral(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("{}{text}", if formula { "'" } else { "" })
}
