//! Which addresses a channel may reach: the world's, not ours, unless the settings allow it.
//!
//! A person who may make a channel must not reach through it what only this machine reaches (OWASP's server-side request
//! forgery). The URL is checked when it is saved, and each address that its host stands for when it is dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use url::{Host, Url};

/// Which addresses channels may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// HTTPS to public addresses, on the ports 443 and 8443.
    Public,
    /// Any: for tests and closed networks.
    Any,
}

impl Targets {
    /// Whether a host that stands for these addresses may be reached. One that may not is enough: a name that stands for both
    /// is a trick.
    ///
    /// # Errors
    /// When it may not.
    pub fn allow(self, addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), TargetError> {
        match self {
            Self::Any => Ok(()),
            Self::Public if addresses.into_iter().all(is_public) => Ok(()),
            Self::Public => Err(TargetError::NOT_PUBLIC),
        }
    }
}

/// Why a URL is no target.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// It is no URL that a channel can have.
    #[error("{0}")]
    Malformed(&'static str),
    /// It is one, but not allowed.
    #[error("{0}")]
    Forbidden(&'static str),
}

impl TargetError {
    const NOT_PUBLIC: Self = Self::Forbidden("The host's address is not public. ALLOW_PRIVATE_TARGETS=true allows it.");
}

/// A URL that a channel may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Url);

/// The longest URL, in bytes.
const URL_MAX: usize = 2_048;

impl Target {
    /// Reads a URL, and checks all that can be checked without asking for its host's addresses.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str, targets: Targets) -> Result<Self, TargetError> {
        let invalid = TargetError::Malformed("Enter a valid URL.");
        // The parser drops tabs and line breaks; who wrote them meant to add a header.
        if text.len() > URL_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(invalid);
        }
        let url = Url::parse(text).map_err(|_malformed| invalid.clone())?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(TargetError::Malformed("Enter a URL that begins with https:// or http://."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Malformed("Leave the user and the password out of the URL."));
        }
        let target = Self(url);
        match targets {
            Targets::Any => {}
            Targets::Public => target.check_public()?,
        }
        Ok(target)
    }

    fn check_public(&self) -> Result<(), TargetError> {
        match self.0.host() {
            Some(Host::Ipv4(address)) => Targets::Public.allow([address.into()])?,
            Some(Host::Ipv6(address)) => Targets::Public.allow([address.into()])?,
            Some(Host::Domain(name)) if !is_local_name(name) => {}
            Some(Host::Domain(_)) | None => return Err(TargetError::NOT_PUBLIC),
        }
        if self.0.scheme() != "https" {
            return Err(TargetError::Forbidden("Only https:// is allowed. ALLOW_PRIVATE_TARGETS=true allows http://."));
        }
        if ![443, 8443].contains(&self.port()) {
            return Err(TargetError::Forbidden(
                "Only the ports 443 and 8443 are allowed. ALLOW_PRIVATE_TARGETS=true allows any.",
            ));
        }
        Ok(())
    }

    /// Its host, as a resolver takes it.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let local = ["localhost", "localdomain", "local", "internal", "intranet", "corp", "home", "lan", "home.arpa"];
    !name.contains('.') || local.iter().any(|end| name == *end || name.ends_with(&format!(".{end}")))
}

/// Whether everybody reaches the same host under this address (IANA's special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // This network, shared (RFC 6598), protocol assignments, 6to4 relays, benchmarks.
        (0, ..) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18 | 19, _) => true,
        // Reserved, with the broadcast address.
        (240..=255, ..) => true,
        _ => false,
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the address that they hold.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, benchmarks, ORCHID and the rest of the protocol assignments; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // All that is given out is global unicast: 2000::/3.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_we_reach_is_no_target() {
        for url in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://0.0.0.0/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0177.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.64.0.1/",
            "https://[fd00::1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://[fe80::1]/",
            "https://[2001:db8::1]/",
            "https://10.0.0.1/",
            "https://172.16.3.4/",
            "https://192.168.1.1/",
            "https://198.18.0.1/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://redis/",
            "https://db.internal/",
            "https://metadata.google.internal/",
            "https://localhost.localdomain/",
            "https://[::ffff:169.254.169.254]/",
            "https://[::ffff:7f00:1]/",
            "https://[::127.0.0.1]/",
            "https://[::]/",
            "https://[64:ff9b:1::7f00:1]/",
            "https://[fec0::1]/",
            "https://[ff02::1]/",
            "https://0/",
            "https://127.1/",
            "https://0177.0.0.01/",
            "https://0x7f.0.0.1/",
            "https://①②⑦.0.0.1/",
            "http://example.com/",
            "https://example.com:6379/",
            "https://example.com:3306/",
            "https://example.com:80/",
        ] {
            assert!(matches!(Target::parse(url, Targets::Public), Err(TargetError::Forbidden(_))), "{url}");
            assert!(Target::parse(url, Targets::Any).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_for_a_channel_is_said_to_be_none() {
        for url in [
            "",
            "example.com",
            "file:///etc/passwd",
            "gopher://127.0.0.1:6379/_FLUSHALL",
            "ftp://example.com/",
            "https://user@example.com/",
            "https://example.com@127.0.0.1/",
            "https://example.com/\r\nX-Injected: 1",
            "https://exa\tmple.com/",
            "https://example.com/ a",
            "https://",
        ] {
            for targets in [Targets::Public, Targets::Any] {
                assert!(matches!(Target::parse(url, targets), Err(TargetError::Malformed(_))), "{url}");
            }
        }
    }

    #[test]
    fn a_host_that_stands_for_one_of_our_addresses_is_none_whatever_else_it_stands_for() {
        let [public, ours]: [IpAddr; 2] = ["8.8.8.8", "127.0.0.1"].map(|text| text.parse().unwrap());
        assert_eq!(Targets::Public.allow([public, public]), Ok(()));
        assert_eq!(Targets::Public.allow([public, ours]), Err(TargetError::NOT_PUBLIC));
        assert_eq!(Targets::Any.allow([public, ours]), Ok(()));
    }

    #[test]
    fn what_everybody_reaches_is_a_target() {
        for url in [
            "https://oapi.dingtalk.com/robot/send?access_token=x",
            "https://example.com:8443/hook",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://[64:ff9b::808:808]/",
            "https://钉钉.example/",
        ] {
            assert!(Target::parse(url, Targets::Public).is_ok(), "{url}");
        }
    }
}
