//! Hours of some days of the week, by the clock on the wall of a zone.

use std::ops::Range;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::field::{self, FieldErrors, FieldValue, Fields};
use crate::python::{self, Kind};

/// The names of the days, as they are written.
const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "mon"),
    (Weekday::Tue, "tue"),
    (Weekday::Wed, "wed"),
    (Weekday::Thu, "thu"),
    (Weekday::Fri, "fri"),
    (Weekday::Sat, "sat"),
    (Weekday::Sun, "sun"),
];
/// How far the next day of the week on which there is such a time may lie: one may fall into a gap of the clock.
const REACH: u64 = 15;

/// Hours of some days of the week, by the clock on the wall.
///
/// They belong to the day on which they begin, and end on the next one where `to` is not after `from`. A time that a change of
/// the clocks leaves out is the first one after the gap; of one that comes twice it is the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// On which days, Monday first, each once; never empty.
    weekdays: Vec<Weekday>,
    /// Where they begin.
    from: NaiveTime,
    /// Where they end.
    to: NaiveTime,
    /// The zone of the clock.
    zone: Tz,
}

/// As it is written, in JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    weekdays: Vec<String>,
    from: String,
    to: String,
    zone: String,
}

impl Recurrence {
    /// Reads the fields `weekdays` (a list of `mon` to `sun`), `from` and `to` (`22:00`), and `zone` (an IANA name), which may be
    /// left out for `zone`.
    ///
    /// # Errors
    /// Every wrong field with its messages.
    pub fn from_fields(fields: &Fields<'_>, zone: Tz) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let weekdays = errors.take("weekdays", weekdays(fields.get("weekdays")));
        let from = errors.take("from", time(fields.get("from")));
        let to = errors.take("to", time(fields.get("to")));
        let zone = match fields.get("zone") {
            None => Some(zone),
            value => errors.take("zone", zone_of(value)),
        };
        match (weekdays, from, to, zone) {
            (Some(weekdays), Some(from), Some(to), Some(zone)) => Ok(Self { weekdays, from, to, zone }),
            _ => Err(errors),
        }
    }

    /// Reads what [`Recurrence::to_json`] wrote; `None` for what it did not.
    pub fn from_json(text: &str) -> Option<Self> {
        let entries: python::Entries<'_> = serde_json::from_str(text).ok()?;
        Self::from_fields(&entries.into(), Tz::UTC).ok()
    }

    /// As it is stored and shown: `{"weekdays":["sat"],"from":"22:00","to":"06:00","zone":"Asia/Shanghai"}`.
    pub fn to_json(&self) -> String {
        let name = |day: &Weekday| DAYS.iter().find(|(known, _)| known == day).map_or("", |(_, name)| name).to_owned();
        let time = |time: NaiveTime| time.format("%H:%M").to_string();
        let written = Written {
            weekdays: self.weekdays.iter().map(name).collect(),
            from: time(self.from),
            to: time(self.to),
            zone: self.zone.name().to_owned(),
        };
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// The first of its times that ends after `moment`, as far as it lies within `bounds`.
    pub(super) fn at_or_after(&self, moment: DateTime<Utc>, bounds: &Bounds) -> Option<Range<DateTime<Utc>>> {
        let first = moment.max(bounds.start).with_timezone(&self.zone).date_naive().checked_sub_days(Days::new(2))?;
        let days = (0..REACH).filter_map(|day| first.checked_add_days(Days::new(day)));
        days.filter_map(|day| self.within(day, bounds)).find(|time| moment < time.end)
    }

    /// The last of its times within `bounds`, which have an end.
    pub(super) fn last(&self, bounds: &Bounds) -> Option<Range<DateTime<Utc>>> {
        let last = bounds.end?.with_timezone(&self.zone).date_naive();
        let days = (0..REACH).filter_map(|day| last.checked_sub_days(Days::new(day)));
        days.filter_map(|day| self.within(day, bounds)).next()
    }

    fn within(&self, day: NaiveDate, bounds: &Bounds) -> Option<Range<DateTime<Utc>>> {
        if !self.weekdays.contains(&day.weekday()) {
            return None;
        }
        let end = if self.from < self.to { day } else { day.succ_opt()? };
        let start = moment(day.and_time(self.from), self.zone)?.max(bounds.start);
        let end = moment(end.and_time(self.to), self.zone)?;
        let end = bounds.end.map_or(end, |bound| end.min(bound));
        (start < end).then_some(start..end)
    }
}

/// From when on, and until when if that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) start: DateTime<Utc>,
    pub(super) end: Option<DateTime<Utc>>,
}

/// When a clock first shows a time, or the first one after it that it shows.
fn moment(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    // Every gap that a zone ever had ends on a full minute and is at most a day long.
    let shown =
        (0..=24 * 60).find_map(|minutes| (local + TimeDelta::minutes(minutes)).and_local_timezone(zone).earliest());
    shown.map(|local| local.to_utc())
}

fn weekdays(value: Option<&FieldValue<'_>>) -> Result<Vec<Weekday>, Vec<String>> {
    let value = value.ok_or_else(|| vec![field::REQUIRED.to_owned()])?;
    let expected =
        || vec!["Expected a list of days such as [\"sat\", \"sun\"]: mon, tue, wed, thu, fri, sat, sun.".to_owned()];
    let FieldValue::Json(raw) = value else { return Err(expected()) };
    let names: Vec<String> = serde_json::from_str(raw.get()).map_err(|_not_a_list| expected())?;
    let known = |name: &String| DAYS.iter().any(|(_, day)| day == name);
    if names.is_empty() || !names.iter().all(known) {
        return Err(expected());
    }
    Ok(DAYS.iter().filter(|(_, day)| names.iter().any(|name| name == day)).map(|(day, _)| *day).collect())
}

fn time(value: Option<&FieldValue<'_>>) -> Result<NaiveTime, Vec<String>> {
    let text = field::text(value, 10)?;
    NaiveTime::parse_from_str(&text, "%H:%M")
        .map_err(|_wrong| vec!["Expected a time of the day such as 22:00.".to_owned()])
}

fn zone_of(value: Option<&FieldValue<'_>>) -> Result<Tz, Vec<String>> {
    let name = field::text(value, 100)?;
    name.parse()
        .map_err(|_unknown| vec![format!("\"{name}\" is not a time zone: expected a name such as Asia/Shanghai.")])
}

/// Reads the field `recurring`: an object, in a form its JSON text; null where it does not recur.
pub(super) fn from_field(value: &FieldValue<'_>, zone: Tz) -> Result<Option<Recurrence>, FieldErrors> {
    const NAME: &str = "recurring";
    let expected = || FieldErrors::one(NAME, "Expected an object with weekdays, from, to and zone.");
    if field::is_null(value) {
        return Ok(None);
    }
    let text: &str = match value {
        FieldValue::Json(raw) => RawValue::get(raw),
        FieldValue::Text(text) => text,
        FieldValue::File(_) => return Err(expected()),
    };
    let raw: &RawValue = serde_json::from_str(text).map_err(|_no_json| expected())?;
    if Kind::of(raw) != Kind::Dict {
        return Err(expected());
    }
    let entries: python::Entries<'_> = serde_json::from_str(text).map_err(|_no_object| expected())?;
    Recurrence::from_fields(&entries.into(), zone).map(Some).map_err(|within| {
        let mut errors = FieldErrors::default();
        errors.nest(NAME, within);
        errors
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(value: &Value) -> Result<Recurrence, Value> {
        let text = value.to_string();
        let entries: python::Entries<'_> = serde_json::from_str(&text).unwrap();
        Recurrence::from_fields(&entries.into(), Tz::Asia__Shanghai)
            .map_err(|errors| serde_json::to_value(errors).unwrap())
    }

    fn times(value: &Value, from: &str, count: usize) -> Vec<String> {
        let (recurrence, from) = (read(value).unwrap(), from.parse().unwrap());
        let (mut moment, mut found) = (from, Vec::new());
        while found.len() < count {
            let time = recurrence.at_or_after(moment, &Bounds { start: from, end: None }).unwrap();
            found.push(format!("{} {}", time.start.format("%d %H:%M"), time.end.format("%d %H:%M")));
            moment = time.end;
        }
        found
    }

    #[test]
    fn what_is_written_is_read_again() {
        let nights =
            json!({"weekdays": ["sun", "fri", "sun"], "from": "22:00", "to": "06:30", "zone": "Europe/Berlin"});
        let recurrence = read(&nights).unwrap();
        let json = r#"{"weekdays":["fri","sun"],"from":"22:00","to":"06:30","zone":"Europe/Berlin"}"#;
        assert_eq!(recurrence.to_json(), json);
        assert_eq!(Recurrence::from_json(json), Some(recurrence));
        let ours = read(&json!({"weekdays": ["mon"], "from": "9:05", "to": "10:00"})).unwrap();
        assert!(ours.to_json().ends_with(r#""from":"09:05","to":"10:00","zone":"Asia/Shanghai"}"#));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let errors = read(&json!({"weekdays": ["caturday"], "from": "25:00", "zone": "Mars"})).unwrap_err();
        assert_eq!(errors.as_object().unwrap().keys().collect::<Vec<_>>(), ["from", "to", "weekdays", "zone"]);
        for weekdays in [json!([]), json!("mon"), json!([1]), json!(null)] {
            assert!(read(&json!({"weekdays": weekdays, "from": "1:00", "to": "2:00"})).is_err(), "{weekdays}");
        }
    }

    #[test]
    fn hours_are_those_of_the_zone_and_may_pass_midnight() {
        let office = json!({"weekdays": ["mon", "tue"], "from": "09:00", "to": "18:00"});
        // Monday the 23rd in Shanghai.
        assert_eq!(
            times(&office, "2026-11-22T20:00:00Z", 3),
            ["23 01:00 23 10:00", "24 01:00 24 10:00", "30 01:00 30 10:00"]
        );
        let night = json!({"weekdays": ["sat"], "from": "22:00", "to": "06:00", "zone": "UTC"});
        assert_eq!(times(&night, "2026-11-22T03:00:00Z", 2), ["22 03:00 22 06:00", "28 22:00 29 06:00"]);
        let day = json!({"weekdays": ["sun"], "from": "00:00", "to": "00:00", "zone": "UTC"});
        assert_eq!(times(&day, "2026-11-22T03:00:00Z", 1), ["22 03:00 23 00:00"]);
    }

    #[test]
    fn the_clock_on_the_wall_decides_where_it_changes() {
        let every_day = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
        let berlin =
            |from: &str, to: &str| json!({"weekdays": every_day, "from": from, "to": to, "zone": "Europe/Berlin"});
        // 02:00 to 03:00 is left out on the 29th of March, and comes twice on the 25th of October.
        let nights = times(&berlin("22:00", "06:00"), "2026-03-27T12:00:00Z", 3);
        assert_eq!(nights, ["27 21:00 28 05:00", "28 21:00 29 04:00", "29 20:00 30 04:00"]);
        assert_eq!(times(&berlin("02:15", "04:00"), "2026-03-28T12:00:00Z", 1), ["29 01:00 29 02:00"]);
        assert_eq!(times(&berlin("01:00", "02:30"), "2026-03-28T12:00:00Z", 1), ["29 00:00 29 01:00"]);
        assert_eq!(times(&berlin("02:15", "02:45"), "2026-03-28T12:00:00Z", 1), ["30 00:15 30 00:45"]);
        let nights = times(&berlin("22:00", "06:00"), "2026-10-23T12:00:00Z", 3);
        assert_eq!(nights, ["23 20:00 24 04:00", "24 20:00 25 05:00", "25 21:00 26 05:00"]);
        assert_eq!(times(&berlin("02:30", "04:00"), "2026-10-24T12:00:00Z", 1), ["25 00:30 25 03:00"]);
        assert_eq!(times(&berlin("01:00", "02:30"), "2026-10-24T12:00:00Z", 1), ["24 23:00 25 00:30"]);
    }
}
