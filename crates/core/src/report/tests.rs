//! What a report says, against texts that were read by eye: `tests/data/report*`.

use std::collections::HashMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::words::{Words, number};
use super::*;
use crate::app::App;
use crate::language::Language;
use crate::notification::Pattern;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn counts(info: u64, warn: u64, error: u64) -> LevelCounts {
    LevelCounts { info, warn, error }
}

fn app(id: i64, name: &str, owner: &str) -> App {
    App { id: AppId(id), name: name.to_owned(), owner: owner.to_owned(), created_at: at("2026-01-01T00:00:00Z") }
}

fn pattern(pattern: &str, count: u64, sample: &str) -> Pattern {
    Pattern { pattern: pattern.to_owned(), count, sample: sample.to_owned() }
}

/// Four apps on a day of 25 hours: one as ever, one new, one that fell silent, one that never says anything. Names and logs are
/// as hostile as they may be.
fn material() -> Material {
    let apps = vec![
        app(1, "支付 <b>", "li & co"),
        app(2, "new\nshop", "wang"),
        app(3, "cron", "li & co"),
        app(4, "idle", "wang"),
    ];
    let summaries = [
        ("2026-10-18", vec![(1, counts(2_000, 10, 1_000)), (3, counts(5, 0, 0))]),
        ("2026-10-22", vec![(3, counts(1_440, 0, 0))]),
        ("2026-10-24", vec![(1, counts(1_000, 30, 3)), (2, counts(0, 0, 0))]),
        ("2026-10-25", vec![(1, counts(1_234_567, 27, 1_003)), (2, counts(40, 0, 1)), (3, counts(0, 0, 0))]),
    ];
    let day = |(day, apps): (&str, Vec<(i64, LevelCounts)>)| {
        (date(day), apps.into_iter().map(|(id, counts)| (AppId(id), counts)).collect::<HashMap<_, _>>())
    };
    let failed = pattern(
        "<a href=x onmouseover=alert(<n>)> failed",
        990,
        "<a href=x onmouseover=alert(1)> failed\r\nBcc: everybody@example.com",
    );
    let alert = ReportedAlert {
        id: AlertId(9),
        app: ReportedApp::from(&apps[0]),
        content: "101 error logs in the past 10 minutes".to_owned(),
        severity: "critical".to_owned(),
        opened_at: at("2026-10-25T07:20:00Z"),
    };
    Material {
        summaries: summaries.into_iter().map(day).collect(),
        patterns: vec![
            (AppId(2), vec![pattern("card <n> refused", 1, "card 17 refused")]),
            (AppId(1), vec![failed, pattern("超时 <n> 秒", 10, "超时 30 秒")]),
        ],
        errors_looked_at: 1_001,
        alerts: OpenAlerts { count: 21, newest: vec![alert] },
        apps,
    }
}

fn day() -> Day {
    Day { date: date("2026-10-25"), zone: Tz::Europe__Berlin }
}

fn report() -> Report {
    compose(day(), &Scope::All, material(), None)
}

fn revision() -> Report {
    let mut late = material();
    let today = late.summaries.get_mut(&date("2026-10-25")).unwrap();
    today.insert(AppId(2), counts(41, 0, 3));
    today.insert(AppId(3), counts(7, 0, 0));
    compose(day(), &Scope::All, late, Some(&report()))
}

/// Compares with what was read; with `BLESS=1` it is written anew, to be read again.
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    if option_env!("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, known, "{name}");
}

#[test]
fn reports_read_as_they_were_read_by_eye() {
    let link = Some("https://logmon.example/api/reports/7/?a=1&b=\"");
    for (language, name) in [(Language::En, "en"), (Language::ZhCn, "zh-CN")] {
        golden(&format!("report.{name}.txt"), &text(&report(), language, link));
        golden(&format!("report.{name}.html"), &html(&report(), language, Shown::InMail(link)));
        golden(&format!("report_revision.{name}.txt"), &text(&revision(), language, None));
        golden(&format!("report_chat.{name}.txt"), &lines(&revision(), language).join("\n"));
    }
}

#[test]
fn what_was_logged_is_text_and_nothing_else() {
    for report in [report(), revision()] {
        let page = html(&report, Language::En, Shown::InMail(None));
        assert!(!page.contains("<a ") && !page.contains("支付 <b>") && page.contains("支付 &lt;b&gt;"), "{page}");
        let text = text(&report, Language::En, None);
        assert!(!text.contains("\nBcc:") && !text.contains("new\nshop"), "{text}");
        assert!(!title(&report, Language::En).contains('\n'));
    }
    let owner = Scope::Owner("a\r\nBcc: b <c>".to_owned());
    let title = title(&compose(day(), &owner, Material::default(), None), Language::ZhCn);
    assert_eq!(title, "[日报] 2026-10-25 · a  Bcc: b <c>");
}

#[test]
fn a_revision_says_what_changed_and_of_nothing_else() {
    let revised = revision();
    let changed: Vec<_> = revised.changes.iter().map(|change| (change.app.id.0, change.before, change.after)).collect();
    assert_eq!(revised.revision, 2);
    assert_eq!(changed, [(2, counts(40, 0, 1), counts(41, 0, 3)), (3, counts(0, 0, 0), counts(7, 0, 0))]);
    assert!(revised.silent.is_empty(), "{:?}", revised.silent);
    assert_eq!(compose(day(), &Scope::All, material(), Some(&report())).changes, []);
}

#[test]
fn a_day_without_logs_is_reported_as_one() {
    let mut quiet = material();
    quiet.summaries.insert(date("2026-10-25"), HashMap::new());
    quiet.patterns = Vec::new();
    quiet.errors_looked_at = 0;
    let report = compose(day(), &Scope::All, quiet, None);
    assert_eq!(
        report.silent.iter().map(|app| (app.app.id.0, app.week_count)).collect::<Vec<_>>(),
        [(1, 4_043), (3, 1_445)]
    );
    for (language, said) in [(Language::En, "There were no logs"), (Language::ZhCn, "没有任何日志")] {
        assert!(text(&report, language, None).contains(said));
        assert!(html(&report, language, Shown::InMail(None)).contains(said));
    }
}

#[test]
fn a_large_report_stays_within_what_mail_programs_show() {
    let mut many = material();
    many.apps = (0..2_000).map(|id| app(id, &"<&".repeat(50), &"\"".repeat(100))).collect();
    let all = (0..2_000).map(|id| (AppId(id), counts(1, 1, 1))).collect::<HashMap<_, _>>();
    many.summaries = [(date("2026-10-25"), all)].into();
    many.patterns = vec![(AppId(1), (0..50).map(|n| pattern(&"<".repeat(500), n, &"<".repeat(500))).collect())];
    let report = compose(day(), &Scope::All, many, None);
    assert_eq!((report.apps.len(), report.patterns.len()), (2_000, 10));
    assert_eq!(report.total.counts, counts(2_000, 2_000, 2_000));
    let page = html(&report, Language::En, Shown::InMail(None));
    assert!(page.len() < 102_000, "{}", page.len());
    assert!(page.contains("and 1960 more"), "what does not fit is summed up");
    assert!(!html(&report, Language::En, Shown::AsPage).contains("and 1960 more"), "a page shows more of them");
    let said = lines(&report, Language::En);
    assert!(said.iter().map(String::len).sum::<usize>() < 6_000, "{said:?}");
}

#[test]
fn changes_are_absolute_and_relative() {
    let report = report();
    let words = |language| Words { report: &report, language };
    for (now, before, said) in [
        (5, None, "–"),
        (0, Some(0), "±0"),
        (12, Some(0), "+12, new"),
        (3, Some(4), "−1, −25%"),
        (0, Some(4), "−4, −100%"),
        (1_204, Some(1_192), "+12, +1%"),
        (1_001, Some(1_000), "+1, <1%"),
        (3_000_000, Some(1), "+2,999,999, +299999900%"),
        (u64::MAX, Some(1), "+18,446,744,073,709,551,614, +1844674407370955161400%"),
    ] {
        assert_eq!(words(Language::En).change(now, before), said);
    }
    assert_eq!(words(Language::ZhCn).change(12, Some(0)), "+12，新增");
    assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn a_report_reads_back_as_it_was_kept() {
    for report in [report(), revision()] {
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
