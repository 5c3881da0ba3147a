//! When a failed task is tried again.

use std::time::Duration;

const BASE: Duration = Duration::from_secs(2);
const CAP: Duration = Duration::from_secs(600);

/// The pause before attempt `retries + 1`: from nothing to 2 s doubled with each attempt made, at most 10 min.
///
/// Where it falls is chance ("full jitter": many tasks that failed together do not come back together). `chance` is a random number in 0..1.
pub fn backoff(retries: u32, chance: f64) -> Duration {
    let ceiling = BASE.saturating_mul(2_u32.saturating_pow(retries)).min(CAP);
    ceiling.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_the_cap() {
        assert_eq!(backoff(0, 1.0), Duration::from_secs(2));
        assert_eq!(backoff(3, 1.0), Duration::from_secs(16));
        assert_eq!(backoff(3, 0.5), Duration::from_secs(8));
        assert_eq!(backoff(u32::MAX, 1.0), CAP);
    }
}
