//! The events of a tail, as Server-Sent Events writes them (WHATWG HTML, 9.2).

use actix_web::web::Bytes;
use logmon_core::log::{Log, Seen};
use serde::Serialize;

use crate::endpoints::logs::LogView;

/// An event as text.
pub(super) struct Event(String);

/// How many characters of a message are sent: the whole of it is at the log's own address.
const MESSAGE_MAX: usize = 16 * 1024;

#[derive(Serialize)]
struct TailedLog {
    #[serde(flatten)]
    log: LogView,
    /// How many bytes the message has, where it was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_bytes: Option<usize>,
}

#[derive(Serialize)]
struct Dropped {
    n: u64,
}

impl Event {
    /// A log. `seen` holds it, and is where the tail is taken up again after it.
    pub(super) fn log(log: &Log, seen: &Seen) -> Self {
        let mut log = log.clone();
        let message_bytes = log.message.char_indices().nth(MESSAGE_MAX).map(|(end, _)| {
            let whole = log.message.len();
            log.message.truncate(end);
            whole
        });
        Self::new("log", Some(seen), &TailedLog { log: log.into(), message_bytes })
    }

    /// A sign of life.
    pub(super) fn heartbeat(seen: &Seen) -> Self {
        Self::new("heartbeat", Some(seen), &serde_json::Map::new())
    }

    /// So many logs were left out, because the reader was too slow.
    pub(super) fn dropped(n: u64) -> Self {
        Self::new("dropped", None, &Dropped { n })
    }

    /// The tail was taken up after so long that what came meanwhile is not sent: a list shows it.
    pub(super) fn gap(seen: &Seen) -> Self {
        Self::new("gap", Some(seen), &serde_json::Map::new())
    }

    /// How long a client waits before it comes back, in milliseconds.
    pub(super) fn retry(milliseconds: u32) -> Self {
        Self(format!("retry: {milliseconds}\n\n"))
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into()
    }

    fn new(name: &str, seen: Option<&Seen>, data: &impl Serialize) -> Self {
        // JSON has no line breaks, and always serialises here.
        let data = serde_json::to_string(data).unwrap_or_default();
        let id = seen.map(|seen| format!("id: {seen}\n")).unwrap_or_default();
        Self(format!("event: {name}\n{id}data: {data}\n\n"))
    }
}
