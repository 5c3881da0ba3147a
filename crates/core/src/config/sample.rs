//! `.env.sample` is written from the settings: a test holds the two together.

#![cfg(test)]

use clap::{Args, Command};

use super::{
    BrokerSettings, CheckSettings, DatabaseSettings, HttpSettings, LogSettings, MetricsSettings, NotificationSettings,
    RemoteSettings, ScheduleSettings, StorageSettings, WorkerSettings, ZoneSettings,
};

fn sample() -> String {
    let mut command = Command::new("sample");
    let mut out = String::from(
        "# Every setting of LogMon. Copy this file to .env in the folder that the programs are started in, or set the\n\
         # variables in their environment.\n\
         # A line that is commented out shows the default.\n",
    );
    for augment in [
        DatabaseSettings::augment_args,
        BrokerSettings::augment_args,
        HttpSettings::augment_args,
        StorageSettings::augment_args,
        ZoneSettings::augment_args,
        CheckSettings::augment_args,
        ScheduleSettings::augment_args,
        NotificationSettings::augment_args,
        WorkerSettings::augment_args,
        RemoteSettings::augment_args,
        MetricsSettings::augment_args,
        LogSettings::augment_args,
    ] {
        command = augment(command);
    }
    let mut heading = None;
    for arg in command.get_arguments() {
        if heading != arg.get_help_heading() {
            heading = arg.get_help_heading();
            out.push_str(&format!("\n## {}\n", heading.unwrap_or_default()));
        }
        let name = arg.get_env().unwrap().to_str().unwrap();
        out.push_str(&format!("# {}\n", arg.get_help().unwrap()));
        let default = arg.get_default_values().first().map(|value| value.to_str().unwrap().to_owned());
        match (default, arg.is_required_set(), name) {
            (Some(default), _, _) => out.push_str(&format!("#{name}={default}\n")),
            (None, false, _) => out.push_str(&format!("#{name}=\n")),
            (None, true, "DATABASE_URL") => out.push_str("DATABASE_URL=mysql://logmon:secret@127.0.0.1:3306/logmon\n"),
            (None, true, "REDIS_URL") => out.push_str("REDIS_URL=redis://127.0.0.1:6379/0\n"),
            (None, true, name) => panic!("give an example for {name}"),
        }
    }
    out
}

#[test]
fn the_sample_shows_every_setting() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.env.sample");
    let expected = sample();
    if std::fs::read_to_string(path).unwrap_or_default() != expected {
        std::fs::write(path, expected).unwrap();
        panic!(".env.sample did not show the settings as they are; it has been written anew: look at it and commit it");
    }
}
