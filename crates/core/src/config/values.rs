//! How values of settings are read: addresses, times, and what is said of wrong ones.

use std::time::Duration;

use secrecy::SecretString;

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| duration.as_secs() >= 1)
        .ok_or_else(|| "a time such as 10m, 90s or 1h, of at least one second, is expected".to_owned())
}

pub(super) fn mysql_url(text: &str) -> Result<SecretString, String> {
    let expected = || "an address such as mysql://USER:PASSWORD@HOST:3306/DATABASE is expected".to_owned();
    let rest = text.strip_prefix("mysql://").ok_or_else(expected)?;
    let (host, database) = rest.rsplit_once('/').ok_or_else(expected)?;
    if host.is_empty() || database.split('?').next().unwrap_or_default().is_empty() {
        return Err(expected());
    }
    Ok(text.to_owned().into())
}

pub(super) fn redis_url(text: &str) -> Result<SecretString, String> {
    if text.starts_with("redis://") || text.starts_with("unix:") || text.starts_with("redis+unix:") {
        return Ok(text.to_owned().into());
    }
    Err("an address such as redis://:PASSWORD@HOST:6379/0 is expected".to_owned())
}

pub(super) fn secret(text: &str) -> Result<SecretString, String> {
    if text.is_empty() { Err("some text is expected".to_owned()) } else { Ok(text.to_owned().into()) }
}
