//! The settings: one struct a concern, read from the command line, the environment and `.env`, in that order.
//!
//! A field's doc comment is its text in `--help` and in `.env.sample`. The only module that reads the environment.

#![expect(clippy::doc_markdown, reason = "these comments are printed by --help as they stand")]

mod broker;
mod check;
mod database;
mod http;
mod logger;
mod notification;
mod remote;
mod sample;
mod storage;
mod table;
mod values;
mod worker;
mod zone;

pub use broker::{BrokerAddress, BrokerSettings};
pub use check::{CheckSettings, ScheduleSettings};
pub use database::DatabaseSettings;
pub use http::{HttpSettings, MetricsSettings};
pub use logger::{LogFormat, LogSettings};
pub use notification::NotificationSettings;
pub use remote::RemoteSettings;
pub use storage::StorageSettings;
pub use table::{Origin, Setting};
pub use worker::WorkerSettings;
pub use zone::ZoneSettings;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, Parser};

/// Reads a program's command line and settings. What is missing or wrong ends the process with status 2 and one
/// sentence that names it; `--help` and `--version` end it with status 0.
pub fn parse<T: Parser + CommandFactory>() -> T {
    parse_with_table().0
}

/// The same, with every setting by its name, for people who ask the process while it runs.
pub fn parse_with_table<T: Parser + CommandFactory>() -> (T, Vec<Setting>) {
    // The folder that the program is started in, and no other.
    let dotenv = dotenvy::from_path(".env");
    let asks_for_help = || T::try_parse().is_err_and(|e| e.exit_code() == 0);
    if let Err(error) = dotenv
        && !error.not_found()
        && !asks_for_help()
    {
        exit_with(&match error {
            // The line itself may hold a password.
            dotenvy::Error::LineParse(_, at) => {
                format!(
                    ".env cannot be read: a line has something unexpected at its character {}; a value with spaces or signs belongs between single quotes",
                    at + 1
                )
            }
            error => format!(".env cannot be read: {error}"),
        });
    }
    let read = || -> Result<(T, ArgMatches), clap::Error> {
        let matches = T::command().try_get_matches()?;
        let settings = T::from_arg_matches(&matches).map_err(|error| error.format(&mut T::command()))?;
        Ok((settings, matches))
    };
    let (settings, matches) = read().unwrap_or_else(|error| {
        let about_a_setting = [ErrorKind::MissingRequiredArgument, ErrorKind::ValueValidation, ErrorKind::InvalidValue];
        if about_a_setting.contains(&error.kind()) {
            exit_with(&sentence(&T::command(), &error));
        }
        error.exit()
    });
    (settings, table::table(&T::command(), &matches))
}

#[expect(clippy::exit, reason = "a process with wrong settings has nothing else to do")]
fn exit_with(sentence: &str) -> ! {
    eprintln!("{sentence}");
    std::process::exit(2)
}

// clap's own text names the flag and prints the usage; people who set an environment look for the variable's name.
fn sentence(command: &clap::Command, error: &clap::Error) -> String {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.clone(),
        Some(ContextValue::Strings(arguments)) => arguments.first().cloned().unwrap_or_default(),
        _ => return error.to_string(),
    };
    let flag = argument.split([' ', '[', '=']).next().unwrap_or_default().trim_start_matches("--");
    let found = every_command(command)
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .find(|arg| arg.get_long() == Some(flag) && arg.get_env().is_some());
    let Some(arg) = found else { return error.to_string() };
    let name = arg.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return format!("{name} is not set: {help}");
    }
    let expected = std::error::Error::source(error).map(ToString::to_string).unwrap_or_else(|| help.clone());
    match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) if !arg.is_hide_env_values_set() => {
            format!("{name} is {value:?}, but {expected}")
        }
        _ => format!("{name} is wrong: {expected}"),
    }
}

fn every_command(command: &clap::Command) -> Vec<&clap::Command> {
    let mut all = vec![command];
    for sub in command.get_subcommands() {
        all.extend(every_command(sub));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        database: DatabaseSettings,
        #[command(flatten)]
        zone: ZoneSettings,
        #[command(flatten)]
        check: CheckSettings,
    }

    fn refused(arguments: &[&str]) -> String {
        let error = Program::try_parse_from(std::iter::once(&"program").chain(arguments)).unwrap_err();
        sentence(&Program::command(), &error)
    }

    #[test]
    fn a_missing_setting_is_named() {
        let sentence = refused(&[]);
        assert!(sentence.starts_with("DATABASE_URL is not set: "), "{sentence}");
        assert!(sentence.contains("mysql://"), "{sentence}");
    }

    #[test]
    fn a_wrong_setting_is_named_with_what_is_expected() {
        const URL: &str = "--database-url=mysql://u@h/d";
        let zone = refused(&[URL, "--time-zone=Mars/Base"]);
        assert_eq!(zone, "TIME_ZONE is \"Mars/Base\", but a name such as Asia/Shanghai or UTC is expected");
        // What the rule of the settings could not say otherwise.
        assert!(
            refused(&[URL, "--check-window=90s"]).starts_with("CHECK_WINDOW is \"90s\", but a time in whole minutes")
        );
        let window = refused(&[URL, "--check-window=soon"]);
        assert_eq!(
            window,
            "CHECK_WINDOW is \"soon\", but a time in whole minutes such as 10m or 1h, from 1m to 7d, is expected"
        );
    }

    #[derive(Debug, Parser)]
    struct Every {
        #[command(flatten)]
        database: DatabaseSettings,
        #[command(flatten)]
        broker: BrokerSettings,
        #[command(flatten)]
        http: HttpSettings,
        #[command(flatten)]
        schedule: ScheduleSettings,
        #[command(flatten)]
        storage: StorageSettings,
        #[command(flatten)]
        worker: WorkerSettings,
        #[command(flatten)]
        remote: RemoteSettings,
        #[command(flatten)]
        metrics: MetricsSettings,
        #[command(flatten)]
        notification: NotificationSettings,
        #[command(flatten)]
        log: LogSettings,
    }

    #[test]
    fn every_setting_says_what_it_expects() {
        // Any text will do for these.
        let free = ["redis-key-prefix", "queues", "secret-key"];
        let command = Every::command();
        let long = command.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !free.contains(name));
        for name in long {
            let arguments = ["program".to_owned(), format!("--{name}=?")];
            let sentence = sentence(&Every::command(), &Every::try_parse_from(arguments).unwrap_err());
            assert!(sentence.ends_with("expected"), "{name}: {sentence}");
        }
        for (name, value) in [
            ("database-url", "mysql://u@h:port/d"),
            ("database-url", "mysql://u@h:99999/d"),
            ("database-url", "mysql://u@h"),
            ("redis-url", "redis://h:port/0"),
            ("redis-url", "redis://h/zero"),
            ("grace", "300000000y"),
            ("concurrency", "0"),
        ] {
            let arguments = ["program".to_owned(), format!("--{name}={value}")];
            assert!(Every::try_parse_from(arguments).is_err_and(|e| e.kind() == ErrorKind::ValueValidation), "{value}");
        }
    }

    #[test]
    fn a_wrong_address_is_not_repeated_with_its_password() {
        let sentence = refused(&["--database-url=postgres://u:hunter2@h/d"]);
        assert!(sentence.starts_with("DATABASE_URL is wrong: "), "{sentence}");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }
}
