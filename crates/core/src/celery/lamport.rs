//! The logical clock by which Celery puts events and control messages of many processes in order.

use std::sync::atomic::{AtomicU64, Ordering};

/// A Lamport clock, as kombu's `LamportClock`: it goes on with every message that is sent, and is set by every one that
/// is received.
#[derive(Debug, Default)]
pub struct LamportClock(AtomicU64);

impl LamportClock {
    /// The time of a message that is sent now.
    pub fn forward(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Learns from a message that was sent at `other`.
    pub fn adjust(&self, other: u64) {
        // Not beyond what every client's JSON holds exactly.
        const MAX: u64 = 1 << 53;
        self.0.fetch_max(other.min(MAX), Ordering::Relaxed);
        self.forward();
    }

    /// The time now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_whichever_clock_is_ahead() {
        let clock = LamportClock::default();
        assert_eq!(clock.forward(), 1);
        clock.adjust(10);
        assert_eq!(clock.value(), 11);
        clock.adjust(3);
        assert_eq!(clock.value(), 12);
        clock.adjust(u64::MAX);
        assert!(clock.forward() < (1 << 54));
    }
}
