//! Remote control: hears the requests of `celery inspect`, `celery control` and Flower on a thread and a connection of its
//! own, so that a worker with all its slots busy answers as fast as an idle one.

mod arguments;
mod change;
mod describe;
mod inspect;
mod methods;
mod mingle;
mod node;

pub use mingle::mingle;
pub use node::Node;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use logmon_core::celery::control::Request;
use logmon_core::stop::Urgency;
use serde_json::{Value, json};

use arguments::{Arguments, Refusal};

/// How long after a connection was lost the next one is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// Hears requests and carries them out, until the process ends: also one that is about to end can be asked. From when this
/// returns none is missed, unless Redis is away.
pub fn start(node: Arc<Node>) {
    let (listening, begun) = sync_channel(1);
    std::thread::spawn(move || {
        loop {
            let listening = || {
                // Only the first time is waited for.
                let _known = listening.try_send(());
            };
            let lost = node.broker.listen(listening, |raw| hear(&node, raw));
            if let Err(error) = lost {
                log::warn!("remote control is not heard: {error}");
            }
            // Not all workers at the same moment.
            node.open.stop.wait(Urgency::Now, AGAIN.mul_f64(0.5 + rand::random::<f64>()));
        }
    });
    if begun.recv_timeout(AGAIN).is_err() {
        log::warn!("remote control is not heard yet");
    }
}

fn hear(node: &Node, raw: &[u8]) {
    let request = match Request::decode(raw, &node.lamport) {
        Ok(request) => request,
        Err(malformed) => return log::warn!("a request of remote control cannot be read: {malformed}"),
    };
    if !request.is_for(&node.name) {
        return;
    }
    let value = answer(node, &request);
    let Some(Ok((to, message))) = request.reply(&node.name, &value, &node.lamport) else { return };
    if let Err(error) = node.broker.reply(&to, &message) {
        log::warn!(method = request.method.as_str(); "a request of remote control got no reply: {error}");
    }
}

fn answer(node: &Node, request: &Request) -> Value {
    let Some(method) = methods::find(&request.method) else {
        log::warn!("remote control asks for {:?}, which is unknown", request.method);
        // As Python shows the error of the lookup that fails there.
        return json!({"error": format!("KeyError({})", logmon_core::python::repr_of_str(&request.method))});
    };
    let run = || (method.run)(node, Arguments(&request.arguments));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => value,
        Ok(Err(Refusal(text))) => json!({"error": text}),
        Err(_) => json!({"error": "the worker could not answer; its log says why"}),
    }
}
