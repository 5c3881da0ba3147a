//! Rate limits of this worker: how many runs of a task it begins in a time, as remote control sets them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use logmon_core::celery::TaskId;

/// No run is put off for longer at a time: a limit that is lifted meanwhile would leave it waiting.
const HORIZON: Duration = Duration::from_secs(20);

/// The limits. Clones share them.
#[derive(Clone, Default)]
pub struct Limits(Arc<Mutex<HashMap<String, Limit>>>);

struct Limit {
    text: String,
    /// The time from one run to the next.
    interval: Duration,
    /// When the next run that has no place yet may begin.
    free: Instant,
    /// The runs that have one, and when it is.
    places: HashMap<TaskId, Instant>,
}

/// How many runs a task may begin in a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// As many as there are.
    Unlimited,
    /// One after so long.
    Every(Duration),
}

impl Rate {
    /// Reads a rate as Celery writes it: `10/s`, `10/m`, `10/h`, or a number of runs a second; nothing and 0 are no limit.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        if text.is_empty() {
            return Some(Self::Unlimited);
        }
        let runs: f64 = number.trim().parse().ok().filter(|runs: &f64| runs.is_finite() && *runs >= 0.0)?;
        if runs == 0.0 {
            return Some(Self::Unlimited);
        }
        Duration::try_from_secs_f64(seconds / runs).ok().map(Self::Every)
    }
}

impl Limits {
    /// Limits a task; `text` is how people wrote the rate.
    pub fn set(&self, task: &str, rate: Rate, text: &str) {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match rate {
            Rate::Unlimited => drop(limits.remove(task)),
            Rate::Every(interval) => {
                let limit = Limit { text: text.to_owned(), interval, free: Instant::now(), places: HashMap::new() };
                limits.insert(task.to_owned(), limit);
            }
        }
    }

    /// How people wrote the limit of a task.
    pub fn of(&self, task: &str) -> Option<String> {
        let limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get(task).map(|limit| limit.text.clone())
    }

    /// Lets a run begin, or says how long it has to wait and come again.
    pub fn wait(&self, task: &str, id: &TaskId, now: Instant) -> Option<Duration> {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get_mut(task)?.wait(id, now)
    }
}

impl Limit {
    fn wait(&mut self, id: &TaskId, now: Instant) -> Option<Duration> {
        if let Some(place) = self.places.get(id).copied() {
            if place > now {
                return Some(place - now);
            }
            self.places.remove(id);
            return None;
        }
        // One that did not come for its place was taken by another worker.
        self.places.retain(|_, place| *place + HORIZON > now);
        let place = self.free.max(now);
        if place == now {
            self.free = now + self.interval;
            return None;
        }
        if place - now > HORIZON {
            return Some(HORIZON);
        }
        self.free = place + self.interval;
        self.places.insert(id.clone(), place);
        Some(place - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_celerys() {
        let every = |seconds: f64| Some(Rate::Every(Duration::from_secs_f64(seconds)));
        for (text, expected) in [
            ("10/m", every(6.0)),
            ("0.5/s", every(2.0)),
            ("4", every(0.25)),
            ("2/h", every(1_800.0)),
            ("0", Some(Rate::Unlimited)),
            ("", Some(Rate::Unlimited)),
            ("10/d", None),
            ("often", None),
            ("-1/s", None),
            ("nan", None),
        ] {
            assert_eq!(Rate::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn runs_begin_at_their_rate_in_the_order_of_their_places() {
        let (limits, start) = (Limits::default(), Instant::now());
        let id = |n: u32| TaskId(n.to_string());
        limits.set("t", Rate::Every(Duration::from_secs(6)), "10/m");
        let start = start.max(Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let wait = |n, seconds| limits.wait("t", &id(n), at(seconds)).map(|wait| wait.as_secs());
        assert_eq!(limits.wait("other", &id(1), start), None);
        assert_eq!(wait(1, 0), None);
        assert_eq!([wait(2, 0), wait(3, 0), wait(4, 0)], [Some(6), Some(12), Some(18)]);
        // Beyond the horizon nobody gets a place.
        assert_eq!([wait(5, 0), wait(6, 0)], [Some(20), Some(20)]);
        // Who comes too early waits for the rest, who comes in time begins.
        assert_eq!([wait(2, 4), wait(2, 6), wait(3, 13)], [Some(2), None, None]);
        assert_eq!(wait(5, 20), Some(4));
        limits.set("t", Rate::Unlimited, "");
        assert_eq!((wait(6, 20), limits.of("t")), (None, None));
    }
}
