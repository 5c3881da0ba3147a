//! The sentence that an alert says, and the address of the logs that it is about.

use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use url::form_urlencoded::Serializer;

use super::{Condition, Kind, Observed};
use crate::app::AppId;
use crate::language::Language;

/// In whose words, and by which clock on the wall.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    /// The language.
    pub language: Language,
    /// The zone of the times.
    pub zone: Tz,
}

/// When a window ended, as a reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Just now.
    Now,
    /// Some time ago, at this moment.
    At(DateTime<Utc>),
}

impl Condition {
    /// The sentence of an alert; in English that of the original where it had one.
    pub fn content(&self, observed: Observed, ended: Ended, telling: Telling) -> String {
        match telling.language {
            Language::En => self.in_english(observed, ended, telling.zone),
            Language::ZhCn => self.in_chinese(observed, ended, telling.zone),
        }
    }

    fn in_english(&self, observed: Observed, ended: Ended, zone: Tz) -> String {
        let Observed { count, day_before, .. } = observed;
        let level = self.level.map_or_else(String::new, |level| format!("{} ", level.as_str().to_ascii_lowercase()));
        let text = self.text.as_ref().map_or_else(String::new, |text| format!(" with {text:?}"));
        let (number, unit) = parts(self.window);
        let length = format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
        let when = match ended {
            Ended::Now => format!("in the past {length}"),
            Ended::At(end) => format!("in the {length} up to {}", wall(end, zone)),
        };
        match self.kind {
            Kind::MoreThan(_) => format!("{count} {level}logs{text} {when}"),
            Kind::Silence => format!("no {level}logs{text} {when}"),
            Kind::Multiple { factor, .. } => format!(
                "{count} {level}logs{text} {when}, over {} times the {day_before} of the day before",
                factor.value()
            ),
        }
    }

    fn in_chinese(&self, observed: Observed, ended: Ended, zone: Tz) -> String {
        let Observed { count, day_before, .. } = observed;
        let level = self.level.map_or_else(String::new, |level| format!(" {} ", level.as_str()));
        let text = self.text.as_ref().map_or_else(String::new, |text| format!("含“{text}”的"));
        let (number, unit) = parts(self.window);
        let unit = match unit {
            "hour" => "小时",
            "minute" => "分钟",
            _ => "秒",
        };
        let when = match ended {
            Ended::Now => format!("过去 {number} {unit}内"),
            Ended::At(end) => format!("截至 {} 的 {number} {unit}内", wall(end, zone)),
        };
        match self.kind {
            Kind::MoreThan(_) => format!("{when}有 {count} 条{text}{level}日志"),
            Kind::Silence => format!("{when}没有{text}{level}日志"),
            Kind::Multiple { factor, .. } => {
                format!(
                    "{when}有 {count} 条{text}{level}日志，超过前一天同一时段 {day_before} 条的 {} 倍",
                    factor.value()
                )
            }
        }
    }

    /// The path that shows the logs of a window, with absolute times.
    pub fn query(&self, app: AppId, window: &Range<DateTime<Utc>>) -> String {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        let mut query = Serializer::new(String::new());
        query.append_pair("app", &app.0.to_string());
        if let Some(level) = self.level {
            query.append_pair("level", level.as_str());
        }
        query.append_pair("since", &time(window.start)).append_pair("until", &time(window.end));
        if let Some(text) = &self.text {
            query.append_pair("q", text);
        }
        format!("/api/logs/?{}", query.finish())
    }
}

fn wall(time: DateTime<Utc>, zone: Tz) -> String {
    time.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

fn parts(duration: Duration) -> (u64, &'static str) {
    match duration.as_secs() {
        s if s >= 3_600 && s.is_multiple_of(3_600) => (s / 3_600, "hour"),
        s if s >= 60 && s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Factor;
    use super::*;
    use crate::log::Level;

    fn condition(kind: Kind, seconds: u64) -> Condition {
        Condition { level: Some(Level::Error), text: None, kind, window: Duration::from_secs(seconds) }
    }

    fn telling(language: Language) -> Telling {
        Telling { language, zone: chrono_tz::Asia::Shanghai }
    }

    #[test]
    fn the_sentence_is_the_originals() {
        for (window, words) in [(600, "10 minutes"), (60, "1 minute"), (90, "90 seconds"), (7_200, "2 hours")] {
            let rule = condition(Kind::MoreThan(100), window);
            let said = rule.content(Observed::count(101), Ended::Now, telling(Language::En));
            assert_eq!(said, format!("101 error logs in the past {words}"));
        }
    }

    #[test]
    fn every_kind_has_its_sentence_in_both_languages() {
        let end = Ended::At("2026-11-23T04:10:00Z".parse().unwrap());
        let factor = Factor::from_hundredths(250).unwrap();
        let multiple = condition(Kind::Multiple { factor, threshold: 10 }, 600);
        let observed = Observed { count: 120, day_before: 40, first: None };
        assert_eq!(
            multiple.content(observed, end, telling(Language::En)),
            "120 error logs in the 10 minutes up to 2026-11-23 12:10 CST, over 2.5 times the 40 of the day before"
        );
        assert_eq!(
            multiple.content(observed, end, telling(Language::ZhCn)),
            "截至 2026-11-23 12:10 CST 的 10 分钟内有 120 条 ERROR 日志，超过前一天同一时段 40 条的 2.5 倍"
        );
        let quiet = Condition { level: None, ..condition(Kind::Silence, 1_800) };
        assert_eq!(
            quiet.content(Observed::default(), Ended::Now, telling(Language::En)),
            "no logs in the past 30 minutes"
        );
        assert_eq!(quiet.content(Observed::default(), Ended::Now, telling(Language::ZhCn)), "过去 30 分钟内没有日志");
        let text = Condition { text: Some("支付超时".to_owned()), ..condition(Kind::MoreThan(1), 60) };
        assert_eq!(
            text.content(Observed::count(2), Ended::Now, telling(Language::ZhCn)),
            "过去 1 分钟内有 2 条含“支付超时”的 ERROR 日志"
        );
        assert_eq!(
            text.content(Observed::count(2), Ended::Now, telling(Language::En)),
            "2 error logs with \"支付超时\" in the past 1 minute"
        );
    }

    #[test]
    fn the_query_has_absolute_times_and_is_escaped() {
        let window = "2026-11-23T04:00:00Z".parse().unwrap().."2026-11-23T04:10:00Z".parse().unwrap();
        let rule = Condition { text: Some("a & b".to_owned()), ..condition(Kind::MoreThan(1), 600) };
        assert_eq!(
            rule.query(AppId(7), &window),
            "/api/logs/?app=7&level=ERROR&since=2026-11-23T04%3A00%3A00Z&until=2026-11-23T04%3A10%3A00Z&q=a+%26+b"
        );
    }
}
