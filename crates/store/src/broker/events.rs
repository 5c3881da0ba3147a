//! Publishing what happens to workers and tasks.

use logmon_core::celery::event::Published;

use super::{Broker, BrokerError};

impl Broker {
    /// Publishes messages, in their order. Whoever does not listen now misses them.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn publish(&self, messages: &[Published]) -> Result<(), BrokerError> {
        let mut pipe = redis::pipe();
        for Published { routing_key, message } in messages {
            pipe.publish(self.keys.events(routing_key), message).ignore();
        }
        self.with(|conn| pipe.query::<()>(conn))
    }
}
