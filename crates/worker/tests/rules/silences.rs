//! What silences keep from people, and what they are told when one ends.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc, Weekday};
use logmon_core::alert::{Alert, AlertChange, AlertId, NewSilence, Said, Silence};
use logmon_core::field::Fields;
use logmon_core::log::Level;
use logmon_core::python::Entries;
use logmon_store::db::{alert_events, alerts, silences};
use serde_json::{Value, json};

use crate::rig::{Rig, log};

impl Rig {
    /// With the apps 1 and 2, and a rule for each that raises an alert at the first error, tells channel 7, and is calm again after
    /// one window.
    pub(crate) fn telling() -> Self {
        let rig = Self::new(2, 24 * 14);
        rig.database.execute(
            "INSERT INTO core_channel (id, kind, name, config, created_at) VALUES (7, 'webhook', 'ops', '{}', '2026-11-23')",
        );
        rig.rule(&json!({"name": "errors", "threshold": 0, "every": "10m", "resolve_after": 1, "channels": [7]}));
        rig
    }

    /// Makes a silence as `POST /api/silences/` does.
    pub(crate) fn silence(&self, says: &Value) -> Silence {
        let mut body = json!({"created_by": "li", "comment": "deploy"});
        body.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        let text = body.to_string();
        let entries: Entries<'_> = serde_json::from_str(&text).unwrap();
        let silence = NewSilence::from_fields(&Fields::from(entries), self.now(), chrono_tz::UTC).unwrap();
        silences::create(&mut self.database.connect(), &silence, self.now()).unwrap()
    }

    /// Ten minutes pass, with an error of each of these apps in them; then rules are evaluated, and what is due is told.
    pub(crate) fn window(&self, failing: &[i64]) {
        let at = self.now() + TimeDelta::minutes(1);
        self.store(failing.iter().map(|app| log(*app, Level::Error, "boom", at)).collect());
        self.pass(10);
        self.evaluate();
        self.dispatch();
        self.dispatch();
    }

    /// What was told, the oldest first: `alert.opened 1` is of app 1.
    pub(crate) fn told(&self) -> Vec<String> {
        self.database.lines(
            "SELECT CONCAT_WS(' ', n.event, JSON_VALUE(n.payload, '$.app.id')) AS line
             FROM core_notification n JOIN core_delivery d ON d.event_id = n.event_id
             JOIN core_alertevent e ON e.event_id = n.event_id ORDER BY e.id",
        )
    }

    pub(crate) fn alert(&self, id: AlertId) -> Alert {
        alerts::get(&mut self.database.connect(), id).unwrap().unwrap()
    }

    pub(crate) fn timeline(&self, id: AlertId) -> Vec<&'static str> {
        let events = alert_events::of_alert(&mut self.database.connect(), id).unwrap();
        events.iter().map(|event| event.kind.as_str()).collect()
    }

    fn change(&self, id: AlertId, change: &AlertChange) {
        alerts::change(&mut self.database.connect(), id, change, &Said::default(), self.now()).unwrap();
    }

    fn resolve(&self, id: AlertId) {
        alerts::resolve(&mut self.database.connect(), id, self.now()).unwrap();
    }
}

pub(crate) fn in_minutes(rig: &Rig, minutes: i64) -> Value {
    json!((rig.now() + TimeDelta::minutes(minutes)).to_rfc3339())
}

#[test]
fn an_alert_that_is_raised_in_a_silence_is_told_once_when_that_ends() {
    let rig = Rig::telling();
    let silence = rig.silence(&json!({"app": 1, "ends_at": in_minutes(&rig, 25)}));
    rig.window(&[1, 2]);
    assert_eq!(rig.told(), ["alert.opened 2"], "the other app has no silence");
    let alert = rig.open().into_iter().find(|alert| alert.app.0 == 1).unwrap();
    assert_eq!(alert.silenced_by, Some(silence.id));
    let events = alert_events::of_alert(&mut rig.database.connect(), alert.id).unwrap();
    let said = (events[1].kind.as_str(), events[1].actor.as_deref(), events[1].note.as_deref(), events[1].silence);
    assert_eq!((events.len(), said), (2, ("silenced", Some("li"), Some("deploy"), Some(silence.id))));
    // What somebody does about it is nobody else's business either.
    rig.change(alert.id, &AlertChange::Acknowledge);
    rig.window(&[1]);
    assert_eq!(rig.told().len(), 2, "{:?}", rig.told());
    assert_eq!(rig.told()[1], "alert.resolved 2");
    rig.window(&[1]);
    assert_eq!(rig.told()[2..], ["alert.opened 1"], "the silence has ended, and the alert is still open");
    assert_eq!(rig.alert(alert.id).silenced_by, None);
    rig.window(&[]);
    assert_eq!(rig.told()[3..], ["alert.resolved 1"]);
    assert_eq!(rig.timeline(alert.id), ["opened", "silenced", "acknowledged", "unsilenced", "resolved"]);
}

#[test]
fn what_comes_and_goes_in_a_silence_is_never_told() {
    let rig = Rig::telling();
    let silence = rig.silence(&json!({"ends_at": in_minutes(&rig, 60)}));
    rig.window(&[1]);
    let alert = rig.open().remove(0).id;
    rig.window(&[]);
    assert!(rig.open().is_empty());
    rig.pass(60);
    rig.window(&[]);
    assert!(rig.told().is_empty(), "{:?}", rig.told());
    assert_eq!(rig.timeline(alert), ["opened", "silenced", "resolved"]);
    assert_eq!(rig.alert(alert).silenced_by, Some(silence.id), "it is still to be seen why nobody was told");
    rig.change(alert, &AlertChange::Reopen);
    assert_eq!(rig.told(), ["alert.reopened 1"]);
    assert_eq!(rig.timeline(alert)[3..], ["reopened", "unsilenced"]);
}

#[test]
fn the_end_of_an_alert_that_people_know_of_is_told_after_the_silence() {
    let rig = Rig::telling();
    rig.window(&[1, 2]);
    let of = |app: i64| rig.open().into_iter().find(|alert| alert.app.0 == app).unwrap().id;
    let (one, two) = (of(1), of(2));
    rig.silence(&json!({"ends_at": in_minutes(&rig, 45)}));
    rig.dispatch();
    assert!(rig.alert(one).silenced_by.is_some(), "it was open already");
    rig.window(&[]);
    assert!(rig.open().is_empty());
    rig.change(two, &AlertChange::Reopen);
    rig.window(&[2]);
    assert_eq!(rig.told(), ["alert.opened 1", "alert.opened 2"]);
    for _ in 0..3 {
        rig.window(&[2]);
    }
    assert_eq!(rig.told()[2..], ["alert.resolved 1"], "of the other people know that it is open");
    assert_eq!(rig.timeline(one), ["opened", "silenced", "resolved", "unsilenced"]);
    assert_eq!(rig.timeline(two), ["opened", "silenced", "resolved", "reopened", "unsilenced"]);
    rig.resolve(two);
    assert_eq!(rig.told()[3..], ["alert.resolved 2"]);
}

#[test]
fn a_silence_is_for_its_rule_and_may_be_ended_early() {
    let rig = Rig::telling();
    let other =
        rig.rule(&json!({"name": "other", "threshold": 0, "every": "10m", "resolve_after": 0, "channels": [7]}));
    let silence = rig.silence(&json!({"rule": other.id.0, "app": 1, "ends_at": in_minutes(&rig, 600)}));
    let all = rig.silence(&json!({"rule": other.id.0, "ends_at": in_minutes(&rig, 15)}));
    rig.window(&[1, 2]);
    assert_eq!(rig.told(), ["alert.opened 1", "alert.opened 2"], "those of the first rule");
    let of =
        |app: i64| rig.open().into_iter().find(|alert| alert.app.0 == app && alert.rule == Some(other.id)).unwrap();
    assert_eq!((of(1).silenced_by, of(2).silenced_by), (Some(silence.id), Some(all.id)));
    rig.window(&[1, 2]);
    assert_eq!(rig.told()[2..], ["alert.opened 2"], "one of two silences is over");
    silences::end(&mut rig.database.connect(), silence.id, Some("wang"), rig.now()).unwrap();
    rig.dispatch();
    rig.dispatch();
    assert_eq!(rig.told()[3..], ["alert.opened 1"]);
    let kept = silences::get(&mut rig.database.connect(), silence.id).unwrap().unwrap();
    assert_eq!((kept.says.created_by.as_str(), kept.updated.unwrap().by.as_deref()), ("li", Some("wang")));
}

#[test]
fn a_silence_that_recurs_is_for_its_hours() {
    let rig = Rig::telling();
    // Saturday at noon.
    let days = (0..7).map(|day| rig.now() + TimeDelta::days(day));
    let saturday: DateTime<Utc> = days.into_iter().find(|day| day.weekday() == Weekday::Sat).unwrap();
    let noon = saturday.date_naive().and_hms_opt(12, 0, 0).unwrap().and_utc();
    rig.set(noon);
    rig.silence(&json!({"recurring": {"weekdays": ["sat", "sun"], "from": "12:30", "to": "13:00", "zone": "UTC"}}));
    rig.window(&[1]);
    assert_eq!(rig.told(), ["alert.opened 1"], "it is not half past yet");
    rig.window(&[1]);
    rig.window(&[1]);
    rig.window(&[]);
    assert_eq!(rig.told().len(), 1, "it was over in the silence");
    rig.window(&[2]);
    rig.window(&[2]);
    assert_eq!(rig.told()[1..], ["alert.resolved 1", "alert.opened 2"]);
    rig.window(&[]);
    assert_eq!(rig.told()[3..], ["alert.resolved 2"]);
    rig.set(noon + TimeDelta::minutes(24 * 60 + 30));
    rig.evaluate();
    rig.window(&[1]);
    assert_eq!(rig.told().len(), 4, "Sunday");
    rig.set(noon + TimeDelta::minutes(48 * 60 + 30));
    rig.evaluate();
    rig.dispatch();
    rig.window(&[2]);
    assert_eq!(rig.told()[4..], ["alert.opened 2"], "Monday");
}
