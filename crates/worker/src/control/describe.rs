//! Queues, tasks and the broker in the shapes that Celery's clients and Flower read.

use chrono::{DateTime, SecondsFormat, Utc};
use logmon_core::celery::{NodeName, TaskMessage, event};
use logmon_core::config::BrokerAddress;
use serde_json::{Value, json};

/// How a task's arguments are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As JSON.
    AsTheyAre,
    /// As Python's `repr`, which always is text.
    AsText,
}

/// Since when a task runs, and in which process.
pub(super) type Started = Option<(DateTime<Utc>, u32)>;

/// A message, and what this worker knows of it.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    /// Which.
    pub(super) message: &'a TaskMessage,
    /// How often it has been fetched: more than once, when the worker that had it before died.
    pub(super) deliveries: u32,
    /// Whether it runs.
    pub(super) started: Started,
}

/// A task that this worker has, as `Request.info` shows it.
pub(super) fn task(told: Told<'_>, node: &NodeName, shown: Shown) -> Value {
    let Told { message, deliveries, started } = told;
    let (args, kwargs) = match shown {
        Shown::AsTheyAre => message.arguments.to_values(),
        Shown::AsText => (message.arguments.args_repr().into(), message.arguments.kwargs_repr().into()),
    };
    json!({
        "id": message.id,
        "name": message.task,
        "args": args,
        "kwargs": kwargs,
        "type": message.task,
        "hostname": node,
        "time_start": started.map(|(since, _)| event::seconds(since)),
        // A message is acknowledged when its run has ended.
        "acknowledged": false,
        "delivery_info": {
            "exchange": "", "routing_key": message.queue, "priority": message.priority.number(),
            "redelivered": deliveries > 1,
        },
        "worker_pid": started.map(|(_, pid)| pid),
    })
}

/// A task that waits for its time.
pub(super) fn scheduled(message: &TaskMessage, node: &NodeName, due: DateTime<Utc>) -> Value {
    json!({
        "eta": due.to_rfc3339_opts(SecondsFormat::Micros, false),
        "priority": 6,
        "request": task(Told { message, deliveries: 0, started: None }, node, Shown::AsTheyAre),
    })
}

/// A queue that this worker serves, as kombu's `Queue.as_dict` shows it.
pub(super) fn queue(name: &str) -> Value {
    json!({
        "name": name,
        "exchange": {
            "name": name, "type": "direct", "arguments": null, "durable": true, "passive": false,
            "auto_delete": false, "delivery_mode": null, "no_declare": false,
        },
        "routing_key": name,
        "queue_arguments": null,
        "binding_arguments": null,
        "consumer_arguments": null,
        "durable": true,
        "exclusive": false,
        "auto_delete": false,
        "no_ack": false,
        "alias": null,
        "bindings": [],
        "no_declare": null,
        "expires": null,
        "message_ttl": null,
        "max_length": null,
        "max_length_bytes": null,
        "max_priority": null,
    })
}

/// Where Redis is, as kombu's `Connection.info` shows it: without the password.
pub(super) fn broker(address: &BrokerAddress) -> Value {
    json!({
        "hostname": address.host,
        "userid": address.user,
        "virtual_host": address.database,
        "port": address.port,
        "insist": false,
        "ssl": false,
        "transport": "redis",
        "connect_timeout": 2,
        "transport_options": {},
        "login_method": null,
        "uri_prefix": null,
        "heartbeat": 0,
        "failover_strategy": "round-robin",
        "alternates": [],
        "credential_provider": null,
    })
}
