//! Says that this worker is alive and renews its hold on what it runs, until the very end of the process.

use std::thread::JoinHandle;
use std::time::Duration;

use logmon_core::stop::{Stop, Urgency};
use logmon_store::broker::{Broker, WorkerId};
use logmon_store::metrics::Pulse;

use crate::vitals::Vitals;

/// A loop that runs beside the slots and ends when it is told to.
pub struct Loop {
    stop: Stop,
    thread: JoinHandle<()>,
}

impl Loop {
    /// Runs `turn` every `interval`.
    pub fn start(interval: Duration, mut turn: impl FnMut() + Send + 'static) -> Self {
        let stop = Stop::default();
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.is_raised() {
                turn();
                stopped.wait(Urgency::Finish, interval);
            }
        });
        Self { stop, thread }
    }

    /// Ends the loop and waits for its last turn.
    pub fn stop(self) {
        self.stop.raise(Urgency::Finish);
        if self.thread.join().is_err() {
            log::error!("a loop of this worker panicked");
        }
    }
}

/// The time between two heartbeats: three signs of life within `timeout`, and four within `visibility`, after which
/// Python's workers would take what this one holds.
pub fn interval(timeout: Duration, visibility: Duration) -> Duration {
    (timeout / 3).min(visibility / 4)
}

/// Starts the heartbeat, which is a sign of life for `timeout` and what `vitals` says. `pulse` beats when Redis has heard
/// it.
pub fn start(broker: Broker, worker: WorkerId, timeout: Duration, vitals: Vitals, pulse: Pulse) -> Loop {
    Loop::start(vitals.interval, move || {
        // What it says is for people, and no reason not to be ready.
        match broker.renew(&worker, timeout).map(|_| pulse.beat()).and_then(|()| broker.show(&worker, &vitals.now())) {
            Ok(()) => {}
            // The fetcher says that Redis is away, and when it is back.
            Err(error) => log::debug!(worker = worker.0.as_str(); "no sign of life given: {error}"),
        }
    })
}
