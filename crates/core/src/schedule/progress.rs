//! Whether somebody sees to the schedule: what a dead or stuck beat looks like from outside.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Schedule;

/// How long after its moment a slot may wait to be pushed.
pub const TOLERANCE: Duration = Duration::from_secs(30);
/// For how long no beat may have looked at an entry.
pub const SILENCE: Duration = Duration::from_secs(20);

/// How far the beats have come with one entry.
#[derive(Debug, Clone)]
pub struct Progress {
    /// When it is due; `None` where this program cannot read what the beat has written.
    pub schedule: Option<Schedule>,
    /// The slots up to this moment have been seen to, but for those that wait.
    pub handled_until: DateTime<Utc>,
    /// The oldest slot that a beat has claimed and that is not known to be pushed.
    pub waiting: Option<DateTime<Utc>>,
    /// When a beat looked at the entry last, within five seconds.
    pub seen_at: DateTime<Utc>,
}

impl Progress {
    /// The oldest slot that is due at `now` and not pushed.
    pub fn overdue(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let unclaimed = self.schedule.as_ref().and_then(|schedule| schedule.next(self.handled_until));
        self.waiting.into_iter().chain(unclaimed).min().filter(|slot| *slot <= now)
    }

    /// Whether that one has waited for too long.
    pub fn is_late(&self, now: DateTime<Utc>) -> bool {
        self.overdue(now).is_some_and(|slot| (now - slot).to_std().is_ok_and(|waited| waited > TOLERANCE))
    }
}

/// What the beats, however many, are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeatState {
    /// At least one is at work.
    Ok,
    /// One is there, but a slot waits for too long: Redis does not take it, for example.
    Late,
    /// None has been heard of for a while, or ever.
    Down,
}

impl BeatState {
    /// What they are like at `now`, by the entries that they watch.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Progress>, now: DateTime<Utc>) -> Self {
        let (mut state, mut seen) = (Self::Ok, None);
        for entry in entries {
            seen = seen.max(Some(entry.seen_at));
            if entry.is_late(now) {
                state = Self::Late;
            }
        }
        let heard = seen.is_some_and(|seen| (now - seen).to_std().map_or(true, |silence| silence <= SILENCE));
        if heard { state } else { Self::Down }
    }

    /// `ok`, `late` or `down`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Late => "late",
            Self::Down => "down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn progress(handled_until: i64, waiting: Option<i64>, seen_at: i64) -> Progress {
        let schedule = Some(Schedule::Every(Duration::from_secs(600)));
        Progress { schedule, handled_until: at(handled_until), waiting: waiting.map(at), seen_at: at(seen_at) }
    }

    #[test]
    fn a_slot_may_wait_for_a_moment_and_a_beat_may_be_silent_for_one() {
        for (entry, now, state) in [
            (progress(0, None, 590), 600, BeatState::Ok),
            (progress(0, None, 620), 630, BeatState::Ok),
            (progress(0, None, 630), 631, BeatState::Late),
            (progress(600, Some(600), 630), 631, BeatState::Late),
            (progress(600, None, 611), 631, BeatState::Ok),
            (progress(600, None, 610), 631, BeatState::Down),
        ] {
            assert_eq!(BeatState::of([&entry], at(now)), state, "{now} {entry:?}");
        }
        assert_eq!(BeatState::of([], at(0)), BeatState::Down);
    }
}
