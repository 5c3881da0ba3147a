//! How values of settings are read: addresses, times, and what is said of wrong ones.

use std::num::NonZeroU64;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// Longer than anything that is waited for or kept, and short enough to be added to any moment.
const LONGEST: Duration = Duration::from_secs(3_650 * 24 * 3_600);

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| (Duration::from_secs(1)..=LONGEST).contains(duration))
        .ok_or_else(|| "a time such as 10m, 90s or 1h, from one second to ten years, is expected".to_owned())
}

/// A number from 1 to `MAX`.
pub(super) fn number<T, const MAX: u64>(text: &str) -> Result<T, String>
where
    T: TryFrom<NonZeroU64>,
{
    let number = text.parse::<NonZeroU64>().ok().filter(|number| number.get() <= MAX);
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| format!("a number from 1 to {MAX} is expected"))
}

pub(super) fn mysql_url(text: &str) -> Result<SecretString, String> {
    let expected = || "an address such as mysql://USER:PASSWORD@HOST:3306/DATABASE is expected".to_owned();
    let url = Url::parse(text).ok().ok_or_else(expected)?;
    let parameters = url.query_pairs().all(|(name, _)| name == "unix_socket");
    let right = url.scheme() == "mysql" && url.has_host() && url.path().len() > 1 && parameters;
    if right { Ok(text.to_owned().into()) } else { Err(expected()) }
}

pub(super) fn redis_url(text: &str) -> Result<SecretString, String> {
    let expected = || "an address such as redis://:PASSWORD@HOST:6379/0 is expected".to_owned();
    let url = Url::parse(text).ok().ok_or_else(expected)?;
    let database = url.path().trim_start_matches('/');
    let right = match url.scheme() {
        "redis" => url.has_host() && (database.is_empty() || database.parse::<u16>().is_ok()),
        "unix" | "redis+unix" => !database.is_empty(),
        _ => false,
    };
    if right { Ok(text.to_owned().into()) } else { Err(expected()) }
}

pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    if text.is_empty() { Err("some text is expected".to_owned()) } else { Ok(text.to_owned().into()) }
}

pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("true or false is expected".to_owned()),
    }
}

/// A worker's name: as it is typed into lists with commas between, and beside patterns.
pub(super) fn node_name(text: &str) -> Result<String, String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || [',', '*', '?'].contains(&c);
    if text.is_empty() || text.contains(odd) || text.matches('@').count() > 1 {
        return Err("a name such as logmon@%h or worker1@%h, without spaces and commas, is expected".to_owned());
    }
    Ok(text.to_owned())
}
