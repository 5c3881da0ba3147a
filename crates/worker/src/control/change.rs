//! The methods that change what this worker does.

use std::sync::Arc;

use logmon_core::celery::{Exception, Limits, Outcome, Revoked, TaskId};
use logmon_core::python;
use logmon_core::stop::Urgency;
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::arguments::{Answer, Arguments, Refusal, ok, refuse};
use super::node::Node;
use crate::events::TaskEvents;
use crate::limits::Rate;
use crate::registry;
use crate::running::Active;
use crate::slots::OutOfRange;

pub(super) fn enable_events(node: &Node, _: Arguments<'_>) -> Answer {
    match node.events.switch(TaskEvents::On) {
        TaskEvents::On => ok("task events already enabled"),
        TaskEvents::Off => {
            log::info!("events of tasks enabled by remote control");
            ok("task events enabled")
        }
    }
}

pub(super) fn disable_events(node: &Node, _: Arguments<'_>) -> Answer {
    match node.events.switch(TaskEvents::Off) {
        TaskEvents::Off => ok("task events already disabled"),
        TaskEvents::On => {
            log::info!("events of tasks disabled by remote control");
            ok("task events disabled")
        }
    }
}

pub(super) fn heartbeat(node: &Node, _: Arguments<'_>) -> Answer {
    node.events.heartbeat();
    Ok(Value::Null)
}

// Nothing here needs one worker that leads.
pub(super) fn election(_: &Node, _: Arguments<'_>) -> Answer {
    Ok(Value::Null)
}

pub(super) fn revoke(node: &Node, arguments: Arguments<'_>) -> Answer {
    let ids: Vec<TaskId> = arguments.texts("task_id").into_iter().map(|id| TaskId(id.to_owned())).collect();
    let revokes: Vec<Revoked> = ids.iter().cloned().map(Revoked::Task).collect();
    withdraw(node, &revokes)?;
    log::info!(count = ids.len(); "tasks withdrawn by remote control");
    if arguments.asks_for("terminate") {
        return end(node, &ids);
    }
    let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
    ok(format!("tasks {} flagged as revoked", set_of(&ids)))
}

pub(super) fn terminate(node: &Node, arguments: Arguments<'_>) -> Answer {
    let mut with_terminate = arguments.0.clone();
    with_terminate.insert("terminate".to_owned(), Value::Bool(true));
    revoke(node, Arguments(&with_terminate))
}

// There is no process to send a signal to, whichever is asked for.
fn end(node: &Node, ids: &[TaskId]) -> Answer {
    let ended = |id: &&TaskId| node.slots.abandon(id, Outcome::Revoked(Exception::terminated()));
    let ended: Vec<&str> = ids.iter().filter(ended).map(TaskId::as_str).collect();
    log::info!(count = ended.len(); "tasks ended by remote control");
    ok(if ended.is_empty() {
        "terminate: tasks unknown".to_owned()
    } else {
        format!("terminate: {}", ended.join(", "))
    })
}

// Python's `repr` of a set.
fn set_of(texts: &[&str]) -> String {
    let items: Vec<String> = texts.iter().map(|text| python::repr_of_str(text)).collect();
    if items.is_empty() { "set()".to_owned() } else { format!("{{{}}}", items.join(", ")) }
}

pub(super) fn revoke_by_stamped_headers(node: &Node, arguments: Arguments<'_>) -> Answer {
    let stamps = stamps(arguments.any("headers"));
    if stamps.is_empty() {
        return refuse("headers must be an object of stamps and values, or a list of stamp=value");
    }
    withdraw(node, &stamps)?;
    log::info!(count = stamps.len(); "stamps withdrawn by remote control");
    let headers = arguments.any("headers").and_then(|headers| to_raw_value(headers).ok());
    let headers = headers.map(|headers| python::repr(&headers)).unwrap_or_default();
    if !arguments.asks_for("terminate") {
        return ok(format!("headers {headers} flagged as revoked, but not terminated"));
    }
    let carries = |active: &&Arc<Active>| Revoked::names_of(&active.message).any(|name| stamps.contains(&name));
    let running = node.open.running.now();
    let ids: Vec<TaskId> = running.iter().filter(carries).map(|active| active.message.id.clone()).collect();
    end(node, &ids)?;
    let outcome = if ids.is_empty() { "were not terminated" } else { "revoked" };
    ok(format!("headers {headers} {outcome}"))
}

fn stamps(headers: Option<&Value>) -> Vec<Revoked> {
    let pairs: Vec<(&str, Value)> = match headers {
        Some(Value::Object(headers)) => headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
        Some(Value::Array(pairs)) => pairs
            .iter()
            .filter_map(|pair| pair.as_str()?.split_once('='))
            .map(|(name, value)| (name, Value::from(value)))
            .collect(),
        _ => Vec::new(),
    };
    let each = |(name, value): (&str, Value)| {
        let values = if let Value::Array(values) = value { values } else { vec![value] };
        values.iter().map(|value| Revoked::stamp(name, value)).collect::<Vec<_>>()
    };
    pairs.into_iter().flat_map(each).collect()
}

fn withdraw(node: &Node, revokes: &[Revoked]) -> Result<u64, Refusal> {
    node.broker.revoke(revokes, node.clock.now()).map_err(|error| Refusal(error.to_string()))
}

pub(super) fn rate_limit(node: &Node, arguments: Arguments<'_>) -> Answer {
    let task = arguments.text("task_name")?;
    let text = match arguments.any("rate_limit") {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    let Some(rate) = Rate::parse(&text) else {
        return refuse(format!("Invalid rate limit string: {text:?}; one such as 10/s, 10/m or 10/h is expected"));
    };
    known(task)?;
    node.open.limits.set(task, rate, &text);
    log::info!(task; "rate limit set by remote control: {text}");
    ok(if rate == Rate::Unlimited { "rate limit disabled successfully" } else { "new rate limit set successfully" })
}

pub(super) fn time_limit(node: &Node, arguments: Arguments<'_>) -> Answer {
    let task = arguments.text("task_name")?;
    let limits = Limits { hard: arguments.seconds("hard")?, soft: arguments.seconds("soft")? };
    known(task)?;
    node.open.time_limits.set(task, limits);
    log::info!(task; "time limits set by remote control");
    ok("time limits set successfully")
}

fn known(task: &str) -> Result<(), Refusal> {
    if registry::find(task).is_none() {
        return refuse("unknown task");
    }
    Ok(())
}

pub(super) fn pool_grow(node: &Node, arguments: Arguments<'_>) -> Answer {
    let grown = node.slots.grow(arguments.count("n", 1)?);
    resized(node, grown, "pool will grow")
}

pub(super) fn pool_shrink(node: &Node, arguments: Arguments<'_>) -> Answer {
    let shrunk = node.slots.shrink(arguments.count("n", 1)?);
    resized(node, shrunk, "pool will shrink")
}

fn resized(node: &Node, done: Result<(), OutOfRange>, text: &str) -> Answer {
    done.map_err(|error| Refusal(error.to_string()))?;
    log::info!(concurrency = node.open.board.slots(); "slots changed by remote control");
    ok(text)
}

pub(super) fn pool_restart(_: &Node, _: Arguments<'_>) -> Answer {
    refuse("ValueError('Pool restarts not enabled')")
}

pub(super) fn autoscale(_: &Node, _: Arguments<'_>) -> Answer {
    refuse("ValueError('Autoscale not enabled')")
}

pub(super) fn add_consumer(node: &Node, arguments: Arguments<'_>) -> Answer {
    let queue = arguments.text("queue")?;
    let exchange = [arguments.any("exchange"), arguments.any("routing_key")];
    if exchange.into_iter().flatten().any(|name| name.as_str() != Some(queue)) {
        return refuse("a queue is served under its own name, without another exchange or routing key");
    }
    node.broker.declare(&[queue.to_owned()]).map_err(|error| Refusal(error.to_string()))?;
    node.open.queues.add(queue);
    log::info!(queue; "served from now on, by remote control");
    ok(format!("add consumer {queue}"))
}

pub(super) fn cancel_consumer(node: &Node, arguments: Arguments<'_>) -> Answer {
    let queue = arguments.text("queue")?;
    node.open.queues.remove(queue);
    log::info!(queue; "not served any more, by remote control");
    ok(format!("no longer consuming from {queue}"))
}

// Python's workers answer nothing here, and the command line takes that for a failure.
pub(super) fn shutdown(node: &Node, _: Arguments<'_>) -> Answer {
    log::warn!("told to stop by remote control");
    node.open.stop.raise(Urgency::Finish);
    ok("shutting down")
}
