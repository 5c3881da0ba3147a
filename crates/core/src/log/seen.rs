//! Which logs a live tail has seen, told by their ids, so that it can be taken up again where it broke off.
//!
//! Ids are given out before their transactions commit, so a log can come to be with a smaller id than one that is there
//! already. What was seen is therefore a set: everything up to a *settled* id, and runs of ids above it.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::LogId;

/// A set of ids. Written out it is `SETTLED`, or `SETTLED.RUN.RUN…` where a run is `FIRST` or `FIRST-LAST`, counted from the
/// settled id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    settled: i64,
    /// First to last id of each run; runs neither touch nor overlap, and all lie above `settled`.
    runs: BTreeMap<i64, i64>,
}

impl Seen {
    /// How many runs are written out; where there are more, the oldest gaps count as seen.
    pub const RUNS_MAX: usize = 32;

    /// Everything up to `settled`, and nothing else.
    pub fn up_to(settled: LogId) -> Self {
        Self { settled: settled.0, runs: BTreeMap::new() }
    }

    /// The id up to which everything counts as seen.
    pub fn settled(&self) -> LogId {
        LogId(self.settled)
    }

    /// The largest id that was seen.
    pub fn last(&self) -> LogId {
        LogId(self.runs.last_key_value().map_or(self.settled, |(_, last)| *last))
    }

    /// Whether an id was seen.
    pub fn contains(&self, id: LogId) -> bool {
        id.0 <= self.settled || self.runs.range(..=id.0).next_back().is_some_and(|(_, last)| id.0 <= *last)
    }

    /// Adds an id; false when it was seen before.
    pub fn insert(&mut self, id: LogId) -> bool {
        if self.contains(id) {
            return false;
        }
        let before =
            self.runs.range(..id.0).next_back().filter(|(_, last)| **last == id.0 - 1).map(|(first, _)| *first);
        let last = self.runs.remove(&(id.0 + 1)).unwrap_or(id.0);
        self.runs.insert(before.unwrap_or(id.0), last);
        self.absorb();
        true
    }

    /// Says that what is missing up to `id` will not come any more.
    pub fn settle(&mut self, id: LogId) {
        if id.0 <= self.settled {
            return;
        }
        self.settled = id.0;
        let above = self.runs.split_off(&(id.0 + 1));
        let reaches = std::mem::replace(&mut self.runs, above).last_key_value().map_or(id.0, |(_, last)| *last);
        self.settled = self.settled.max(reaches);
        self.absorb();
    }

    /// The ids between what was seen, the smallest first: those of logs that may still come to be.
    pub fn gaps(&self) -> impl Iterator<Item = RangeInclusive<i64>> + '_ {
        let ends = std::iter::once(self.settled).chain(self.runs.values().copied());
        ends.zip(self.runs.keys()).map(|(end, first)| end + 1..=first - 1)
    }

    // A run that begins where everything before it is seen is no run.
    fn absorb(&mut self) {
        while let Some(first) = self.runs.first_entry().filter(|first| *first.key() <= self.settled + 1) {
            self.settled = first.remove().max(self.settled);
        }
    }
}

impl Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left_out = self.runs.len().saturating_sub(Self::RUNS_MAX);
        let settled = self.runs.values().take(left_out).next_back().copied().unwrap_or(self.settled);
        write!(f, "{settled}")?;
        for (first, last) in self.runs.iter().skip(left_out) {
            write!(f, ".{}", first - settled)?;
            if last > first {
                write!(f, "-{}", last - settled)?;
            }
        }
        Ok(())
    }
}

/// A text is not a set of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSeen;

impl FromStr for Seen {
    type Err = NotSeen;

    fn from_str(text: &str) -> Result<Self, NotSeen> {
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0).ok_or(NotSeen);
        let mut parts = text.split('.');
        let settled = number(parts.next().unwrap_or_default())?;
        let mut seen = Self { settled, runs: BTreeMap::new() };
        let mut end = settled;
        for run in parts {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let place = |text| settled.checked_add(number(text)?).ok_or(NotSeen);
            let (first, last) = (place(first)?, place(last)?);
            if first <= end + 1 || last < first || seen.runs.len() == Self::RUNS_MAX || last == i64::MAX {
                return Err(NotSeen);
            }
            seen.runs.insert(first, last);
            end = last;
        }
        Ok(seen)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_was_put_in(ids in prop::collection::vec(0_i64..60, 0..80), settle in 0_i64..30) {
            let mut seen = Seen::up_to(LogId(5));
            let mut expected: BTreeSet<i64> = (0..=5).collect();
            for (number, id) in ids.iter().enumerate() {
                prop_assert_eq!(seen.insert(LogId(*id)), expected.insert(*id));
                if number == 20 {
                    seen.settle(LogId(settle));
                    expected.extend(0..=settle);
                }
            }
            for id in 0..70 {
                prop_assert_eq!(seen.contains(LogId(id)), expected.contains(&id), "{} in {}", id, seen);
            }
            let gaps: Vec<i64> = seen.gaps().flatten().collect();
            let missing: Vec<i64> = (0..seen.last().0).filter(|id| !expected.contains(id)).collect();
            prop_assert_eq!(gaps, missing);
            prop_assert_eq!(seen.last().0, *expected.last().unwrap());
            prop_assert_eq!(seen.to_string().parse::<Seen>(), Ok(seen));
        }
    }

    #[test]
    fn of_many_runs_the_newest_are_written_out() {
        let mut seen = Seen::up_to(LogId(0));
        for id in 1..=100 {
            seen.insert(LogId(id * 2));
        }
        let read: Seen = seen.to_string().parse().unwrap();
        assert_eq!(read.settled(), LogId(2 * (100 - 32)));
        assert_eq!((read.contains(LogId(1)), read.contains(LogId(199)), read.last()), (true, false, LogId(200)));
    }

    #[test]
    fn a_made_up_text_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "1.",
            "1.1",
            "1.3-2",
            "1.3.4",
            "1.5.3",
            "9223372036854775807.1",
            "1.9223372036854775806",
            "1..3",
        ] {
            assert_eq!(text.parse::<Seen>(), Err(NotSeen), "{text}");
        }
        assert_eq!("7.2-3.9".parse::<Seen>().unwrap().to_string(), "7.2-3.9");
    }
}
