//! What all forms of a report say alike: numbers, changes and headings, in either language.

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;

use super::{CountsChange, Report, ReportedAlert, ReportedApp};
use crate::language::Language;
use crate::log::Level;
use crate::summary::LevelCounts;

/// The words for a report.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) report: &'a Report,
    pub(super) language: Language,
}

impl<'a> Words<'a> {
    pub(super) fn say<'t>(&self, english: &'t str, chinese: &'t str) -> &'t str {
        match self.language {
            Language::En => english,
            Language::ZhCn => chinese,
        }
    }

    fn form(&self, english: String, chinese: String) -> String {
        match self.language {
            Language::En => english,
            Language::ZhCn => chinese,
        }
    }

    pub(super) fn title(&self) -> String {
        let date = self.report.date;
        let whose = match &self.report.owner {
            Some(owner) => owner.as_str(),
            None => self.say("all apps", "全部应用"),
        };
        match self.report.revision {
            1 => format!("[{}] {date} · {whose}", self.say("Daily report", "日报")),
            n => self.form(
                format!("[Daily report, revision {n}] {date} · {whose}"),
                format!("[日报 第 {n} 版] {date} · {whose}"),
            ),
        }
    }

    /// Which day it is, and how long where that is not 24 hours.
    pub(super) fn day(&self) -> String {
        let Report { date, zone, .. } = self.report;
        let hours = (self.report.until - self.report.since).num_hours();
        let weekday = match self.language {
            Language::En => date.format("%A").to_string(),
            Language::ZhCn => format!("星期{}", chinese_weekday(chrono::Datelike::weekday(date))),
        };
        let length = if hours == 24 {
            String::new()
        } else {
            self.form(format!(", a day of {hours} hours"), format!("，全天 {hours} 小时"))
        };
        self.form(format!("{weekday}, {date} in {zone}{length}."), format!("{date} {weekday}（{zone}{length}）。"))
    }

    /// The day before, and the same weekday of the week before.
    pub(super) fn compared_with(&self) -> [String; 2] {
        [1, 7].map(|days| {
            self.report.date.checked_sub_days(Days::new(days)).map(|date| date.to_string()).unwrap_or_default()
        })
    }

    pub(super) fn no_logs(&self) -> &'static str {
        match self.language {
            Language::En => "There were no logs on this day.",
            Language::ZhCn => "这一天没有任何日志。",
        }
    }

    /// `ERROR 1,204 (+12, +1%; new)`: the number, then what it is to the two days.
    pub(super) fn figure(&self, level: Level, now: u64, before: [Option<u64>; 2]) -> String {
        let [day, week] = before.map(|before| self.change(now, before));
        let (gap, level, number) = (self.say("; ", "；"), level.as_str(), number(now));
        self.form(format!("{level} {number} ({day}{gap}{week})"), format!("{level} {number}（{day}{gap}{week}）"))
    }

    /// What a number is to one of another day: `+12 (+13%)`, `new` where there was nothing, a dash where nothing is known.
    pub(super) fn change(&self, now: u64, before: Option<u64>) -> String {
        let Some(before) = before else { return "–".to_owned() };
        let (sign, difference) = if now >= before { ("+", now - before) } else { ("−", before - now) };
        match (now, before) {
            _ if difference == 0 => "±0".to_owned(),
            (now, 0) => self.form(format!("+{}, new", number(now)), format!("+{}，新增", number(now))),
            _ => {
                // Rounded half up; a change that is less than half a percent is still one.
                let percent = (u128::from(difference) * 200 + u128::from(before)) / (u128::from(before) * 2);
                let percent = if percent == 0 { "<1".to_owned() } else { format!("{sign}{percent}") };
                let comma = self.say(", ", "，");
                format!("{sign}{}{comma}{percent}%", number(difference))
            }
        }
    }

    /// How an app's numbers changed since the revision before: `ERROR 1 → 2, INFO 5 → 7`.
    pub(super) fn correction(&self, change: &CountsChange) -> String {
        let differs = Level::ALL.into_iter().rev().filter(|level| change.before.of(*level) != change.after.of(*level));
        let one = |level: Level| {
            format!("{} {} → {}", level.as_str(), number(change.before.of(level)), number(change.after.of(level)))
        };
        differs.map(one).collect::<Vec<_>>().join(self.say(", ", "，"))
    }

    /// How far the patterns are to be trusted.
    pub(super) fn looked_at(&self) -> Option<String> {
        let (seen, all) = (self.report.errors_looked_at, self.report.total.counts.error);
        (seen < all).then(|| {
            let (seen, all) = (number(seen), number(all));
            self.form(
                format!("From the newest {seen} of {all} errors, so the numbers are approximate."),
                format!("只统计了 {all} 条错误中最新的 {seen} 条，数字为近似值。"),
            )
        })
    }

    pub(super) fn silent(&self, week_count: u64) -> String {
        let count = number(week_count);
        self.form(format!("no logs; {count} in the seven days before"), format!("没有日志；此前七天有 {count} 条"))
    }

    pub(super) fn alert(&self, alert: &ReportedAlert) -> String {
        let ReportedAlert { app, severity, content, .. } = alert;
        let since = self.time(alert.opened_at);
        self.form(
            format!("{}, {severity}, since {since}: {content}", app.name),
            format!("{}，{}，始于 {since}：{content}", app.name, chinese_severity(severity)),
        )
    }

    pub(super) fn and_more(&self, count: usize) -> String {
        self.form(format!("and {count} more"), format!("另有 {count} 项"))
    }

    /// That there are more open alerts than the `named` ones, if there are.
    pub(super) fn more_alerts(&self, named: usize) -> Option<String> {
        let all = usize::try_from(self.report.alerts.count).unwrap_or(usize::MAX);
        all.checked_sub(named).filter(|rest| *rest > 0).map(|rest| self.and_more(rest))
    }

    /// An app with who answers for it.
    pub(super) fn whose(&self, app: &ReportedApp) -> String {
        let ReportedApp { name, owner, .. } = app;
        self.form(format!("{name} ({owner})"), format!("{name}（{owner}）"))
    }

    /// What stands between the name of a thing and what is said of it.
    pub(super) fn colon(&self) -> &'static str {
        self.say(": ", "：")
    }

    fn time(&self, time: DateTime<Utc>) -> String {
        let zone: Tz = self.report.zone.parse().unwrap_or(Tz::UTC);
        time.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
    }
}

/// The three numbers of a level: on the day, and on the two that it is compared with.
pub(super) fn three(figures: &super::Figures, level: Level) -> (u64, [Option<u64>; 2]) {
    let of = |counts: Option<LevelCounts>| counts.map(|counts| counts.of(level));
    (figures.counts.of(level), [of(figures.day_before), of(figures.week_before)])
}

/// With commas between the thousands.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn chinese_severity(name: &str) -> &str {
    match name {
        "info" => "提示",
        "warning" => "警告",
        "critical" => "严重",
        other => other,
    }
}

fn chinese_weekday(day: chrono::Weekday) -> char {
    use chrono::Weekday::{Fri, Mon, Sat, Sun, Thu, Tue, Wed};
    match day {
        Mon => '一',
        Tue => '二',
        Wed => '三',
        Thu => '四',
        Fri => '五',
        Sat => '六',
        Sun => '日',
    }
}
