//! A channel: where people or programs are told, how often at most, and when not.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::call::Outgoing;
use super::config::ConfigError;
use super::event::Payload;
use super::kind::{ChannelConfig, ChannelKind, Telling};
use super::message::{Message, Wording};
use super::target::Targets;
use super::template::{Template, TemplateError};
use crate::alert;
use crate::field::{self, FieldErrors, FieldValue, Fields};
use crate::python::{self, Kind};

/// The id of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(pub i64);

/// At most so many messages within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RateLimit(pub NonZeroU32);

/// A channel that people made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChannel {
    /// Its name, which no other channel has.
    pub name: String,
    /// Where it leads.
    pub config: ChannelConfig,
    /// Whether it is used.
    pub enabled: bool,
    /// How often it is used at most: what is more is told in one message. As often as needed when `None`.
    pub rate_limit: Option<RateLimit>,
    /// For how long what happens waits for what happens with it, to be told in one message; each by itself when `None`. Whole
    /// seconds.
    pub group_wait: Option<Duration>,
    /// When it is not used: what happens then waits.
    pub quiet_hours: Option<QuietHours>,
    /// After how long without a word an alert is told again that is still open and that nobody looks after; never when
    /// `None`. Whole minutes.
    pub repeat_after: Option<Duration>,
    /// Its words, in the place of ours.
    pub template: Option<Template>,
}

/// A channel that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// What people made.
    pub settings: NewChannel,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The longest name, in characters.
const NAME_MAX: usize = 100;
/// The longest text that says how long, in characters.
const SPAN_MAX: usize = 50;
/// After how long an alert may be told again.
const REPEATS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(7 * 86_400);
/// For how long what happens may wait for what happens with it.
const GROUP_WAITS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

impl NewChannel {
    /// Reads a channel that is made: `kind`, `name` and `config` are needed.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn from_fields(fields: &Fields<'_>, targets: Targets) -> Result<Self, ConfigError> {
        let kind = field::choice(fields.get("kind"), ChannelKind::from_name);
        Reading::new(fields, targets).read(kind, None)
    }

    /// The channel with what a client changed. Its kind stays.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn changed(&self, fields: &Fields<'_>, targets: Targets) -> Result<Self, ConfigError> {
        let own = self.config.kind();
        let kind = match fields.get("kind") {
            None => Ok(own),
            value => field::choice(value, ChannelKind::from_name).and_then(|kind| {
                if kind == own { Ok(kind) } else { Err(vec!["A channel's kind cannot be changed.".to_owned()]) }
            }),
        };
        Reading::new(fields, targets).read(kind, Some(self))
    }
}

impl Channel {
    /// What is sent to tell what happened.
    ///
    /// # Errors
    /// When its template cannot be filled in.
    pub fn outgoing(
        &self,
        payload: &Payload,
        wording: &Wording,
        now: DateTime<Utc>,
    ) -> Result<Outgoing, TemplateError> {
        self.preview(payload, wording, now).map(|(_, outgoing)| outgoing)
    }

    /// The same, with the words that are in it.
    ///
    /// # Errors
    /// When its template cannot be filled in.
    pub fn preview(
        &self,
        payload: &Payload,
        wording: &Wording,
        now: DateTime<Utc>,
    ) -> Result<(Message, Outgoing), TemplateError> {
        let message = Message::of(payload, wording, self.settings.template.as_ref())?;
        let (channel, public_url) = (self.settings.name.as_str(), wording.public_url.as_deref());
        let outgoing = self.settings.config.outgoing(&Telling { payload, message: &message, channel, public_url, now });
        Ok((message, outgoing))
    }
}

/// The fields of a channel, and what is wrong with them.
struct Reading<'a, 'f> {
    fields: &'a Fields<'f>,
    targets: Targets,
    errors: FieldErrors,
    forbidden: FieldErrors,
}

impl<'a, 'f> Reading<'a, 'f> {
    fn new(fields: &'a Fields<'f>, targets: Targets) -> Self {
        Self { fields, targets, errors: FieldErrors::default(), forbidden: FieldErrors::default() }
    }

    /// `kept` is what stays where a field was not sent.
    fn read(
        mut self,
        kind: Result<ChannelKind, Vec<String>>,
        kept: Option<&NewChannel>,
    ) -> Result<NewChannel, ConfigError> {
        let kind = self.errors.take("kind", kind);
        let name = match (self.fields.get("name"), kept) {
            (None, Some(kept)) => Some(kept.name.clone()),
            (value, _) => self.errors.take("name", field::text(value, NAME_MAX)).map(Into::into),
        };
        let config = self.config(kind, kept.map(|kept| &kept.config));
        let enabled = match self.errors.take("enabled", field::flag(self.fields.get("enabled"))).flatten() {
            Some(sent) => sent,
            None => kept.is_none_or(|kept| kept.enabled),
        };
        let default = kind.and_then(ChannelKind::rate_limit).and_then(NonZeroU32::new).map(RateLimit);
        let rate_limit = self.part("rate_limit", kept.map_or(default, |kept| kept.rate_limit), rate_limit);
        let quiet_hours = self.part("quiet_hours", kept.and_then(|kept| kept.quiet_hours), QuietHours::from_field);
        let group_wait = self.group_wait(kind, kept);
        let repeat_after =
            self.span("repeat_after", kept.and_then(|kept| kept.repeat_after), |text| alert::minutes(text, &REPEATS));
        let template = self.template(kept.and_then(|kept| kept.template.clone()));
        self.errors.into_result(()).map_err(ConfigError::Invalid)?;
        self.forbidden.into_result(()).map_err(ConfigError::Forbidden)?;
        let (Some(name), Some(config)) = (name, config) else {
            return Err(ConfigError::Invalid(FieldErrors::default()));
        };
        Ok(NewChannel { name, config, enabled, rate_limit, group_wait, quiet_hours, repeat_after, template })
    }

    fn config(&mut self, kind: Option<ChannelKind>, kept: Option<&ChannelConfig>) -> Option<ChannelConfig> {
        let raw: &RawValue = match (self.fields.get("config"), kept) {
            (None, Some(kept)) => return Some(kept.clone()),
            (None, None) => {
                self.errors.add("config", vec![field::REQUIRED.to_owned()]);
                return None;
            }
            (Some(FieldValue::Json(raw)), _) => raw,
            (Some(_), _) => {
                self.errors.add("config", vec!["A JSON object is expected.".to_owned()]);
                return None;
            }
        };
        match ChannelConfig::parse(kind?, raw, kept, self.targets) {
            Ok(config) => Some(config),
            Err(ConfigError::Invalid(errors)) => {
                self.errors.nest("config", errors);
                None
            }
            Err(ConfigError::Forbidden(errors)) => {
                self.forbidden.nest("config", errors);
                None
            }
        }
    }

    /// A part that may be left out, and is taken away by null.
    fn part<T>(
        &mut self,
        name: &'static str,
        kept: Option<T>,
        read: impl Fn(&RawValue) -> Result<T, Vec<String>>,
    ) -> Option<T> {
        match self.fields.get(name) {
            None => kept,
            Some(FieldValue::Json(raw)) if Kind::of(raw) == Kind::Null => None,
            Some(FieldValue::Json(raw)) => self.errors.take(name, read(raw)),
            Some(_) => {
                self.errors.add(name, vec!["A JSON value is expected.".to_owned()]);
                None
            }
        }
    }

    fn group_wait(&mut self, kind: Option<ChannelKind>, kept: Option<&NewChannel>) -> Option<Duration> {
        let default = kind.and_then(ChannelKind::group_wait);
        let kept = kept.map_or(default, |kept| kept.group_wait);
        let wait = self.span("group_wait", kept, |text| alert::seconds(text, &GROUP_WAITS));
        if wait.is_some() && kind == Some(ChannelKind::Webhook) {
            self.errors.add("group_wait", vec!["A webhook gets each event by itself.".to_owned()]);
        }
        wait
    }

    /// A stretch of time that may be left out, and is taken away by null.
    fn span(
        &mut self,
        name: &'static str,
        kept: Option<Duration>,
        read: impl Fn(&str) -> Result<Duration, Vec<String>>,
    ) -> Option<Duration> {
        match self.fields.get(name) {
            None => kept,
            Some(value) if field::is_null(value) => None,
            value => self.errors.take(name, field::text(value, SPAN_MAX).and_then(|text| read(&text))),
        }
    }

    fn template(&mut self, kept: Option<Template>) -> Option<Template> {
        let raw = match self.fields.get("template") {
            None => return kept,
            Some(FieldValue::Json(raw)) if Kind::of(raw) == Kind::Null => return None,
            Some(FieldValue::Json(raw)) => raw,
            Some(_) => {
                self.errors.add("template", vec!["A JSON object is expected.".to_owned()]);
                return None;
            }
        };
        let Ok(entries) = serde_json::from_str::<python::Entries<'_>>(raw.get()) else {
            self.errors.add("template", vec!["An object with title and text is expected.".to_owned()]);
            return None;
        };
        match Template::from_fields(&entries.into()) {
            Ok(template) => Some(template),
            Err(errors) => {
                self.errors.nest("template", errors);
                None
            }
        }
    }
}

fn rate_limit(raw: &RawValue) -> Result<RateLimit, Vec<String>> {
    let number = serde_json::from_str::<NonZeroU32>(raw.get()).ok().filter(|number| number.get() <= 1_000);
    number.map(RateLimit).ok_or_else(|| vec!["A number of messages a minute from 1 to 1000 is expected.".to_owned()])
}

/// Hours of the day in which a channel is not used, in `TIME_ZONE`; past midnight where the end is before the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Where they begin.
    pub from: NaiveTime,
    /// Where they end.
    pub to: NaiveTime,
}

impl QuietHours {
    fn from_field(raw: &RawValue) -> Result<Self, Vec<String>> {
        Self::from_json(raw.get())
            .ok_or_else(|| vec!["An object such as {\"from\":\"22:00\",\"to\":\"07:30\"} is expected.".to_owned()])
    }

    /// Reads `{"from":"22:00","to":"07:30"}`.
    pub fn from_json(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Times {
            from: String,
            to: String,
        }
        let times: Times = serde_json::from_str(text).ok()?;
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
        let (from, to) = (time(&times.from)?, time(&times.to)?);
        (from != to).then_some(Self { from, to })
    }

    /// What [`QuietHours::from_json`] reads.
    pub fn to_value(self) -> serde_json::Value {
        let time = |time: NaiveTime| time.format("%H:%M").to_string();
        serde_json::json!({ "from": time(self.from), "to": time(self.to) })
    }

    /// When they end, if it is quiet at `now`.
    pub fn end(self, now: DateTime<Utc>, zone: Tz) -> Option<DateTime<Utc>> {
        let local = now.with_timezone(&zone).naive_local();
        let time = local.time();
        let days = if self.from < self.to {
            (self.from <= time && time < self.to).then_some(0)
        } else if time >= self.from {
            Some(1)
        } else {
            (time < self.to).then_some(0)
        }?;
        let mut end = local.date().checked_add_days(Days::new(days))?.and_time(self.to);
        // A time that a change of the clock leaves out: the first one after it.
        for _ in 0..24 {
            match end.and_local_timezone(zone).earliest() {
                Some(end) => return Some(end.to_utc()),
                None => end += chrono::Duration::minutes(15),
            }
        }
        None
    }
}
