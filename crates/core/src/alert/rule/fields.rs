//! What a rule says, from the fields of a request.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::{Condition, Factor, Kind, span};
use super::{ERROR_LOGS, NewRule, RuleState, Severity};
use crate::app::AppId;
use crate::field::{self, FieldErrors, FieldValue, Fields};
use crate::log::{Level, Term};
use crate::notification::ChannelId;

const NAME_MAX: usize = 100;
const TEXT_MAX: usize = 256;
const CHANNELS_MAX: usize = 20;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// How far back a rule may look. Texts are in no count: their logs are read.
pub(crate) const WINDOWS: RangeInclusive<Duration> = MINUTE..=Duration::from_secs(7 * 86_400);
const WINDOWS_WITH_TEXT: RangeInclusive<Duration> = MINUTE..=HOUR;
const EVERY: RangeInclusive<Duration> = MINUTE..=DAY;
const THRESHOLDS: RangeInclusive<i64> = 0..=1_000_000_000;
const RESOLVE_AFTER: RangeInclusive<i64> = 0..=1_000;
const FLAPPING_AFTER: RangeInclusive<i64> = 0..=100;

/// What a rule says that says nothing of it.
const WINDOW_DEFAULT: Duration = Duration::from_secs(600);
const RESOLVE_AFTER_DEFAULT: u32 = 3;
const FLAPPING_AFTER_DEFAULT: u32 = 6;

/// The names of the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KindName {
    MoreThan,
    None,
    Multiple,
}

impl KindName {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "more_than" => Some(Self::MoreThan),
            "none" => Some(Self::None),
            "multiple" => Some(Self::Multiple),
            _ => None,
        }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::MoreThan(_) => Self::MoreThan,
            Kind::Silence => Self::None,
            Kind::Multiple { .. } => Self::Multiple,
        }
    }
}

impl Kind {
    /// Its name on the wire and in the table.
    pub fn as_str(self) -> &'static str {
        match KindName::of(self) {
            KindName::MoreThan => "more_than",
            KindName::None => "none",
            KindName::Multiple => "multiple",
        }
    }

    /// The factor, where it has one.
    pub fn factor(self) -> Option<Factor> {
        match self {
            Self::Multiple { factor, .. } => Some(factor),
            Self::MoreThan(_) | Self::Silence => None,
        }
    }

    /// The kind of this name; `None` where there is none, or its factor is missing.
    pub fn from_parts(name: &str, threshold: u64, factor: Option<Factor>) -> Option<Self> {
        match KindName::from_name(name)? {
            KindName::MoreThan => Some(Self::MoreThan(threshold)),
            KindName::None => Some(Self::Silence),
            KindName::Multiple => Some(Self::Multiple { factor: factor?, threshold }),
        }
    }
}

/// The fields of a request, over what is there already.
struct Reader<'a> {
    fields: &'a Fields<'a>,
    /// What a field that was not sent has.
    base: Option<&'a NewRule>,
    errors: FieldErrors,
}

impl NewRule {
    /// Checks the fields of a rule. One that was not sent keeps what `base` has; without a base it has its default, and `name`
    /// is required, as is `threshold` but for the kind `none`, and `factor` for `multiple`.
    ///
    /// Whether the app exists is for the caller to find out.
    ///
    /// # Errors
    /// Every wrong field with its messages, in DRF's words.
    pub fn from_fields(fields: &Fields<'_>, base: Option<&Self>) -> Result<Self, FieldErrors> {
        let mut reader = Reader { fields, base, errors: FieldErrors::default() };
        let name = reader.name();
        let app = reader.app();
        let condition = reader.condition();
        let every = reader.read("every", |base| base.every, WINDOW_DEFAULT, |value| minutes(value, &EVERY));
        let severity = reader.read(
            "severity",
            |base| base.severity,
            Severity::Warning,
            |value| field::choice(Some(value), Severity::from_name),
        );
        let resolve_after = reader.read(
            "resolve_after",
            |base| base.resolve_after,
            RESOLVE_AFTER_DEFAULT,
            |value| field::integer(value, &RESOLVE_AFTER).map(|n| u32::try_from(n).unwrap_or(0)),
        );
        let flapping_after = reader.read(
            "flapping_after",
            |base| base.flapping_after,
            FLAPPING_AFTER_DEFAULT,
            |value| field::integer(value, &FLAPPING_AFTER).map(|n| u32::try_from(n).unwrap_or(0)),
        );
        let channels = reader.read("channels", |base| base.channels.clone(), Vec::new(), channels);
        let state = reader.read(
            "enabled",
            |base| base.state,
            RuleState::Enabled,
            |value| {
                field::flag(Some(value))
                    .map(|on| if on == Some(false) { RuleState::Disabled } else { RuleState::Enabled })
            },
        );
        let read = name.zip(condition).zip(app).zip(every).zip(severity).zip(resolve_after).zip(flapping_after);
        let read = read.zip(channels).zip(state);
        let Some(((((((((name, condition), app), every), severity), resolve_after), flapping_after), channels), state)) =
            read
        else {
            return Err(reader.errors);
        };
        reader.errors.into_result(Self {
            name,
            app,
            condition,
            every,
            severity,
            resolve_after,
            flapping_after,
            channels,
            state,
        })
    }

    /// This rule, to be stored in the place of `stored`.
    ///
    /// # Errors
    /// When it has another name than the rule of the settings, which it is to replace.
    pub fn in_place_of(self, stored: &Self) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        errors.take("name", stored.may_be_called(&self.name));
        errors.into_result(self)
    }

    fn may_be_called(&self, name: &str) -> Result<(), Vec<String>> {
        if self.name == ERROR_LOGS && name != ERROR_LOGS {
            return Err(vec!["The rule of the settings keeps its name.".to_owned()]);
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// The value of a field: what was sent, else what is there, else `default`.
    fn read<T>(
        &mut self,
        name: &'static str,
        of_base: impl Fn(&NewRule) -> T,
        default: T,
        parse: impl Fn(&FieldValue<'_>) -> Result<T, Vec<String>>,
    ) -> Option<T> {
        match (self.fields.get(name), self.base) {
            (Some(value), _) => self.errors.take(name, parse(value)),
            (None, Some(base)) => Some(of_base(base)),
            (None, None) => Some(default),
        }
    }

    fn name(&mut self) -> Option<String> {
        let kept = self.base.map(|base| base.name.clone());
        let name = match (self.fields.get("name"), kept) {
            (None, Some(kept)) => return Some(kept),
            (value, _) => self.errors.take("name", field::text(value, NAME_MAX))?.into_owned(),
        };
        self.errors.take("name", self.base.map_or(Ok(()), |base| base.may_be_called(&name)))?;
        Some(name)
    }

    fn app(&mut self) -> Option<Option<AppId>> {
        self.read(
            "app",
            |base| base.app,
            None,
            |value| {
                if field::is_null(value) { Ok(None) } else { field::key(Some(value)).map(|key| Some(AppId(key.id))) }
            },
        )
    }

    fn condition(&mut self) -> Option<Condition> {
        let kind = self.read(
            "kind",
            |base| KindName::of(base.condition.kind),
            KindName::MoreThan,
            |value| field::choice(Some(value), KindName::from_name),
        )?;
        // An app that goes quiet stops saying anything at all.
        let level = if kind == KindName::None { None } else { Some(Level::Error) };
        let level = self.read(
            "level",
            |base| base.condition.level,
            level,
            |value| {
                if field::is_null(value) { Ok(None) } else { field::choice(Some(value), Level::from_name).map(Some) }
            },
        );
        let text = self.read("text", |base| base.condition.text.clone(), None, text);
        let windows = if text.as_ref().is_some_and(Option::is_some) { &WINDOWS_WITH_TEXT } else { &WINDOWS };
        let window = self.read("window", |base| base.condition.window, WINDOW_DEFAULT, |value| minutes(value, windows));
        let window = self.within(window, windows);
        let kind = self.kind(kind);
        Some(Condition { level: level?, text: text?, kind: kind?, window: window? })
    }

    // A text may have been added to a rule whose window was longer than it may be now.
    fn within(&mut self, window: Option<Duration>, windows: &RangeInclusive<Duration>) -> Option<Duration> {
        let window = window?;
        if window > *windows.end() {
            let most = span::short(*windows.end());
            self.errors.add("window", vec![format!("A rule with a text looks back {most} at most.")]);
            return None;
        }
        Some(window)
    }

    fn kind(&mut self, name: KindName) -> Option<Kind> {
        if name == KindName::None {
            return Some(Kind::Silence);
        }
        let same = self.base.map(|base| base.condition.kind).filter(|kind| KindName::of(*kind) == name);
        let threshold = match (self.fields.get("threshold"), self.base) {
            (None, Some(base)) => Ok(base.condition.threshold()),
            (None, None) => Err(vec![field::REQUIRED.to_owned()]),
            (Some(value), _) => field::integer(value, &THRESHOLDS).map(|n| u64::try_from(n).unwrap_or(0)),
        };
        let threshold = self.errors.take("threshold", threshold);
        if name == KindName::MoreThan {
            return threshold.map(Kind::MoreThan);
        }
        let factor = match (self.fields.get("factor"), same.and_then(Kind::factor)) {
            (None, Some(factor)) => Ok(factor),
            (None, None) => Err(vec![field::REQUIRED.to_owned()]),
            (Some(value), _) => factor(value),
        };
        let factor = self.errors.take("factor", factor);
        Some(Kind::Multiple { factor: factor?, threshold: threshold? })
    }
}

fn minutes(value: &FieldValue<'_>, bounds: &RangeInclusive<Duration>) -> Result<Duration, Vec<String>> {
    span::minutes(&field::text(Some(value), TEXT_MAX)?, bounds)
}

fn text(value: &FieldValue<'_>) -> Result<Option<String>, Vec<String>> {
    let text = match field::optional_text(Some(value), TEXT_MAX) {
        Ok(text) => text,
        // DRF refuses a blank text, which here says that there is none.
        Err(_) if field::is_blank(value) => None,
        Err(messages) => return Err(messages),
    };
    let Some(text) = text else { return Ok(None) };
    Term::from_text(&text)?;
    Ok(Some(text.into_owned()))
}

fn factor(value: &FieldValue<'_>) -> Result<Factor, Vec<String>> {
    let number = field::text(Some(value), TEXT_MAX).ok().and_then(|text| text.parse::<f64>().ok());
    let hundredths = number.filter(|number| number.is_finite() && (0.0..=1e6).contains(number));
    // Printed and read again, for a float is not cast.
    let hundredths = hundredths.and_then(|number| format!("{:.0}", number * 100.0).parse().ok());
    hundredths
        .and_then(Factor::from_hundredths)
        .ok_or_else(|| vec!["Expected a number from 1.01 to 1000, with two decimals at most.".to_owned()])
}

fn channels(value: &FieldValue<'_>) -> Result<Vec<ChannelId>, Vec<String>> {
    let mut ids: Vec<ChannelId> = field::keys(value, CHANNELS_MAX)?.into_iter().map(ChannelId).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::python::Entries;

    fn read(body: &Value, base: Option<&NewRule>) -> Result<NewRule, Value> {
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        NewRule::from_fields(&entries.into(), base).map_err(|errors| serde_json::to_value(errors).unwrap())
    }

    #[test]
    fn what_is_not_sent_has_its_default_or_stays() {
        let rule = read(&json!({"name": "slow", "threshold": 5}), None).unwrap();
        assert_eq!((rule.app, rule.every, rule.resolve_after, rule.flapping_after), (None, WINDOW_DEFAULT, 3, 6));
        assert_eq!(rule.condition.level, Some(Level::Error));
        assert_eq!(rule.condition.kind, Kind::MoreThan(5));
        let app = json!({"app": 7, "window": "1h", "text": "支付", "channels": [2, "1", 2], "enabled": false});
        let changed = read(&app, Some(&rule)).unwrap();
        assert_eq!((changed.app, changed.condition.kind), (Some(AppId(7)), rule.condition.kind));
        assert_eq!(
            (changed.channels.as_slice(), changed.state),
            ([ChannelId(1), ChannelId(2)].as_slice(), RuleState::Disabled)
        );
        let back =
            read(&json!({"app": null, "text": "", "window": "10m", "channels": [], "enabled": true}), Some(&changed));
        assert_eq!(back.unwrap(), rule);
    }

    #[test]
    fn a_kind_asks_for_what_it_needs() {
        let quiet = read(&json!({"name": "quiet", "kind": "none", "window": "30m"}), None).unwrap();
        assert_eq!((quiet.condition.kind, quiet.condition.level), (Kind::Silence, None));
        let multiple = json!({"name": "m", "kind": "multiple"});
        let required = json!(["This field is required."]);
        assert_eq!(read(&multiple, None).unwrap_err(), json!({"threshold": required, "factor": required}));
        let factor = json!({"kind": "multiple", "factor": 2.5, "threshold": 10});
        let changed = read(&factor, Some(&quiet)).unwrap();
        let factor = Factor::from_hundredths(250).unwrap();
        assert_eq!(changed.condition.kind, Kind::Multiple { factor, threshold: 10 });
        assert_eq!(read(&json!({"name": "m"}), Some(&changed)).unwrap().condition.kind, changed.condition.kind);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = json!({
            "app": "x", "level": "LOUD", "kind": "some", "every": "30s", "severity": "dire", "resolve_after": -1, "flapping_after": 101,
            "channels": "1", "enabled": "perhaps",
        });
        let errors = read(&wrong, None).unwrap_err();
        for field in
            ["name", "app", "kind", "every", "severity", "resolve_after", "flapping_after", "channels", "enabled"]
        {
            assert!(errors[field].is_array(), "{field}: {errors}");
        }
        let wrong = json!({"name": "x", "level": "LOUD", "threshold": 1e12, "window": "8d", "factor": 1});
        let errors = read(&wrong, None).unwrap_err();
        assert_eq!(errors.as_object().unwrap().keys().collect::<Vec<_>>(), ["level", "threshold", "window"]);
        let long = read(&json!({"name": "x", "threshold": 1, "window": "2h"}), None).unwrap();
        let errors = read(&json!({"text": "boom"}), Some(&long)).unwrap_err();
        assert_eq!(errors, json!({"window": ["A rule with a text looks back 1h at most."]}));
    }

    #[test]
    fn the_rule_of_the_settings_keeps_its_name() {
        let seeds = read(&json!({"name": ERROR_LOGS, "threshold": 100}), None).unwrap();
        assert_eq!(
            read(&json!({"name": "x"}), Some(&seeds)).unwrap_err()["name"][0],
            "The rule of the settings keeps its name."
        );
        assert_eq!(read(&json!({"threshold": 5}), Some(&seeds)).unwrap().condition.kind, Kind::MoreThan(5));
    }
}
