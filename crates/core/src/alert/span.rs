//! Stretches of time as rules and channels have them, written `10s`, `10m`, `1h`, `1d`.

use std::ops::RangeInclusive;
use std::time::Duration;

const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];

/// A duration in the largest unit that it is a whole number of: `10m`, `90s`, `1d`.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |unit: &&(u64, &str)| seconds >= unit.0 && seconds.is_multiple_of(unit.0);
    let (length, sign) = UNITS.iter().find(fits).copied().unwrap_or((1, "s"));
    format!("{}{sign}", seconds / length)
}

/// Whole minutes within bounds.
pub(crate) fn minutes(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, Vec<String>> {
    whole(text, 60, "minutes such as 10m or 1h", bounds)
}

/// Whole seconds within bounds.
pub(crate) fn seconds(text: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, Vec<String>> {
    whole(text, 1, "seconds such as 10s or 1m", bounds)
}

fn whole(text: &str, unit: u64, name: &str, bounds: &RangeInclusive<Duration>) -> Result<Duration, Vec<String>> {
    let whole = humantime::parse_duration(text).ok().filter(|duration| {
        bounds.contains(duration) && duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(unit)
    });
    whole.ok_or_else(|| {
        let (least, most) = (short(*bounds.start()), short(*bounds.end()));
        vec![format!("Expected a time in whole {name}, from {least} to {most}.")]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_unit_that_fits_is_written_and_read_again() {
        let bounds = Duration::from_secs(60)..=Duration::from_secs(86_400);
        for (seconds, text) in [(60, "1m"), (600, "10m"), (5_400, "90m"), (7_200, "2h"), (86_400, "1d")] {
            assert_eq!(short(Duration::from_secs(seconds)), text);
            assert_eq!(minutes(text, &bounds), Ok(Duration::from_secs(seconds)));
        }
        assert_eq!((short(Duration::from_secs(90)), short(Duration::ZERO)), ("90s".to_owned(), "0s".to_owned()));
        assert_eq!(minutes("1h 30m", &bounds), Ok(Duration::from_secs(5_400)));
        for wrong in ["59s", "90s", "2d", "10", "soon", "", "60000ms1us"] {
            let expected = "Expected a time in whole minutes such as 10m or 1h, from 1m to 1d.";
            assert_eq!(minutes(wrong, &bounds), Err(vec![expected.to_owned()]), "{wrong}");
        }
        assert_eq!(seconds("90s", &bounds), Ok(Duration::from_secs(90)));
        let expected = "Expected a time in whole seconds such as 10s or 1m, from 1m to 1d.";
        assert_eq!(seconds("90500ms", &bounds), Err(vec![expected.to_owned()]));
    }
}
