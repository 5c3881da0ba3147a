//! What the API tells those who watch it. What is noted at each request is plain atomics.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use logmon_core::schedule::progress::BeatState;
use logmon_store::broker::{Figures, QueueFigures};
use logmon_store::db::writer;
use logmon_store::metrics::{self, Timing};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::health::{Health, Schedule};
use crate::tail::Tails;

/// The first part of a path below `/api/`, or of one outside; all else is the last one.
const ROUTES: [&str; 21] = [
    "logs",
    "alerts",
    "rules",
    "channels",
    "deliveries",
    "silences",
    "apps",
    "summaries",
    "subscribers",
    "reports",
    "tasks",
    "dead-letters",
    "queues",
    "workers",
    "schedules",
    "healthz",
    "readyz",
    "metrics",
    "docs",
    "openapi.json",
    "other",
];
const METHODS: [&str; 3] = ["GET", "POST", "other"];
const STATUSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The figures. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Arc<[Counter]>,
    durations: Arc<[Timing]>,
    /// Logs that were stored and answered.
    pub accepted: Counter,
    /// Logs that were not stored again, for their `event_id` was known.
    pub duplicate: Counter,
    /// Logs that were refused.
    pub rejected: Counter,
    /// Logs that went to Redis to be stored later.
    pub queued: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: &'static str,
    method: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Log {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Depth {
    queue: String,
    priority: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queue {
    queue: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Entry {
    entry: String,
}

impl Metrics {
    /// Figures that begin at none.
    pub fn new(writer: &writer::Figures, tails: &Tails) -> Self {
        let (requests, durations) = (Family::<Request, Counter>::default(), Family::<Route, Timing>::default());
        let logs = Family::<Log, Counter>::default();
        let mut registry = metrics::registry();
        registry.register("http_requests", "Requests by their path, method and status", requests.clone());
        registry.register("http_request_seconds", "How long a request took to be answered", durations.clone());
        let help = "Logs: accepted and duplicate ones are in the database, queued ones on Redis, rejected ones nowhere";
        registry.register("ingest_logs", help, logs.clone());
        tails.register(&mut registry);
        writer.register(&mut registry);
        let pairs = || ROUTES.into_iter().flat_map(|route| METHODS.map(|method| Route { route, method }));
        let request = |Route { route, method }| STATUSES.map(|status| Request { route, method, status });
        let log = |outcome| logs.get_or_create_owned(&Log { outcome });
        Self {
            registry: Arc::new(registry),
            requests: pairs().flat_map(request).map(|labels| requests.get_or_create_owned(&labels)).collect(),
            durations: pairs().map(|labels| durations.get_or_create_owned(&labels)).collect(),
            accepted: log("accepted"),
            duplicate: log("duplicate"),
            rejected: log("rejected"),
            queued: log("queued"),
        }
    }

    /// Notes a request that was answered.
    pub fn answered(&self, path: &str, method: &Method, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET | Method::HEAD => 0,
            Method::POST => 1,
            _ => 2,
        };
        let pair = route(path) * METHODS.len() + method;
        let class = usize::from(status.as_u16() / 100).saturating_sub(2).min(STATUSES.len() - 1);
        if let (Some(count), Some(timing)) =
            (self.requests.get(pair * STATUSES.len() + class), self.durations.get(pair))
        {
            count.inc();
            timing.note(took);
        }
    }

    /// Everything as text: what was noted, and what was found just now; what is on Redis or in the database is left out
    /// where it did not answer.
    pub fn page(&self, health: &Health, found: Option<&Figures>) -> String {
        let (mut now, report) = (metrics::registry(), health.report());
        let mut up = |name: &str, help: &str, state: &str| gauge(&mut now, name, help, u64::from(state == "ok"));
        up("database_up", "Whether the database answers and its schema is current", &report.database);
        up("redis_up", "Whether Redis answers", &report.redis);
        if let Some(schedule) = health.schedule() {
            overdue(&mut now, &schedule);
        }
        if let Some(found) = found {
            gauge(&mut now, "messages_in_flight", "Messages that a worker holds", found.in_flight);
            gauge(&mut now, "messages_delayed", "Messages that are not due yet", found.delayed);
            gauge(&mut now, "dead_letters", "Messages that were given up", found.dead_letters);
            gauge(&mut now, "dead_letter_bytes", "The size of these messages", found.dead_letter_bytes);
            let dropped = Counter::<u64>::default();
            dropped.inc_by(found.dead_letters_dropped);
            let help = "Messages that were given up and dropped, for their age or for room";
            now.register("dead_letters_dropped", help, dropped);
            gauge(&mut now, "workers", "Workers that are alive", found.workers);
            queues(&mut now, &found.queues);
        }
        let mut page = String::new();
        // Text can always be written to.
        if text::encode_registry(&mut page, &now).is_err() {
            log::error!("the metrics could not be written");
        }
        page + &metrics::page(&self.registry)
    }
}

fn overdue(registry: &mut Registry, schedule: &Schedule) {
    let overdue = Family::<Entry, Gauge<f64, AtomicU64>>::default();
    for (entry, waited) in &schedule.overdue {
        overdue.get_or_create(&Entry { entry: entry.clone() }).set(waited.as_secs_f64());
    }
    gauge(registry, "beat_up", "Whether a beat is at work", u64::from(schedule.beat != BeatState::Down));
    let help = "For how long the oldest slot that is due has waited to be pushed; 0 where none does";
    registry.register("schedule_overdue_seconds", help, overdue);
}

fn queues(registry: &mut Registry, queues: &[QueueFigures]) {
    let (depths, oldest) = (Family::<Depth, Gauge>::default(), Family::<Queue, Gauge<f64, AtomicU64>>::default());
    let [in_flight, delayed, paused] = [(); 3].map(|()| Family::<Queue, Gauge>::default());
    for queue in queues {
        let labels = Queue { queue: queue.name.clone() };
        oldest.get_or_create(&labels).set(queue.oldest.unwrap_or_default().as_secs_f64());
        in_flight.get_or_create(&labels).set(signed(queue.in_flight));
        delayed.get_or_create(&labels).set(signed(queue.delayed));
        paused.get_or_create(&labels).set(i64::from(queue.paused));
        for (priority, depth) in &queue.depth {
            let labels = Depth { queue: queue.name.clone(), priority: u32::from(priority.number()) };
            depths.get_or_create(&labels).set(signed(*depth));
        }
    }
    registry.register("queue_depth", "Messages that wait, by queue and priority, of which 0 is served first", depths);
    let help = "How long the oldest of the messages that are served next has been due, at least; 0 where none waits";
    registry.register("queue_oldest_seconds", help, oldest);
    registry.register("queue_in_flight", "Messages that our workers held when they said so last", in_flight);
    registry.register("queue_delayed", "Messages that are not due yet", delayed);
    registry.register("queue_paused", "Whether a queue stands still", paused);
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<i64, AtomicI64>::default();
    gauge.set(signed(value));
    registry.register(name, help, gauge);
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn route(path: &str) -> usize {
    let path = path.trim_start_matches('/');
    let first = path.strip_prefix("api/").unwrap_or(path).split(['/', '.']).next().unwrap_or_default();
    ROUTES.iter().position(|route| *route == first).unwrap_or(ROUTES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_counted_under_one_of_few_names() {
        for (path, name) in [
            ("/api/logs/", "logs"),
            ("/api/logs.json", "logs"),
            ("/api/apps/7/", "apps"),
            ("/readyz", "readyz"),
            ("/api/nothing/", "other"),
            ("/", "other"),
        ] {
            assert_eq!(ROUTES[route(path)], name, "{path}");
        }
    }
}
