//! How much the server takes at once, and what of a request goes into which statement because of it.

use logmon_core::log::Record;

use super::text;

/// More bytes than the row of a record takes with its event id and its counts, but for its texts.
const ROW: usize = 512;

/// More bytes than a record takes in a statement: each byte of a text may be escaped.
fn bound(record: &Record) -> usize {
    2 * record.size() + ROW
}

/// The same, closer and slower: the message is all of a record that may be long.
fn close_bound(record: &Record) -> usize {
    let message = &record.message;
    bound(record) - message.len() + message.bytes().filter(text::is_special).count()
}

/// Whether one text of at most `room` bytes is sure to hold the statements of these records.
pub(super) fn fits<'a>(records: impl Iterator<Item = &'a Record>, room: usize) -> bool {
    records.map(bound).sum::<usize>() <= room
}

/// Whether no text of at most `room` bytes holds the statements of this record.
pub(super) fn is_too_large(record: &Record, room: usize) -> bool {
    bound(record) > room && close_bound(record) > room
}

/// Records in parts, each for a text of its own of at most `room` bytes. None of them is too large.
pub(super) fn parts<'a, 'b>(records: &'b [&'a Record], room: usize) -> Vec<&'b [&'a Record]> {
    let (mut parts, mut rest) = (Vec::new(), records);
    while !rest.is_empty() {
        let mut size = 0;
        let fitting = rest.iter().take_while(|record| {
            size += bound(record);
            size <= room
        });
        let (part, others) = rest.split_at(fitting.count().max(1));
        parts.push(part);
        rest = others;
    }
    parts
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use logmon_core::app::AppId;
    use logmon_core::log::{Attributes, EventId, Extra, Level, SpanId, TraceId};

    use super::*;

    #[test]
    fn a_record_takes_no_more_than_it_is_bound_to() {
        let time = DateTime::from_timestamp(1_795_348_140, 0).unwrap();
        let attributes = format!(r#"{{"{}":"\\"}}"#, "'".repeat(99));
        let record = |text: String, extra| Record {
            app: AppId(i64::MAX),
            level: Level::Error,
            event_id: Some(EventId::new(&text)),
            message: text,
            created_at: time,
            extra,
        };
        let extra = Extra {
            attributes: Some(serde_json::from_str::<Attributes>(&attributes).unwrap()),
            trace_id: Some(TraceId::new(&"'".repeat(64))),
            span_id: Some(SpanId::new(&"'".repeat(64))),
            received_at: Some(time),
            timestamp_clamped: true,
        };
        for text in ["", "plain", "支付", &"'\\\0".repeat(50)] {
            for extra in [None, Some(Box::new(extra.clone()))] {
                let record = record(text.to_owned(), extra);
                let fixed = 1_024;
                let taken = text::statements(std::iter::once(&record), i64::MAX).len();
                assert!(taken <= close_bound(&record) + fixed, "{taken} {record:?}");
                assert!(close_bound(&record) <= bound(&record), "{record:?}");
            }
        }
    }
}
