//! The methods that change what this worker does.

use logmon_core::stop::Urgency;
use serde_json::Value;

use super::arguments::{Answer, Arguments, Refusal, ok, refuse};
use super::node::Node;
use crate::events::TaskEvents;
use crate::limits::Rate;
use crate::registry;

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

fn known(task: &str) -> Result<(), Refusal> {
    if registry::find(task).is_none() {
        return refuse("unknown task");
    }
    Ok(())
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
