//! Crontabs and intervals against a brute force that looks at every minute of the clock on the wall, through the days of
//! 23 and 25 hours of zones that change by an hour, by half of one, at midnight, and not at all.

use std::collections::BTreeSet;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, TimeZone as _, Timelike as _};

use super::*;

const ZONES: [Tz; 8] = [
    Tz::UTC,
    Tz::Asia__Shanghai,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::America__Santiago,
    Tz::Africa__Cairo,
    Tz::Australia__Lord_Howe,
    Tz::Pacific__Chatham,
];

/// A line of a crontab, as the brute force understands it.
struct Line {
    pattern: &'static str,
    matches: fn(&NaiveDateTime) -> bool,
    /// One minute and one hour: due once a day, come what may.
    once_a_day: bool,
}

const LINES: [Line; 7] = [
    Line { pattern: "0 0 * * *", matches: |t| t.hour() == 0 && t.minute() == 0, once_a_day: true },
    Line { pattern: "30 1 * * *", matches: |t| t.hour() == 1 && t.minute() == 30, once_a_day: true },
    Line { pattern: "30 2 * * *", matches: |t| t.hour() == 2 && t.minute() == 30, once_a_day: true },
    Line { pattern: "15 3 * * 1", matches: |t| t.hour() == 3 && t.minute() == 15 && is_monday(t), once_a_day: true },
    Line { pattern: "20 * * * *", matches: |t| t.minute() == 20, once_a_day: false },
    Line { pattern: "*/15 * * * *", matches: |t| t.minute().is_multiple_of(15), once_a_day: false },
    Line { pattern: "0 0 1 * *", matches: |t| t.day() == 1 && t.hour() == 0 && t.minute() == 0, once_a_day: true },
];

fn is_monday(time: &NaiveDateTime) -> bool {
    time.weekday() == chrono::Weekday::Mon
}

fn minutes(from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
    std::iter::successors(Some(from), |time| Some(*time + chrono::Duration::minutes(1)))
        .take_while(move |time| *time < to)
}

/// The days around each change of the clocks of these years, and around a New Year and a leap day.
fn windows(zone: Tz) -> Vec<(NaiveDateTime, NaiveDateTime)> {
    let offset = |day: NaiveDate| zone.from_utc_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).naive_local().time();
    let first = NaiveDate::from_ymd_opt(2023, 12, 30).unwrap();
    let days = first.iter_days().take_while(|day| day.year() < 2029);
    let named = ["2024-01-01", "2024-02-29", "2028-02-29"].map(|day| day.parse::<NaiveDate>().unwrap());
    let around = |day: NaiveDate| {
        let midnight = |day: NaiveDate| day.and_hms_opt(0, 0, 0).unwrap();
        (midnight(day - chrono::Days::new(2)), midnight(day + chrono::Days::new(3)))
    };
    days.filter(|day| named.contains(day) || offset(*day) != offset(day.succ_opt().unwrap())).map(around).collect()
}

/// The slots within a window in UTC, by looking at every minute that the wall shows from a day before to a day after it.
fn brute_force(line: &Line, zone: Tz, from: NaiveDateTime, to: NaiveDateTime) -> BTreeSet<DateTime<Utc>> {
    let day = chrono::Duration::days(1);
    let mut slots = BTreeSet::new();
    for wall in minutes(from - day, to + day).filter(line.matches) {
        match zone.from_local_datetime(&wall) {
            chrono::LocalResult::Single(time) => drop(slots.insert(time.to_utc())),
            chrono::LocalResult::Ambiguous(first, second) => {
                slots.insert(first.to_utc());
                if !line.once_a_day {
                    slots.insert(second.to_utc());
                }
            }
            chrono::LocalResult::None if line.once_a_day => {
                let after = minutes(wall, wall + day).find_map(|wall| zone.from_local_datetime(&wall).earliest());
                slots.insert(after.unwrap().to_utc());
            }
            chrono::LocalResult::None => (),
        }
    }
    slots.into_iter().filter(|slot| (from.and_utc()..to.and_utc()).contains(slot)).collect()
}

#[test]
fn crontabs_are_due_when_the_clock_on_the_wall_says_so() {
    let mut windows_seen = 0;
    for zone in ZONES {
        for (from, to) in windows(zone) {
            windows_seen += 1;
            for line in &LINES {
                let schedule = Schedule::crontab(line.pattern, zone).unwrap();
                let expected: Vec<_> = brute_force(line, zone, from, to).into_iter().collect();
                let next = |slot: &DateTime<Utc>| schedule.next(*slot).filter(|slot| *slot < to.and_utc());
                let start = from.and_utc() - chrono::Duration::seconds(1);
                let slots: Vec<_> = std::iter::successors(next(&start), next).collect();
                assert_eq!(slots, expected, "{} in {zone}", line.pattern);
                for pair in expected.windows(2) {
                    let before = pair[1] - chrono::Duration::seconds(1);
                    assert_eq!(schedule.latest(before), Some(pair[0]), "{} in {zone} at {before}", line.pattern);
                    assert_eq!(schedule.latest(pair[1]), Some(pair[1]), "{} in {zone}", line.pattern);
                }
            }
        }
    }
    assert!(windows_seen > 60, "{windows_seen} windows");
}

#[test]
fn an_interval_is_as_long_on_days_of_23_and_25_hours() {
    let every = Schedule::Every(Duration::from_secs(600));
    for (day, slots) in [("2026-03-29", 138), ("2026-06-01", 144), ("2026-10-25", 150)] {
        let day: NaiveDate = day.parse().unwrap();
        let midnight = |day: NaiveDate| {
            Tz::Europe__Berlin.from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).unwrap().to_utc()
        };
        let (from, to) = (midnight(day), midnight(day.succ_opt().unwrap()));
        let next = |slot: &DateTime<Utc>| every.next(*slot).filter(|slot| *slot < to);
        let start = from - chrono::Duration::seconds(1);
        assert_eq!(std::iter::successors(next(&start), next).count(), slots, "{day}");
    }
}
