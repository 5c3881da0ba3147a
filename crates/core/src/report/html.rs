//! A report as HTML for mail and for a page of its own: every style inline, no script, no picture, nothing from elsewhere.

use super::words::{Words, number, three};
use super::{AppFigures, Report};
use crate::language::Language;
use crate::log::Level;
use crate::summary::LevelCounts;

/// How many apps the table of a mail shows: with more, mail programs would cut it off (Gmail at 102 kB).
const MAIL_APPS_MAX: usize = 40;
/// How many apps that of a page shows.
const PAGE_APPS_MAX: usize = 1_000;
/// How many lines every other list shows.
const LINES_MAX: usize = 50;

const BODY: &str = "margin:0;padding:16px;max-width:760px;font:14px/1.5 -apple-system,'Segoe UI','PingFang SC','Microsoft YaHei',sans-serif;color:#1f2328;background:#ffffff";
const H1: &str = "font-size:18px;margin:0 0 4px";
const H2: &str = "font-size:15px;margin:20px 0 6px";
const TABLE: &str = "border-collapse:collapse;width:100%";
const HEAD: &str = "text-align:right;padding:4px 8px;border-bottom:2px solid #d0d7de;font-weight:600";
const CELL: &str = "text-align:right;padding:4px 8px;border-bottom:1px solid #d0d7de;white-space:nowrap";
const FIRST: &str = "text-align:left;padding:4px 8px;border-bottom:1px solid #d0d7de";
const MUTED: &str = "color:#59636e";
const CODE: &str = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px;overflow-wrap:anywhere";
const LIST: &str = "margin:0;padding-left:20px";

/// Where HTML is shown.
#[derive(Debug, Clone, Copy)]
pub enum Shown<'a> {
    /// In a mail, with the address of the page if there is one.
    InMail(Option<&'a str>),
    /// As a page of its own.
    AsPage,
}

/// A report as HTML. What was logged and named is shown as text, whatever it holds.
pub fn html(report: &Report, language: Language, shown: Shown<'_>) -> String {
    let (apps_max, link) = match shown {
        Shown::InMail(link) => (MAIL_APPS_MAX, link),
        Shown::AsPage => (PAGE_APPS_MAX, None),
    };
    let words = Words { report, language };
    let (lang, colon) = (words.say("en", "zh-CN"), words.colon());
    let title = escape(&words.title());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title></head>\n\
         <body style=\"{BODY}\">\n<h1 style=\"{H1}\">{title}</h1>\n<p style=\"margin:0;{MUTED}\">{}</p>\n",
        escape(&words.day())
    );
    let changes = report
        .changes
        .iter()
        .map(|change| format!("<b>{}</b>{colon}{}", escape(&change.app.name), escape(&words.correction(change))));
    list(
        &mut page,
        words,
        words.say("Logs that came late changed", "迟到的日志改变了这些数字"),
        &changes.collect::<Vec<_>>(),
    );
    if report.total.counts.total() == 0 {
        page.push_str(&format!("<p><b>{}</b></p>\n", words.no_logs()));
    }
    levels(&mut page, words);
    apps(&mut page, words, apps_max);
    let silent = report.silent.iter().map(|silent| {
        format!("<b>{}</b>{colon}{}", escape(&silent.app.name), escape(&words.silent(silent.week_count)))
    });
    list(&mut page, words, words.say("Fell silent", "停止上报"), &silent.collect::<Vec<_>>());
    let patterns = report.patterns.iter().map(|found| {
        let (count, app) = (number(found.count), escape(&found.app.name));
        let (pattern, sample) = (escape(&found.pattern), escape(&found.sample));
        format!(
            "{count} × <b>{app}</b>{colon}<span style=\"{CODE}\">{pattern}</span><br><span style=\"{MUTED};{CODE}\">{sample}</span>"
        )
    });
    list(&mut page, words, words.say("Most frequent errors", "最多的错误"), &patterns.collect::<Vec<_>>());
    if let Some(note) = words.looked_at().filter(|_| !report.patterns.is_empty()) {
        page.push_str(&format!("<p style=\"{MUTED}\">{}</p>\n", escape(&note)));
    }
    let heading = format!("{}{}", words.say("Open alerts: ", "未解决的告警："), number(report.alerts.count));
    let newest = report.alerts.newest.iter().map(|alert| escape(&words.alert(alert)));
    let alerts: Vec<String> = newest.chain(words.more_alerts(report.alerts.newest.len())).collect();
    if alerts.is_empty() {
        page.push_str(&format!("<h2 style=\"{H2}\">{heading}</h2>\n"));
    }
    list(&mut page, words, &heading, &alerts);
    if let Some(link) = link {
        let text = words.say("Read it in LogMon", "在 LogMon 中查看");
        page.push_str(&format!("<p style=\"margin-top:20px\"><a href=\"{}\">{text}</a></p>\n", escape(link)));
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// The numbers of all apps, a row a level.
fn levels(page: &mut String, words: Words<'_>) {
    let [day, week] = words.compared_with();
    let heading = words.say("All logs", "日志总数");
    page.push_str(&format!("<h2 style=\"{H2}\">{heading}</h2>\n<table style=\"{TABLE}\">\n"));
    let to = |date: &str| match words.language {
        Language::En => format!("to {date}"),
        Language::ZhCn => format!("与 {date} 相比"),
    };
    row(page, "th", HEAD, &["".to_owned(), words.say("logs", "条数").to_owned(), to(&day), to(&week)]);
    for level in Level::ALL.into_iter().rev() {
        let (now, before) = three(&words.report.total, level);
        let [to_day, to_week] = before.map(|before| words.change(now, before));
        row(page, "td", CELL, &[level.as_str().to_owned(), number(now), to_day, to_week]);
    }
    page.push_str("</table>\n");
}

/// The numbers of each app, a row an app; those that do not fit are summed up in the last one.
fn apps(page: &mut String, words: Words<'_>, most: usize) {
    let report = words.report;
    if report.apps.is_empty() {
        return;
    }
    let [day, week] = words.compared_with();
    let heading = words.say("By app", "各应用");
    page.push_str(&format!("<h2 style=\"{H2}\">{heading}</h2>\n<table style=\"{TABLE}\">\n"));
    let titles = [words.say("app", "应用"), "ERROR", &day, &week, "WARN", "INFO"].map(str::to_owned);
    row(page, "th", HEAD, &titles);
    let (shown, rest) = report.apps.split_at(report.apps.len().min(most));
    for AppFigures { app, figures } in shown {
        let (errors, before) = three(figures, Level::Error);
        let [to_day, to_week] = before.map(|before| words.change(errors, before));
        let name = words.whose(app);
        let counts = figures.counts;
        row(page, "td", CELL, &[name, number(errors), to_day, to_week, number(counts.warn), number(counts.info)]);
    }
    if !rest.is_empty() {
        let sum = rest.iter().fold(LevelCounts::default(), |sum, app| sum.plus(&app.figures.counts));
        let name = words.and_more(rest.len());
        let empty = String::new;
        row(page, "td", CELL, &[name, number(sum.error), empty(), empty(), number(sum.warn), number(sum.info)]);
    }
    page.push_str("</table>\n");
}

/// A row whose first cell is aligned to the left.
fn row(page: &mut String, tag: &str, style: &str, cells: &[String]) {
    page.push_str("<tr>");
    for (place, cell) in cells.iter().enumerate() {
        let style = match (place, tag) {
            (0, "td") => FIRST.to_owned(),
            (0, _) => format!("{style};text-align:left"),
            _ => style.to_owned(),
        };
        page.push_str(&format!("<{tag} style=\"{style}\">{}</{tag}>", escape(cell)));
    }
    page.push_str("</tr>\n");
}

/// A heading with a list below, if there is anything in it. The items are HTML.
fn list(page: &mut String, words: Words<'_>, heading: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    page.push_str(&format!("<h2 style=\"{H2}\">{heading}</h2>\n<ul style=\"{LIST}\">\n"));
    let rest = items.len().saturating_sub(LINES_MAX);
    for item in items.iter().take(LINES_MAX) {
        page.push_str(&format!("<li>{item}</li>\n"));
    }
    if rest > 0 {
        page.push_str(&format!("<li>{}</li>\n", words.and_more(rest)));
    }
    page.push_str("</ul>\n");
}

/// As text on one line within HTML or an attribute in double quotes.
fn escape(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
