//! Tests of what each kind of channel is sent, against what the vendors document, and of what their answers mean.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::event::DigestKind;
use super::*;
use crate::alert::AlertId;
use crate::app::AppId;
use crate::language::Language;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn event(kind: EventKind) -> Notification {
    Notification {
        event_id: EventId(Uuid::from_u128(7)),
        event: kind,
        at: at("2025-11-24T16:00:01Z"),
        alert: AlertFacts {
            id: AlertId(5),
            content: "101 error logs in the past 10 minutes".to_owned(),
            severity: "critical".to_owned(),
            is_late: false,
            opened_at: at("2025-11-24T16:00:00Z"),
            resolved_at: None,
        },
        rule: RuleFacts { id: 1, name: "error-logs".to_owned(), level: "ERROR".to_owned() },
        app: AppFacts { id: AppId(2), name: "支付".to_owned(), owner: "ops".to_owned() },
        window: WindowFacts {
            start: at("2025-11-24T15:50:00Z"),
            end: at("2025-11-24T16:00:00Z"),
            count: 101,
            threshold: 100,
        },
        samples: vec![Pattern {
            pattern: "timeout after # ms".to_owned(),
            count: 90,
            sample: "timeout <at id=all></at> [here](https://evil.example) after 31 ms".to_owned(),
        }],
        query: "/api/logs/?app=2&level=ERROR".to_owned(),
        actor: None,
        note: None,
    }
}

fn wording(language: Language) -> Wording {
    Wording { language, zone: Tz::Asia__Shanghai, public_url: Some("https://logmon.example/".to_owned()) }
}

fn config(kind: ChannelKind, config: &Value) -> ChannelConfig {
    let raw = RawValue::from_string(config.to_string()).unwrap();
    ChannelConfig::parse(kind, &raw, None, Targets::Public).unwrap()
}

fn channel(config: ChannelConfig) -> Channel {
    let settings = NewChannel {
        name: "ops".to_owned(),
        config,
        enabled: true,
        rate_limit: None,
        group_wait: None,
        quiet_hours: None,
        repeat_after: None,
        template: None,
    };
    Channel { id: ChannelId(1), settings, created_at: at("2025-11-24T16:00:00Z") }
}

fn call(kind: ChannelKind, settings: &Value, payload: &Payload) -> (Call, Value) {
    let now = at("2025-11-24T16:00:00Z");
    match channel(config(kind, settings)).outgoing(payload, &wording(Language::En), now).unwrap() {
        Outgoing::Http(call) => {
            let body = serde_json::from_str(&call.body).unwrap();
            (call, body)
        }
        Outgoing::Mail(mail) => panic!("{mail:?}"),
    }
}

fn opened() -> Payload {
    Payload::One(Box::new(event(EventKind::Opened)))
}

#[test]
fn a_webhook_gets_the_event_with_a_signature_that_it_can_check() {
    let (call, body) =
        call(ChannelKind::Webhook, &json!({ "url": "https://hook.example/x?y=1", "secret": "s" }), &opened());
    assert_eq!(call.url, "https://hook.example/x?y=1");
    assert_eq!(body["event"], "alert.opened");
    assert_eq!(body["window"]["count"], 101);
    assert_eq!(body["alert"]["id"], 5);
    assert_eq!(body["app"]["name"], "支付");
    let header = |name| call.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!(header("X-LogMon-Event-Id"), body["event_id"]);
    assert_eq!(header("X-LogMon-Timestamp"), "1764000000");
    let signature = sign::hex("s", &format!("1764000000.{}", call.body));
    assert_eq!(header("X-LogMon-Signature"), format!("sha256={signature}"));
}

#[test]
fn a_receiver_for_alertmanager_gets_what_alertmanager_sends() {
    let settings = json!({ "url": "https://am.example/", "token": "t" });
    let resolved = Payload::One(Box::new(event(EventKind::Resolved)));
    let many = Digest {
        event_id: EventId(Uuid::nil()),
        event: DigestKind::Digest,
        count: 2,
        events: vec![event(EventKind::Opened), event(EventKind::Resolved)],
    };
    let (sent, body) = call(ChannelKind::Alertmanager, &settings, &opened());
    assert!(sent.headers.contains(&("Authorization", "Bearer t".to_owned())));
    assert_eq!(body["version"], "4");
    assert_eq!(body["status"], "firing");
    assert_eq!(body["receiver"], "ops");
    assert_eq!(body["groupLabels"], json!({ "alertname": "error-logs" }));
    assert_eq!(body["alerts"][0]["labels"]["severity"], "critical");
    assert_eq!(body["alerts"][0]["endsAt"], "0001-01-01T00:00:00Z");
    let (_, over) = call(ChannelKind::Alertmanager, &settings, &resolved);
    assert_eq!(over["status"], "resolved");
    assert_eq!(over["alerts"][0]["fingerprint"], body["alerts"][0]["fingerprint"]);
    let (_, both) = call(ChannelKind::Alertmanager, &settings, &Payload::Many(many));
    assert_eq!(both["alerts"].as_array().unwrap().len(), 2);
    assert_eq!(both["status"], "firing");
}

#[test]
fn the_robots_get_texts_in_which_nothing_logged_is_markup() {
    let dingtalk = json!({
        "url": "https://oapi.dingtalk.com/robot/send?access_token=x", "secret": "SECabc", "at_mobiles": ["138"],
    });
    let (sent, body) = call(ChannelKind::DingTalk, &dingtalk, &opened());
    assert_eq!(
        sent.url,
        "https://oapi.dingtalk.com/robot/send?access_token=x&timestamp=1764000000000&sign=8F5ULDNh1hE6T2sPwpYIemnezGkO4FDhG6ZdHq9jY%2Fc%3D"
    );
    let text = body["markdown"]["text"].as_str().unwrap();
    assert!(text.contains("@138") && body["at"]["atMobiles"] == json!(["138"]), "{body}");
    assert!(!text.contains("<at") && !text.contains("[here]("), "{text}");
    assert!(text.contains("](https://logmon.example/api/logs/?app=2&level=ERROR)"), "{text}");
    assert!(text.contains("2025-11-24 23:50:00 to 2025-11-25 00:00:00 (Asia/Shanghai)"), "{text}");

    let wecom = json!({ "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k", "mentioned": ["wang"] });
    let mut long = event(EventKind::Opened);
    long.alert.content = "长".repeat(5_000);
    long.samples = vec![Pattern { pattern: String::new(), count: 1, sample: "x".repeat(5_000) }; 30];
    let (_, body) = call(ChannelKind::WeCom, &wecom, &Payload::One(Box::new(long)));
    let text = body["markdown"]["content"].as_str().unwrap();
    assert!(text.len() <= 4_096 && text.ends_with("<@wang>"), "{} bytes", text.len());
    assert!(text.contains("](https://logmon.example/"), "a long text keeps its link");

    let feishu = json!({ "url": "https://open.feishu.cn/open-apis/bot/v2/hook/abc", "secret": "fs" });
    let (_, body) = call(ChannelKind::Feishu, &feishu, &opened());
    assert_eq!(body["timestamp"], "1764000000");
    assert_eq!(body["sign"], "robeL9eOf0LABLltJqCjk3dQGqvaxYpZL2NRmAn8sdk=");
    let text = body["card"]["elements"][0]["content"].as_str().unwrap();
    assert!(text.contains("&#60;at id=all&#62;") && !text.contains("<at"), "{text}");

    let slack = json!({ "url": "https://hooks.slack.com/services/T/B/x" });
    let (_, body) = call(ChannelKind::Slack, &slack, &opened());
    let text = body["blocks"][1]["text"]["text"].as_str().unwrap();
    assert!(text.contains("&lt;at id=all&gt;") && text.len() <= 3_000, "{text}");
}

#[test]
fn a_mail_says_the_same_as_text_and_as_html() {
    let mail = channel(config(ChannelKind::Email, &json!({ "to": ["a@example.com", "b@例子.中国"] })));
    let sent = mail.outgoing(&opened(), &wording(Language::ZhCn), at("2025-11-24T16:00:00Z")).unwrap();
    let Outgoing::Mail(mail) = sent else { panic!("{sent:?}") };
    assert_eq!(mail.subject, "[告警] 支付 · error-logs");
    assert!(mail.text.contains("ERROR 日志 101 条，阈值 100"), "{}", mail.text);
    assert!(mail.html.contains("&lt;at id=all&gt;") && !mail.html.contains("<at"), "{}", mail.html);
}

#[test]
fn what_a_receiver_answers_decides_whether_it_is_told_again() {
    let dingtalk = config(ChannelKind::DingTalk, &json!({ "url": "https://oapi.dingtalk.com/robot/send" }));
    let feishu = config(ChannelKind::Feishu, &json!({ "url": "https://open.feishu.cn/hook" }));
    let webhook = config(ChannelKind::Webhook, &json!({ "url": "https://hook.example/" }));
    let answer = |status, body: &str| Answer { status, retry_after: Some(Duration::ZERO), body: body.to_owned() };
    assert_eq!(webhook.verdict(&answer(204, "")), Verdict::Delivered);
    assert!(matches!(webhook.verdict(&answer(302, "")), Verdict::Refused(_)));
    assert!(matches!(webhook.verdict(&answer(404, "")), Verdict::Refused(_)));
    assert!(matches!(webhook.verdict(&answer(429, "")), Verdict::Retry(_)));
    assert!(matches!(webhook.verdict(&answer(503, "")), Verdict::Retry(_)));
    assert_eq!(dingtalk.verdict(&answer(200, r#"{"errcode":0,"errmsg":"ok"}"#)), Verdict::Delivered);
    assert!(matches!(
        dingtalk.verdict(&answer(200, r#"{"errcode":130101,"errmsg":"send too fast"}"#)),
        Verdict::Retry(_)
    ));
    assert_eq!(
        dingtalk.verdict(&answer(200, r#"{"errcode":310000,"errmsg":"sign not match"}"#)),
        Verdict::Refused("310000 sign not match".to_owned())
    );
    assert!(matches!(dingtalk.verdict(&answer(200, "<html>")), Verdict::Refused(_)));
    assert_eq!(feishu.verdict(&answer(200, r#"{"StatusCode":0,"StatusMessage":"success"}"#)), Verdict::Delivered);
    assert!(matches!(feishu.verdict(&answer(200, r#"{"code":11232,"msg":"frequency limited"}"#)), Verdict::Retry(_)));
}

#[test]
fn secrets_are_not_shown_and_stay_when_none_are_sent() {
    let made = config(
        ChannelKind::DingTalk,
        &json!({ "url": "https://oapi.dingtalk.com/robot/send?access_token=hidden", "secret": "SECabc" }),
    );
    let shown = made.shown();
    assert_eq!(shown["url"], "https://oapi.dingtalk.com/…");
    assert!(!format!("{shown}{made:?}").contains("hidden") && !format!("{shown}{made:?}").contains("SECabc"));
    let again = |config: &Value| {
        let raw = RawValue::from_string(config.to_string()).unwrap();
        ChannelConfig::parse(ChannelKind::DingTalk, &raw, Some(&made), Targets::Public).unwrap()
    };
    assert_eq!(again(&json!({})), made);
    assert_eq!(again(&json!({ "url": shown["url"] })), made);
    assert_ne!(again(&json!({ "secret": null })), made);
    let stored = serde_json::to_string(&made).unwrap();
    assert_eq!(ChannelConfig::from_json(ChannelKind::DingTalk, &stored).unwrap(), made);
}

#[test]
fn a_template_says_it_in_its_own_words_and_cannot_go_on_for_ever() {
    let mut channel = channel(config(ChannelKind::Email, &json!({ "to": ["a@example.com"] })));
    let now = at("2025-11-24T16:00:00Z");
    let mut words = |title: &str, text: &str| {
        channel.settings.template = Some(Template { title: Some(title.to_owned()), text: Some(text.to_owned()) });
        match channel.outgoing(&opened(), &wording(Language::En), now)? {
            Outgoing::Mail(mail) => Ok::<_, TemplateError>((mail.subject, mail.text)),
            Outgoing::Http(call) => panic!("{call:?}"),
        }
    };
    let (subject, text) =
        words("{{ app.name }}: {{ window.count }}", "{% for s in samples %}{{ s.count }}{% endfor %}").unwrap();
    assert_eq!(subject, "支付: 101");
    assert!(text.starts_with("90\n"), "{text}");
    let endless = words("x", "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}");
    assert_eq!(endless.unwrap_err().field, "text");
    let absent = words("支付\n  {{ nothing.there }}", "x").unwrap_err();
    assert_eq!(
        (absent.field, absent.message.as_str()),
        ("title", "undefined value in line 2, column 6: `nothing` is undefined")
    );
    assert!(words("x", "{{ 'x' * 100000 }}").is_err());
}

#[test]
fn what_happened_together_is_listed_in_one_message_in_the_templates_words() {
    let mut other = event(EventKind::Opened);
    other.app.name = "shop".to_owned();
    let mut channel = channel(config(ChannelKind::Email, &json!({ "to": ["a@example.com"] })));
    let mut told = |events: Vec<Notification>, template: Option<Template>| {
        channel.settings.template = template;
        let payload = Payload::Many(Digest::of(events));
        match channel.outgoing(&payload, &wording(Language::En), at("2025-11-24T16:00:00Z")).unwrap() {
            Outgoing::Mail(mail) => (mail.subject, mail.text.lines().map(str::to_owned).collect::<Vec<_>>()),
            Outgoing::Http(call) => panic!("{call:?}"),
        }
    };
    let both = vec![event(EventKind::Opened), other.clone()];
    let (subject, lines) = told(both.clone(), None);
    assert_eq!(subject, "[Alert × 2] 支付, shop");
    assert_eq!(lines[1], "[Alert] shop · error-logs: 101 error logs in the past 10 minutes");
    assert_eq!(told(vec![event(EventKind::Resolved), other], None).0, "[2 events] 支付, shop");
    let template = Template { title: None, text: Some("{{ window.count }}\nof {{ app.owner }}".to_owned()) };
    assert_eq!(told(both, Some(template)).1[0], "[Alert] 支付 · error-logs: 101 of ops");
    let (subject, lines) = told(vec![event(EventKind::Opened); 60], None);
    assert_eq!((subject.as_str(), lines[10].as_str()), ("[Alert × 60] 支付", "and 50 more"));
}

#[test]
fn a_message_is_one_language_throughout() {
    let mut one = event(EventKind::Resolved);
    // A rule for every level names none.
    (one.rule.level, one.actor) = (String::new(), Some("li".to_owned()));
    let told = |event: &Notification, language| {
        Message::of(&Payload::One(Box::new(event.clone())), &wording(language), None).unwrap()
    };
    let Message { title, lines, .. } = told(&one, Language::ZhCn);
    assert_eq!(title, "[已解决] 支付 · error-logs");
    assert_eq!(
        lines[1..3],
        ["日志 101 条，阈值 100：2025-11-24 23:50:00 至 2025-11-25 00:00:00（Asia/Shanghai）", "操作人：li"]
    );
    let english = told(&one, Language::En).lines;
    assert!(english[1].starts_with("101 logs, 100 allowed: ") && english[2] == "By li", "{english:?}");
    one.note = Some("已扩容".to_owned());
    assert_eq!(told(&one, Language::ZhCn).lines[2], "li：已扩容");
    let mut other = event(EventKind::Resolved);
    other.app.name = "shop".to_owned();
    let both = Payload::Many(Digest::of(vec![one, other]));
    let Message { title, lines, .. } = Message::of(&both, &wording(Language::ZhCn), None).unwrap();
    assert_eq!(title, "[已解决 × 2] 支付、shop");
    assert!(lines[1].starts_with("[已解决] shop · error-logs："), "{lines:?}");
}

#[test]
fn quiet_hours_end_on_the_day_on_which_they_end() {
    let quiet = QuietHours::from_json(r#"{"from":"22:00","to":"07:30"}"#).unwrap();
    let end = |now: &str| quiet.end(at(now), Tz::Asia__Shanghai).map(|end| end.to_rfc3339());
    assert_eq!(end("2025-11-24T13:59:59Z"), None);
    assert_eq!(end("2025-11-24T14:00:00Z").as_deref(), Some("2025-11-24T23:30:00+00:00"));
    assert_eq!(end("2025-11-24T20:00:00Z").as_deref(), Some("2025-11-24T23:30:00+00:00"));
    assert_eq!(end("2025-11-24T23:30:00Z"), None);
}
