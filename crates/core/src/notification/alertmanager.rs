//! A webhook as Alertmanager calls it (version 4), for the many receivers that were written for it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::call::{Answer, Call, Outgoing, Verdict};
use super::config::{ConfigFields, Secret};
use super::event::{EventKind, Notification};
use super::kind::{Kind, Telling};

/// The configuration of a receiver of Alertmanager's webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alertmanager {
    url: String,
    /// Sent as `Authorization: Bearer`.
    #[serde(default)]
    token: Option<Secret>,
}

impl Alertmanager {
    pub(super) fn read(fields: &mut ConfigFields<'_>, kept: Option<&Self>) -> Option<Self> {
        let url = fields.url("url");
        let token = fields.secret("token", kept.and_then(|kept| kept.token.as_ref()));
        if token.as_ref().is_some_and(|token| !token.expose().chars().all(|c| c.is_ascii_graphic())) {
            fields.wrong("token", "Only visible ASCII characters are expected.".to_owned());
        }
        Some(Self { url: url?, token })
    }
}

impl Kind for Alertmanager {
    fn outgoing(&self, telling: &Telling<'_>) -> Outgoing {
        let mut headers = vec![("X-LogMon-Event-Id", telling.payload.event_id().0.to_string())];
        if let Some(token) = &self.token {
            headers.push(("Authorization", format!("Bearer {}", token.expose())));
        }
        Outgoing::Http(Call { url: self.url.clone(), headers, body: body(telling).to_string() })
    }

    fn verdict(&self, answer: &Answer) -> Verdict {
        answer.by_status()
    }

    fn shown(&self) -> Value {
        json!({ "url": self.url, "has_token": self.token.is_some() })
    }

    fn has_secrets(&self) -> bool {
        self.token.is_some()
    }

    fn url(&self) -> Option<&str> {
        Some(&self.url)
    }
}

fn body(telling: &Telling<'_>) -> Value {
    let url = telling.public_url.unwrap_or_default();
    let alerts: Vec<Alert> = telling.payload.events().iter().map(|event| Alert::of(event, url)).collect();
    let common = |field: fn(&Alert) -> &BTreeMap<&'static str, String>| {
        let mut common = alerts.first().map(field).cloned().unwrap_or_default();
        common.retain(|name, value| alerts.iter().all(|alert| field(alert).get(name) == Some(value)));
        common
    };
    let firing = alerts.iter().any(|alert| alert.status == "firing");
    let (labels, annotations) = (common(|alert| &alert.labels), common(|alert| &alert.annotations));
    let group: BTreeMap<_, _> = labels.iter().filter(|(name, _)| **name == "alertname").collect();
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{alertname={:?}}}", group.values().next().map_or("", |name| name.as_str())),
        "truncatedAlerts": telling.payload.untold(),
        "status": if firing { "firing" } else { "resolved" },
        "receiver": telling.channel,
        "groupLabels": group,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": url,
        "alerts": alerts,
    })
}

/// An alert as Alertmanager writes it. One that is not over has the end that Go's zero time has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: &'static str,
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: DateTime<Utc>,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

impl Alert {
    fn of(event: &Notification, url: &str) -> Self {
        let labels = BTreeMap::from([
            ("alertname", event.rule.name.clone()),
            ("app", event.app.name.clone()),
            ("level", event.rule.level.clone()),
            ("severity", event.alert.severity.clone()),
        ]);
        let samples: Vec<String> =
            event.samples.iter().map(|found| format!("{}x {}", found.count, found.sample)).collect();
        let annotations = BTreeMap::from([
            ("summary", event.alert.content.clone()),
            ("description", samples.join("\n")),
            ("event_id", event.event_id.0.to_string()),
        ]);
        let resolved = event.event == EventKind::Resolved;
        let end = event.alert.resolved_at.unwrap_or(event.at);
        let fingerprint = Sha256::digest(format!("{labels:?}")).iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self {
            status: if resolved { "resolved" } else { "firing" },
            labels,
            annotations,
            starts_at: event.alert.opened_at,
            ends_at: if resolved { end.to_rfc3339() } else { "0001-01-01T00:00:00Z".to_owned() },
            generator_url: format!("{url}{}", event.query),
            fingerprint,
        }
    }
}
