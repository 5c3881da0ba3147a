//! Requests to the workers, and their replies.

use std::time::{Duration, Instant};

use logmon_core::celery::control::{ReplyTo, Request};
use logmon_core::celery::{LamportClock, event};
use redis::Commands as _;
use serde_json::{Map, Value};

use super::scripts::REPLY;
use super::{Broker, BrokerError};

/// How long a reply that nobody reads is kept, in seconds.
const REPLY_KEPT: u32 = 60;

/// After how long a silence the server is asked whether it is still there, and how long it may take to answer.
const SILENCE: Duration = Duration::from_secs(2);

impl Broker {
    /// Hears the requests to all workers on a connection of its own, until that is lost. `listening` is called when
    /// from then on none is missed.
    ///
    /// # Errors
    /// Why it was lost.
    pub fn listen(&self, listening: impl FnOnce(), hear: impl FnMut(&[u8])) -> Result<(), BrokerError> {
        self.subscribe(&[self.keys.control()], listening, hear)
    }

    /// Hears what workers say of themselves with their events, ours and Python's, as [`Broker::listen`] does requests.
    ///
    /// # Errors
    /// Why the connection was lost.
    pub fn listen_to_workers(&self, hear: impl FnMut(&[u8])) -> Result<(), BrokerError> {
        let channels = event::OF_WORKERS.map(|routing_key| self.keys.events(routing_key));
        self.subscribe(&channels, || (), hear)
    }

    fn subscribe(
        &self,
        channels: &[String],
        listening: impl FnOnce(),
        mut hear: impl FnMut(&[u8]),
    ) -> Result<(), BrokerError> {
        let mut conn = self.client.get_connection_with_timeout(SILENCE)?;
        conn.set_write_timeout(Some(SILENCE))?;
        let mut pubsub = conn.as_pubsub();
        pubsub.set_read_timeout(Some(SILENCE))?;
        pubsub.subscribe(channels)?;
        listening();
        loop {
            match pubsub.get_message() {
                Ok(message) => hear(message.get_payload_bytes()),
                Err(error) if error.is_timeout() => pubsub.ping::<redis::Value>().map(drop)?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives a caller a reply, if it still listens.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn reply(&self, to: &ReplyTo, message: &str) -> Result<(), BrokerError> {
        let mut call = REPLY.prepare_invoke();
        call.key(self.keys.binding(&to.exchange)).key(self.keys.replies(to));
        call.arg(binding_of(to)).arg(message).arg(REPLY_KEPT);
        self.with(|conn| call.invoke(conn))
    }

    /// Sends a request to all workers that wants no reply.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn tell(&self, request: &Request, clock: &LamportClock) -> Result<(), BrokerError> {
        let Ok(message) = request.encode(clock, 0.0) else { return Ok(()) };
        self.with(|conn| conn.publish(self.keys.control(), message))
    }

    /// Sends a request and waits for the replies, for as many as there are listeners or destinations, and at most
    /// for `patience`, which must be shorter than a second. The replies, by the workers' names.
    ///
    /// # Errors
    /// See [`BrokerError`].
    pub fn ask(
        &self,
        request: &Request,
        clock: &LamportClock,
        expires: f64,
        patience: Duration,
    ) -> Result<Map<String, Value>, BrokerError> {
        let Some(to) = &request.reply_to else { return Ok(Map::new()) };
        let Ok(message) = request.encode(clock, expires) else { return Ok(Map::new()) };
        let (replies, member) = (self.keys.replies(to), binding_of(to));
        let (binding, channel) = (self.keys.binding(&to.exchange), self.keys.control());
        self.with(|conn| {
            let (listeners,): (u64,) =
                redis::pipe().sadd(&binding, &member).ignore().publish(&channel, message).query(conn)?;
            let (end, mut heard) = (Instant::now() + patience, Map::new());
            for _ in 0..request.replies_of(listeners) {
                let left = end.saturating_duration_since(Instant::now()).as_secs_f64();
                // No time at all would mean for ever.
                let popped: Option<(String, Vec<u8>)> = conn.brpop(&replies, left.max(0.001))?;
                let Some((_, raw)) = popped else { break };
                heard.extend(request.read_reply(&raw, clock).unwrap_or_default());
            }
            redis::pipe().srem(&binding, &member).ignore().del(&replies).ignore().query::<()>(conn)?;
            Ok(heard)
        })
    }
}

// What a caller puts into the binding of its exchange while it listens, as kombu writes it.
fn binding_of(to: &ReplyTo) -> String {
    format!("{}\u{6}\u{16}\u{6}\u{16}{}", to.routing_key, to.queue())
}
