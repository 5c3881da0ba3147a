//! What workers share when one of them starts, as Celery's do: clocks, and which tasks are withdrawn, for Python's workers
//! keep that in their memory and ours in Redis.

use std::collections::HashSet;
use std::time::Duration;

use logmon_core::celery::control::Request;
use logmon_core::celery::{Revoked, TaskId, event};
use logmon_store::broker::{Broker, BrokerError};
use serde_json::{Map, Value, json};

use super::node::Node;

/// How long the others may take to answer.
const PATIENCE: Duration = Duration::from_millis(900);

/// How many withdrawn tasks are named to another worker, the newest ones.
const TOLD_MAX: usize = 10_000;

/// Says hello to all workers that listen, and learns what they know to be withdrawn. Waits for none where there are none.
pub fn mingle(node: &Node) {
    if let Err(error) = try_mingle(node) {
        log::warn!("other workers were not asked which tasks are withdrawn: {error}");
    }
}

fn try_mingle(node: &Node) -> Result<(), BrokerError> {
    let told = told(&node.broker)?;
    let arguments = Map::from_iter([("from_node".to_owned(), json!(node.name)), ("revoked".to_owned(), json!(told))]);
    let request = Request::to_all("hello", arguments);
    let expires = event::seconds(node.clock.now() + PATIENCE);
    let replies = node.broker.ask(&request, &node.lamport, expires, PATIENCE)?;
    for reply in replies.values() {
        node.lamport.adjust(reply.get("clock").and_then(Value::as_u64).unwrap_or(0));
        learn(node, reply.get("revoked").unwrap_or(&Value::Null))?;
    }
    log::debug!(count = replies.len(); "other workers said hello");
    Ok(())
}

/// The withdrawn tasks that others are told of, the oldest first.
pub(super) fn told(broker: &Broker) -> Result<Vec<TaskId>, BrokerError> {
    let mut revoked = broker.revoked()?;
    Ok(revoked.split_off(revoked.len().saturating_sub(TOLD_MAX)))
}

/// Remembers what another worker says is withdrawn. What is known already is not remembered for longer.
pub(super) fn learn(node: &Node, revoked: &Value) -> Result<(), BrokerError> {
    let ids = ids(revoked);
    if ids.is_empty() {
        return Ok(());
    }
    let known: HashSet<TaskId> = node.broker.revoked()?.into_iter().collect();
    let new: Vec<Revoked> = ids.into_iter().filter(|id| !known.contains(id)).map(Revoked::Task).collect();
    if !new.is_empty() {
        node.broker.revoke(&new, node.clock.now())?;
    }
    Ok(())
}

/// The ids in what a worker says is revoked: a list, or before Celery 5.7 an object of ids and times.
fn ids(revoked: &Value) -> Vec<TaskId> {
    let ids: Vec<&str> = match revoked {
        Value::Array(ids) => ids.iter().filter_map(Value::as_str).collect(),
        Value::Object(ids) => ids.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    ids.into_iter().map(|id| TaskId(id.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withdrawn_ids_are_read_from_workers_of_any_age() {
        let texts = |revoked: &Value| ids(revoked).into_iter().map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(texts(&json!(["a", "b", 1])), ["a", "b"]);
        assert_eq!(texts(&json!({"a": 1.5})), ["a"]);
        assert!(texts(&Value::Null).is_empty());
    }
}
