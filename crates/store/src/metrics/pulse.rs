//! Whether a loop still turns, or another server still answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The last turn of a loop, or the last answer of a server. Clones share it.
#[derive(Debug, Clone)]
pub struct Pulse {
    start: Instant,
    /// In milliseconds from the start, beginning with 1; 0 is none.
    last: Arc<AtomicU64>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { start: Instant::now(), last: Arc::default() }
    }
}

impl Pulse {
    /// The loop has made a turn, or the server has answered.
    pub fn beat(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now.saturating_add(1), Ordering::Relaxed);
    }

    /// How long ago that was; `None` before the first.
    pub fn age(&self) -> Option<Duration> {
        let last = self.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.start.elapsed().saturating_sub(Duration::from_millis(last)))
    }

    /// `ok`, or for how long there was none, where that is more than `most`.
    ///
    /// # Errors
    /// The sentence that says so.
    pub fn within(&self, most: Duration) -> Result<(), String> {
        match self.age() {
            None => Err("no sign of life yet".to_owned()),
            Some(age) if age > most => Err(format!("no sign of life for {} s", age.as_secs())),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_is_told_from_one_that_turns() {
        let pulse = Pulse::default();
        assert_eq!(pulse.within(Duration::MAX), Err("no sign of life yet".to_owned()));
        pulse.beat();
        assert_eq!(pulse.clone().within(Duration::from_secs(3_600)), Ok(()));
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(pulse.within(Duration::ZERO), Err("no sign of life for 0 s".to_owned()));
    }
}
