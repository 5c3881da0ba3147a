//! Brings back what dead workers held, and what has become due, looks at what is served next, and drops dead letters that are
//! too old. Every worker does so; each message comes back once.

use std::time::{Duration, Instant};

use logmon_core::stop::Stop;
use logmon_store::broker::{Broker, BrokerError};
use logmon_store::metrics::Pulse;

use crate::heartbeat::Loop;

/// How often delayed messages are looked at.
const PROMOTE: Duration = Duration::from_millis(200);

/// Starts the loop.
///
/// Dead workers are looked for five times within `timeout`, after which one of ours counts as dead; one of Python's does so
/// when it has held a message for `visibility`. `pulse` beats at each turn that Redis has answered.
pub fn start(broker: Broker, timeout: Duration, visibility: Duration, stop: Stop, pulse: Pulse) -> Loop {
    let mut next_reap = Instant::now();
    Loop::start(PROMOTE, move || {
        if stop.is_raised() {
            return;
        }
        let done = promote_all(&broker).and_then(|()| {
            if Instant::now() < next_reap {
                return Ok(());
            }
            next_reap = Instant::now() + timeout / 5;
            let count = broker.reap()? + broker.recover(visibility)?;
            if count > 0 {
                log::warn!(count; "put back what a dead worker held");
            }
            broker.note_heads()?;
            let dropped = broker.trim_dead_letters()?;
            if dropped > 0 {
                log::error!(count = dropped; "dead letters were dropped, the oldest ones: too old, or no room for so many");
            }
            Ok(())
        });
        match done {
            Ok(()) => pulse.beat(),
            // The fetcher says that Redis is away, and when it is back.
            Err(error) => log::debug!("nothing brought back: {error}"),
        }
    })
}

fn promote_all(broker: &Broker) -> Result<(), BrokerError> {
    // A bound, so that what comes back again and again does not keep the rest from its turn.
    for _ in 0..10 {
        if broker.promote()? == 0 {
            break;
        }
    }
    Ok(())
}
