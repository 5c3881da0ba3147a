//! What happened, in words: a title, lines of text and a link, which each kind of channel dresses as it needs.
//!
//! The lines hold what apps logged, which must not become markup, a link or a mention.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::event::{Digest, EventKind, Notification, Payload};
use super::report::ReportNotice;
use super::template::{Template, TemplateError};
use crate::language::Language;
use crate::report;

/// A message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// The rest, line by line.
    pub lines: Vec<String>,
    /// Where there is more to see.
    pub link: Option<Link>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is shown.
    pub text: String,
    /// Where it leads.
    pub url: String,
}

/// How messages are worded.
#[derive(Debug, Clone)]
pub struct Wording {
    /// The language.
    pub language: Language,
    /// The zone that times are shown in.
    pub zone: Tz,
    /// Where people find this server: without it there are no links.
    pub public_url: Option<String>,
}

/// The longest title, in characters.
const TITLE_MAX: usize = 200;
/// The longest line made of something that was logged, in characters.
const LINE_MAX: usize = 300;
/// How many events of a digest are told one by one.
const EVENTS_MAX: usize = 10;

impl Message {
    /// Says what happened, in the words of the template where there is one.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn of(payload: &Payload, wording: &Wording, template: Option<&Template>) -> Result<Self, TemplateError> {
        match (payload, template) {
            (Payload::One(event), None) => Ok(wording.event(event)),
            (Payload::One(event), Some(template)) => template.fill(event, wording.event(event)),
            (Payload::Many(digest), template) => wording.digest(digest, template),
            (Payload::Report(notice), _) => Ok(wording.report(notice)),
        }
    }
}

impl Wording {
    fn event(&self, event: &Notification) -> Message {
        let mut lines = vec![shorten(&event.alert.content, LINE_MAX * 3)];
        if event.event != EventKind::Test {
            lines.push(self.window(event));
        }
        if event.alert.is_late {
            lines.push(self.say("Logs that came late raised it.", "由迟到的日志触发。").to_owned());
        }
        if let Some(line) = self.deed(event) {
            lines.push(line);
        }
        for found in &event.samples {
            lines.push(format!("{} × {}", found.count, shorten(&found.sample, LINE_MAX)));
        }
        let link = self.public_url.as_ref().map(|url| Link {
            text: self.say("Show the logs", "查看日志").to_owned(),
            url: format!("{}{}", url.trim_end_matches('/'), event.query),
        });
        Message { title: self.title(event), lines, link }
    }

    fn title(&self, event: &Notification) -> String {
        one_line(&format!("[{}] {} · {}", self.what(event.event), event.app.name, event.rule.name))
    }

    fn what(&self, event: EventKind) -> &'static str {
        match event {
            EventKind::Opened => self.say("Alert", "告警"),
            EventKind::Acknowledged => self.say("Acknowledged", "已确认"),
            EventKind::Resolved => self.say("Resolved", "已解决"),
            EventKind::Reopened => self.say("Reopened", "重新打开"),
            EventKind::Repeated => self.say("Still open", "仍未解决"),
            EventKind::Flapping => self.say("Flapping", "状态抖动"),
            EventKind::Test => self.say("Test", "测试"),
        }
    }

    fn window(&self, event: &Notification) -> String {
        let window = &event.window;
        let (start, end) = (self.time(window.start), self.time(window.end));
        let (count, threshold) = (window.count, window.threshold);
        // A rule for every level names none.
        let level = if event.rule.level.is_empty() { String::new() } else { format!("{} ", event.rule.level) };
        match self.language {
            Language::En => format!("{count} {level}logs, {threshold} allowed: {start} to {end} ({})", self.zone),
            Language::ZhCn => format!("{level}日志 {count} 条，阈值 {threshold}：{start} 至 {end}（{}）", self.zone),
        }
    }

    /// Who did it, and what they wrote.
    fn deed(&self, event: &Notification) -> Option<String> {
        let note = event.note.as_deref().filter(|note| !note.is_empty());
        let actor = event.actor.as_deref().filter(|actor| !actor.is_empty());
        let line = match (actor, note) {
            (None, None) => return None,
            (Some(actor), None) => format!("{}{actor}", self.say("By ", "操作人：")),
            (None, Some(note)) => note.to_owned(),
            (Some(actor), Some(note)) => format!("{actor}{}{note}", self.say(": ", "：")),
        };
        Some(shorten(&line, LINE_MAX))
    }

    /// Several events, each on a line, and in the words of the template where there is one.
    fn digest(&self, digest: &Digest, template: Option<&Template>) -> Result<Message, TemplateError> {
        let count = digest.count;
        let line = |event: &Notification| {
            let own = self.event(event);
            let brief = Message { lines: vec![shorten(&event.alert.content, LINE_MAX)], ..own };
            let told = match template {
                Some(template) => template.fill(event, brief)?,
                None => brief,
            };
            Ok(format!("{}{}{}", told.title, self.say(": ", "："), shorten(&told.lines.join(" "), LINE_MAX)))
        };
        let mut lines = digest.events.iter().take(EVENTS_MAX).map(line).collect::<Result<Vec<_>, _>>()?;
        let rest = count.saturating_sub(lines.len().try_into().unwrap_or(u64::MAX));
        if rest > 0 {
            lines.push(match self.language {
                Language::En => format!("and {rest} more"),
                Language::ZhCn => format!("另有 {rest} 条"),
            });
        }
        let link = self.public_url.as_ref().map(|url| Link {
            text: self.say("Show the alerts", "查看告警").to_owned(),
            url: format!("{}/api/alerts/", url.trim_end_matches('/')),
        });
        Ok(Message { title: self.title_of_many(digest), lines, link })
    }

    /// What has happened so many times, and to which apps.
    fn title_of_many(&self, digest: &Digest) -> String {
        let count = digest.count;
        let mut apps: Vec<&str> = Vec::new();
        for event in &digest.events {
            if !apps.contains(&event.app.name.as_str()) {
                apps.push(&event.app.name);
            }
        }
        let apps = apps.join(self.say(", ", "、"));
        let first = digest.events.first().map(|event| event.event);
        match first.filter(|first| digest.events.iter().all(|event| event.event == *first)) {
            Some(kind) => one_line(&format!("[{} × {count}] {apps}", self.what(kind))),
            None => match self.language {
                Language::En => one_line(&format!("[{count} events] {apps}")),
                Language::ZhCn => one_line(&format!("[{count} 条通知] {apps}")),
            },
        }
    }

    /// In its subscriber's language.
    fn report(&self, notice: &ReportNotice) -> Message {
        let language = notice.language;
        let link = self.public_url.as_ref().map(|url| {
            let text = match language {
                Language::En => "Read the report",
                Language::ZhCn => "查看日报",
            };
            Link { text: text.to_owned(), url: notice.address(url) }
        });
        let (title, lines) = (report::title(&notice.report, language), report::lines(&notice.report, language));
        Message { title, lines, link }
    }

    fn time(&self, time: DateTime<Utc>) -> String {
        time.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn say<'a>(&self, english: &'a str, chinese: &'a str) -> &'a str {
        match self.language {
            Language::En => english,
            Language::ZhCn => chinese,
        }
    }
}

pub(super) fn one_line(text: &str) -> String {
    shorten(text, TITLE_MAX)
}

/// On one line, without control characters, and with at most `max` characters.
fn shorten(text: &str, max: usize) -> String {
    let mut clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let short: String = clean.by_ref().take(max).collect();
    if clean.next().is_some() { format!("{short}…") } else { short }
}

/// The message as Markdown of at most `max` bytes, its title first.
pub(super) fn markdown(message: &Message, break_: &str, escape: fn(&str) -> String, max: usize) -> String {
    let title = format!("**{}**{break_}", escape(&message.title));
    let room = max.saturating_sub(title.len());
    title + &markdown_below_title(message, break_, escape, room)
}

/// The lines and the link as Markdown of at most `max` bytes. The link is always whole.
pub(super) fn markdown_below_title(message: &Message, break_: &str, escape: fn(&str) -> String, max: usize) -> String {
    let link = message.link.as_ref().map(|link| format!("{break_}[{}]({})", link.text, link.url)).unwrap_or_default();
    let lines: Vec<String> = message.lines.iter().map(|line| escape(line)).collect();
    let mut text = lines.join(break_);
    cut_bytes(&mut text, max.saturating_sub(link.len()));
    text + &link
}

/// Cuts a text so that it has at most `max` bytes.
pub(super) fn cut_bytes(text: &mut String, max: usize) {
    const MARK: char = '…';
    if text.len() <= max {
        return;
    }
    let end = text.floor_char_boundary(max.saturating_sub(MARK.len_utf8()));
    text.truncate(end);
    text.push(MARK);
}

/// For Markdown without escapes: what would begin a tag or end a link's text does so no more.
pub(super) fn plain_brackets(text: &str) -> String {
    text.replace('<', "＜").replace("](", "] (")
}
