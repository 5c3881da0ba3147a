//! A report as plain text: the whole of it for mail, and the most important lines for a chat.

use super::words::{Words, number, three};
use super::{AppFigures, Report};
use crate::language::Language;
use crate::log::Level;

/// How much of a report is said.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    apps: usize,
    patterns: usize,
    others: usize,
    line_chars: usize,
}

/// For mail: what is more is in the report itself.
const WHOLE: Bounds = Bounds { apps: 100, patterns: 10, others: 50, line_chars: 300 };
/// For a chat, whose messages are small.
const SHORT: Bounds = Bounds { apps: 10, patterns: 5, others: 5, line_chars: 120 };

/// The title of a report: one line.
pub(crate) fn title(report: &Report, language: Language) -> String {
    one_line(&Words { report, language }.title(), 200)
}

/// A report as text without markup, with a link where there is more to see. What apps logged and what people named is on one line
/// each.
pub fn text(report: &Report, language: Language, link: Option<&str>) -> String {
    let mut text = title(report, language) + "\n\n";
    for line in say(report, language, WHOLE) {
        text.push_str(&line);
        text.push('\n');
    }
    if let Some(link) = link {
        let words = Words { report, language };
        let said = words.say("Read it in LogMon", "在 LogMon 中查看");
        text.push_str(&format!("\n{said}{}{link}\n", words.colon()));
    }
    text
}

/// The lines of a report below its title, for a chat.
pub(crate) fn lines(report: &Report, language: Language) -> Vec<String> {
    say(report, language, SHORT).into_iter().filter(|line| !line.is_empty()).collect()
}

fn say(report: &Report, language: Language, bounds: Bounds) -> Vec<String> {
    let words = Words { report, language };
    let colon = words.colon();
    let mut said = vec![words.day()];
    if !report.changes.is_empty() {
        let heading = words.say("Logs that came late changed:", "迟到的日志改变了这些数字：");
        let changes =
            report.changes.iter().map(|change| format!("{}{colon}{}", change.app.name, words.correction(change)));
        section(&mut said, words, heading, changes.collect(), bounds.others, bounds);
    }
    said.push(String::new());
    if report.total.counts.total() == 0 {
        said.push(words.no_logs().to_owned());
    }
    let [day, week] = words.compared_with();
    said.push(match language {
        Language::En => format!("All logs, and the change to {day} and to {week}:"),
        Language::ZhCn => format!("日志总数，以及与 {day}、{week} 相比的变化："),
    });
    for level in Level::ALL.into_iter().rev() {
        let (now, before) = three(&report.total, level);
        said.push(format!("- {}", words.figure(level, now, before)));
    }
    let apps = report.apps.iter().map(|app| of_app(words, app)).collect();
    section(&mut said, words, words.say("By app:", "各应用："), apps, bounds.apps, bounds);
    let silent =
        report.silent.iter().map(|silent| format!("{}{colon}{}", silent.app.name, words.silent(silent.week_count)));
    section(&mut said, words, words.say("Fell silent:", "停止上报："), silent.collect(), bounds.others, bounds);
    let patterns = report
        .patterns
        .iter()
        .map(|found| format!("{} × {}{colon}{}", number(found.count), found.app.name, found.sample));
    section(
        &mut said,
        words,
        words.say("Most frequent errors:", "最多的错误："),
        patterns.collect(),
        bounds.patterns,
        bounds,
    );
    said.extend(words.looked_at().filter(|_| !report.patterns.is_empty()));
    let newest = report.alerts.newest.iter().map(|alert| words.alert(alert)).take(bounds.others);
    let mut alerts: Vec<String> = newest.collect();
    alerts.extend(words.more_alerts(alerts.len()));
    let heading = match language {
        Language::En => format!("Open alerts: {}", number(report.alerts.count)),
        Language::ZhCn => format!("未解决的告警：{}", number(report.alerts.count)),
    };
    if alerts.is_empty() {
        said.extend([String::new(), heading]);
    } else {
        section(&mut said, words, &heading, alerts, bounds.others + 1, bounds);
    }
    said
}

/// A heading with at most so many lines, if there are any.
fn section(said: &mut Vec<String>, words: Words<'_>, heading: &str, lines: Vec<String>, most: usize, bounds: Bounds) {
    if lines.is_empty() {
        return;
    }
    said.extend([String::new(), heading.to_owned()]);
    let rest = lines.len().saturating_sub(most);
    said.extend(lines.into_iter().take(most).map(|line| format!("- {}", one_line(&line, bounds.line_chars))));
    if rest > 0 {
        said.push(format!("- {}", words.and_more(rest)));
    }
}

fn of_app(words: Words<'_>, app: &AppFigures) -> String {
    let (errors, before) = three(&app.figures, Level::Error);
    let counts = app.figures.counts;
    let (warn, info) = (number(counts.warn), number(counts.info));
    let comma = words.say(", ", "，");
    format!(
        "{}{}{}{comma}WARN {warn}{comma}INFO {info}",
        words.whose(&app.app),
        words.colon(),
        words.figure(Level::Error, errors, before)
    )
}

/// On one line, without control characters, and with at most `max` characters.
fn one_line(text: &str, max: usize) -> String {
    let mut clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let short: String = clean.by_ref().take(max).collect();
    if clean.next().is_some() { format!("{short}…") } else { short }
}
