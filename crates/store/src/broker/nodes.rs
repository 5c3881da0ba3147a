//! What the living workers are called: one name a process.

use logmon_core::celery::NodeName;

use super::scripts::CLAIM;
use super::{Broker, BrokerError, WorkerId};

/// How many workers may share a name that differs only in its number.
const NUMBERS: u32 = 1_000;

impl Broker {
    /// Gives a worker that is alive this name, or where another one has it, the name with the first number from 2 on
    /// that is free. It is the worker's until it leaves or dies.
    ///
    /// # Errors
    /// See [`BrokerError`]. It may be called again.
    pub fn claim(&self, worker: &WorkerId, wanted: &NodeName) -> Result<NodeName, BrokerError> {
        let names: Vec<NodeName> =
            std::iter::once(wanted.clone()).chain((2..=NUMBERS).map(|number| wanted.numbered(number))).collect();
        let mut call = CLAIM.prepare_invoke();
        call.key(self.keys.nodes()).arg(&worker.0).arg(self.keys.heartbeat(&WorkerId(String::new())));
        for name in &names {
            call.arg(name.as_str());
        }
        let claimed: Option<String> = self.with(|conn| call.invoke(conn))?;
        // A thousand of one name would be an oddity, and two of one name are merely hard to tell apart.
        Ok(names.into_iter().find(|name| Some(name.as_str()) == claimed.as_deref()).unwrap_or_else(|| wanted.clone()))
    }
}
