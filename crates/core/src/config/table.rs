//! The settings of a running process by their names, for people who ask it. What is secret is hidden.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use url::Url;

/// What stands for a secret, as in Celery's own listing.
const HIDDEN: &str = "********";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The variable's name.
    pub name: String,
    /// Its value as it was given, or the default.
    pub value: String,
    /// Where it is from.
    pub origin: Origin,
}

/// Where a setting's value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    Default,
    /// The command line, the environment or `.env`.
    Given,
}

pub(super) fn table(command: &Command, matches: &ArgMatches) -> Vec<Setting> {
    command.get_arguments().filter_map(|arg| setting(arg, matches)).collect()
}

fn setting(arg: &Arg, matches: &ArgMatches) -> Option<Setting> {
    let name = arg.get_env()?.to_string_lossy().into_owned();
    let id = arg.get_id().as_str();
    let origin = match matches.value_source(id)? {
        ValueSource::DefaultValue => Origin::Default,
        _ => Origin::Given,
    };
    let values: Vec<_> = matches.get_raw(id)?.map(|value| value.to_string_lossy().into_owned()).collect();
    let value = values.join(",");
    let value = if arg.is_hide_env_values_set() { hidden(&value) } else { value };
    Some(Setting { name, value, origin })
}

// An address without its password still says where something is.
fn hidden(value: &str) -> String {
    let Ok(mut url) = Url::parse(value) else { return HIDDEN.to_owned() };
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.to_owned();
    }
    // A part that may hold anything is of no use here.
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;
    use crate::config::{BrokerSettings, HttpSettings, NotificationSettings, RemoteSettings};

    fn of(arguments: &[&str]) -> Vec<Setting> {
        let mut command = Command::new("program");
        for augment in [
            HttpSettings::augment_args,
            NotificationSettings::augment_args,
            BrokerSettings::augment_args,
            RemoteSettings::augment_args,
        ] {
            command = augment(command);
        }
        let matches = command.clone().try_get_matches_from(std::iter::once(&"program").chain(arguments)).unwrap();
        assert!(RemoteSettings::from_arg_matches(&matches).is_ok());
        table(&command, &matches)
    }

    #[test]
    fn settings_are_listed_without_their_secrets() {
        let url = "--redis-url=redis://app:hunter2@h:6379/0?x=hunter3#hunter4";
        let settings = of(&[url, "--secret-key=hunter5", "--listen=127.0.0.1:1", "-E"]);
        let value = |name: &str| {
            let setting = settings.iter().find(|setting| setting.name == name).unwrap();
            (setting.value.as_str(), setting.origin)
        };
        assert_eq!(value("REDIS_URL"), ("redis://app:********@h:6379/0", Origin::Given));
        assert_eq!(value("SECRET_KEY"), (HIDDEN, Origin::Given));
        assert_eq!(value("TASK_EVENTS"), ("true", Origin::Given));
        assert_eq!(value("RESULT_EXPIRES"), ("1d", Origin::Default));
        assert!(!format!("{settings:?}").contains("hunter"), "{settings:?}");
        assert_eq!(hidden("redis://h/0"), "redis://h/0");
    }
}
