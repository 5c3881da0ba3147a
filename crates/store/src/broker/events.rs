//! Publishing what happens to workers and tasks.

use logmon_core::celery::event::{Event, Published, Publisher};
use logmon_core::clock::{Clock as _, SystemClock};

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

    /// Publishes that tasks were sent, where the settings ask for it: afterwards, so that nobody is told of one that was not,
    /// and without a word where that fails, for they are sent all the same.
    pub(super) fn tell_sent(&self, events: impl Iterator<Item = Event>) {
        let Some(clock) = &self.sent_events else { return };
        let (publisher, now) = (Publisher { node: &self.origin, pid: std::process::id(), clock }, SystemClock.now());
        let messages: Vec<Published> = events.filter_map(|event| publisher.sent(event, now).ok()).collect();
        if messages.is_empty() {
            return;
        }
        if let Err(error) = self.publish(&messages) {
            log::debug!("events dropped: {error}");
        }
    }
}
