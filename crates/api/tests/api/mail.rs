//! Mail by TLS to a real mail server, and to none that is not the one that the settings name.

use logmon_store::testing::python::Python;
use serde_json::{Value, json};

use crate::channels::{make, try_out};
use crate::common::System;

const SERVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/mail_servers.py");
const USER: &str = "logmon:p%40ss%20word";

#[test]
fn mail_goes_by_tls_to_the_server_of_the_settings_and_to_no_other() {
    let authority = std::env::temp_dir().join(format!("logmon-authority-{}.pem", std::process::id()));
    let path = authority.to_str().unwrap();
    let mut servers = Python::start(SERVERS, &[("AUTHORITY", path)]);
    let ports = servers.ask(&json!(null));
    let system = System::new();
    let api = system.serve();
    let channel = make(&api, &json!({ "kind": "email", "name": "mail", "config": { "to": ["ops@example.com"] } }));
    let mut send = |url: &str, name: &str, trusted: bool| -> (Value, Vec<Value>) {
        let url = format!("{}:{}{}", url.split('?').next().unwrap(), ports[name]["port"], query(url));
        let mut settings = vec![("SMTP_URL", url.as_str()), ("MAIL_FROM", "LogMon <logmon@example.com>")];
        if trusted {
            settings.push(("SSL_CERT_FILE", path));
        }
        let mut worker = system.work(&settings);
        let tried = try_out(&api, &channel);
        worker.stop();
        let mails = servers.ask(&json!(null))[name]["mails"].as_array().unwrap().clone();
        (tried, mails)
    };
    let starttls = format!("smtp://{USER}@127.0.0.1?tls=required");
    let tls = format!("smtps://{USER}@127.0.0.1");

    for (url, name) in [(&starttls, "starttls"), (&tls, "tls")] {
        let (tried, mails) = send(url, name, true);
        assert_eq!((&tried["delivered"], &tried["status"]), (&json!(true), &json!(250)), "{name}: {tried}");
        let mail = &mails[0];
        assert_eq!((&mail["to"], &mail["tls"]), (&json!(["ops@example.com"]), &json!(true)), "{name}: {mail}");
        assert_eq!(mail["user"], "logmon", "{name}");
        assert!(mail["content"].as_str().unwrap().contains("Subject: [Test]"), "{name}: {mail}");
    }
    for (url, name, trusted, reason) in [
        (&starttls, "starttls", false, "certificate"),
        (&starttls, "starttls of a stranger", true, "certificate"),
        (&tls, "tls of a stranger", true, "certificate"),
        (&tls, "tls of another host", true, "certificate"),
        (&starttls, "plain", true, "STARTTLS"),
        (&tls, "plain", true, ""),
    ] {
        let (tried, mails) = send(url, name, trusted);
        assert_eq!((&tried["delivered"], &tried["status"]), (&json!(false), &json!(null)), "{name}: {tried}");
        assert!(tried["reason"].as_str().unwrap().contains(reason), "{name}: {tried}");
        assert!(!tried.to_string().contains("word"), "{name}: {tried}");
        let before = usize::from(name == "starttls");
        assert_eq!(mails.len(), before, "{name}: nothing is said to a server that is not the right one");
    }
    std::fs::remove_file(authority).unwrap();
}

fn query(url: &str) -> String {
    url.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default()
}
