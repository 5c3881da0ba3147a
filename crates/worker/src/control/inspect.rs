//! The methods that only ask.

use chrono::{DateTime, Utc};
use logmon_core::celery::TaskMessage;
use logmon_core::config::Origin;
use logmon_core::tasks;
use logmon_store::broker::{BrokerError, Fetched};
use serde_json::{Map, Value, json};

use super::arguments::{Answer, Arguments, Refusal, ok, refuse};
use super::describe::{self, Shown, Told};
use super::mingle;
use super::node::Node;
use crate::machine;
use crate::registry::{HANDLERS, Handler};
use crate::running::Active;

/// How many of the tasks that wait for their time are listed, the next ones first.
const SCHEDULED_MAX: usize = 500;

pub(super) fn ping(_: &Node, _: Arguments<'_>) -> Answer {
    ok("pong")
}

pub(super) fn clock(node: &Node, _: Arguments<'_>) -> Answer {
    Ok(json!({"clock": node.lamport.value()}))
}

pub(super) fn stats(node: &Node, _: Arguments<'_>) -> Answer {
    let pid = std::process::id();
    Ok(json!({
        "total": node.open.running.begun(),
        "pid": pid,
        "clock": node.lamport.value().to_string(),
        "uptime": node.began.elapsed().as_secs(),
        "pool": {
            "implementation": "logmon:threads",
            "max-concurrency": node.open.board.slots(),
            "processes": [pid],
            "max-tasks-per-child": "N/A",
            "put-guarded-by-semaphore": false,
            "timeouts": [0, 0],
        },
        "broker": describe::broker(&node.address),
        "prefetch_count": node.open.board.slots() * node.open.board.prefetch(),
        "rusage": machine::usage(),
        "events": {"dropped": node.events.dropped()},
    }))
}

pub(super) fn conf(node: &Node, arguments: Arguments<'_>) -> Answer {
    let all = arguments.asks_for("with_defaults");
    let listed = node.open.table.iter().filter(|setting| all || setting.origin == Origin::Given);
    Ok(listed.map(|setting| (setting.name.clone(), Value::from(setting.value.as_str()))).collect::<Map<_, _>>().into())
}

pub(super) fn report(node: &Node, _: Arguments<'_>) -> Answer {
    let mut text = format!(
        "\nsoftware -> logmon-worker:{}\nplatform -> system:{} arch:{}\nsettings -> transport:redis results:{}\n\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        node.address,
    );
    for setting in node.open.table.iter() {
        text.push_str(&format!("{}: {:?}\n", setting.name, setting.value));
    }
    ok(text)
}

pub(super) fn registered(node: &Node, arguments: Arguments<'_>) -> Answer {
    let asked = arguments.texts("taskinfoitems");
    let mut names: Vec<String> = HANDLERS.iter().map(|handler| with_attributes(node, handler, &asked)).collect();
    names.sort_unstable();
    Ok(names.into())
}

// As Celery: the task's name, then those of the attributes that it has, its rate limit when nobody says which.
fn with_attributes(node: &Node, handler: &Handler, asked: &[&str]) -> String {
    let asked = if asked.is_empty() { &["rate_limit"] } else { asked };
    let attribute = |name: &&str| {
        let value = match *name {
            "name" => handler.name.to_owned(),
            "max_retries" => handler.max_retries.to_string(),
            "queue" => tasks::ALL.iter().find(|task| task.name == handler.name)?.queue.to_owned(),
            "rate_limit" => node.open.limits.of(handler.name)?,
            "time_limit" => handler.time_limits.hard?.as_secs().to_string(),
            "soft_time_limit" => handler.time_limits.soft?.as_secs().to_string(),
            _ => return None,
        };
        Some(format!("{name}={value}"))
    };
    let attributes: Vec<String> = asked.iter().filter_map(attribute).collect();
    if attributes.is_empty() { handler.name.to_owned() } else { format!("{} [{}]", handler.name, attributes.join(" ")) }
}

pub(super) fn active_queues(node: &Node, _: Arguments<'_>) -> Answer {
    Ok(node.open.queues.now().iter().map(|name| describe::queue(name)).collect())
}

pub(super) fn active(node: &Node, arguments: Arguments<'_>) -> Answer {
    let shown = if arguments.asks_for("safe") { Shown::AsText } else { Shown::AsTheyAre };
    Ok(node.open.running.now().iter().map(|task| describe::task(running(task), &node.name, shown)).collect())
}

fn running(task: &Active) -> Told<'_> {
    let started = Some((task.since, std::process::id()));
    Told { message: &task.message, deliveries: task.deliveries, started }
}

/// What waits here for a slot, and how often it has been fetched.
fn ready(node: &Node) -> Vec<(TaskMessage, u32)> {
    let decoded = |fetched: Fetched| Some((TaskMessage::decode(&fetched.raw).ok()?, fetched.deliveries));
    node.open.board.ready().into_iter().filter_map(decoded).collect()
}

pub(super) fn reserved(node: &Node, _: Arguments<'_>) -> Answer {
    let told = |(message, deliveries): &_| {
        describe::task(Told { message, deliveries: *deliveries, started: None }, &node.name, Shown::AsTheyAre)
    };
    Ok(ready(node).iter().map(told).collect())
}

// They wait in Redis for whichever worker comes first, so each names those of its queues.
fn waiting(node: &Node) -> Result<Vec<(DateTime<Utc>, TaskMessage)>, Refusal> {
    let queues = node.open.queues.now();
    let scheduled = node.broker.scheduled(SCHEDULED_MAX).map_err(|error| Refusal(error.to_string()))?;
    let decoded = scheduled.into_iter().filter_map(|it| Some((it.due, TaskMessage::decode(&it.raw).ok()?)));
    Ok(decoded.filter(|(_, message)| queues.iter().any(|queue| queue == &message.queue)).collect())
}

pub(super) fn scheduled(node: &Node, _: Arguments<'_>) -> Answer {
    let waiting = waiting(node)?;
    Ok(waiting.iter().map(|(due, message)| describe::scheduled(message, &node.name, *due)).collect())
}

pub(super) fn query_task(node: &Node, arguments: Arguments<'_>) -> Answer {
    let ids = arguments.texts("ids");
    let asked = |message: &TaskMessage| ids.contains(&message.id.as_str());
    let mut found = Map::new();
    let mut note = |told: Told<'_>, state: &str| {
        let info = describe::task(told, &node.name, Shown::AsTheyAre);
        found.entry(told.message.id.0.clone()).or_insert_with(|| json!([state, info]));
    };
    for task in node.open.running.now().iter().filter(|task| asked(&task.message)) {
        note(running(task), "active");
    }
    for (message, deliveries) in ready(node).iter().filter(|(message, _)| asked(message)) {
        note(Told { message, deliveries: *deliveries, started: None }, "reserved");
    }
    for (_, message) in waiting(node)?.iter().filter(|(_, message)| asked(message)) {
        note(Told { message, deliveries: 0, started: None }, "scheduled");
    }
    Ok(found.into())
}

pub(super) fn hello(node: &Node, arguments: Arguments<'_>) -> Answer {
    if arguments.text("from_node") == Ok(node.name.as_str()) {
        return Ok(Value::Null);
    }
    let shared = |error: BrokerError| Refusal(error.to_string());
    mingle::learn(node, arguments.any("revoked").unwrap_or(&Value::Null)).map_err(shared)?;
    Ok(json!({"revoked": mingle::told(&node.broker).map_err(shared)?, "clock": node.lamport.forward()}))
}

pub(super) fn revoked(node: &Node, _: Arguments<'_>) -> Answer {
    Ok(json!(mingle::told(&node.broker).map_err(|error| Refusal(error.to_string()))?))
}

pub(super) fn memsample(_: &Node, _: Arguments<'_>) -> Answer {
    Ok(machine::resident().map(|kilobytes| format!("{} MB", kilobytes / 1024)).into())
}

pub(super) fn memdump(node: &Node, arguments: Arguments<'_>) -> Answer {
    memsample(node, arguments)
}

pub(super) fn objgraph(_: &Node, _: Arguments<'_>) -> Answer {
    refuse("ImportError('Requires the objgraph library')")
}
