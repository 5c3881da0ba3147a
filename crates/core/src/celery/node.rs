//! What a worker is called: `name@host`, one name a process.

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The name of a worker: `name@host`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(String);

/// The name half of a worker that is given only a host.
const NAME: &str = "logmon";

impl NodeName {
    /// The name that a format stands for on this host. Without an `@` it is the host alone, as for `celery worker -n`.
    ///
    /// `%h` is the host, `%n` its first label, `%d` the rest of it, `%i` and `%I` are Celery's index of a pool process
    /// (`0` and nothing: there is one process), `%%` is `%`. Whatever else follows a `%` stays as it is.
    pub fn from_format(format: &str, host: &str) -> Self {
        let (name, given) = match format.split_once('@') {
            Some((name, given)) => (name, given),
            None => ("", format),
        };
        let name = if name.is_empty() { NAME } else { name };
        let given = if given.is_empty() { "%h" } else { given };
        let (first, domain) = host.split_once('.').unwrap_or((host, ""));
        let mut out = String::new();
        let whole = format!("{name}@{given}");
        let mut chars = whole.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('h') => out.push_str(host),
                Some('n') => out.push_str(first),
                Some('d') => out.push_str(domain),
                Some('i') => out.push('0'),
                Some('I') => {}
                Some('%') | None => out.push('%'),
                Some(other) => out.extend(['%', other]),
            }
        }
        Self(out)
    }

    /// The same host under another name, for the `count`th worker of one name: `logmon-2@host`.
    pub fn numbered(&self, count: u32) -> Self {
        match self.0.split_once('@') {
            Some((name, host)) => Self(format!("{name}-{count}@{host}")),
            None => Self(format!("{}-{count}", self.0)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits a pattern: `glob` is Python's `fnmatch`, `pcre` its `re.match`. Another kind fits nothing.
    pub(super) fn matches(&self, pattern: &str, matcher: &str) -> bool {
        let expression = match matcher {
            "glob" => glob(pattern),
            "pcre" => format!("^(?:{pattern})"),
            _ => return false,
        };
        Regex::new(&expression).is_ok_and(|expression| expression.is_match(&self.0))
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// As `fnmatch.translate`: `*`, `?`, `[seq]` and `[!seq]`; a `[` without its end stands for itself.
fn glob(pattern: &str) -> String {
    let mut out = String::from("^(?s:");
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match (c, set(rest)) {
            ('*', _) => out.push_str(".*"),
            ('?', _) => out.push('.'),
            ('[', Some((set, after))) => {
                let (negation, set) = set.strip_prefix('!').map_or(("", set), |set| ("^", set));
                let set: String = set.chars().map(|c| if c == '-' { "-".into() } else { escaped(c) }).collect();
                out.push_str(&format!("[{negation}{set}]"));
                rest = after;
            }
            (c, _) => out.push_str(&escaped(c)),
        }
    }
    out + ")$"
}

// What stands between `[` and `]`, and what follows; a `]` right at the beginning belongs to it.
fn set(rest: &str) -> Option<(&str, &str)> {
    let start = if rest.starts_with("!]") { 2 } else { usize::from(rest.starts_with(']')) };
    let end = start + rest.get(start..)?.find(']')?;
    Some((rest.get(..end)?, rest.get(end + 1..)?))
}

fn escaped(c: char) -> String {
    regex::escape(c.encode_utf8(&mut [0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_celery_worker() {
        for (format, expected) in [
            ("logmon@%h", "logmon@web1.example.com"),
            ("w1@%n", "w1@web1"),
            ("%n-%i%I@%d", "web1-0@example.com"),
            ("w1@", "w1@web1.example.com"),
            ("box", "logmon@box"),
            ("", "logmon@web1.example.com"),
            ("100%%@x", "100%@x"),
            ("w%z@h%", "w%z@h%"),
        ] {
            assert_eq!(NodeName::from_format(format, "web1.example.com").as_str(), expected, "{format}");
        }
        assert_eq!(NodeName::from_format("a@b", "h").numbered(2).as_str(), "a-2@b");
    }

    // Each as Python 3.11's `fnmatch.fnmatch` and `re.match` answer.
    #[test]
    fn patterns_are_pythons() {
        let node = NodeName("w1@host.a".to_owned());
        for (matcher, pattern, expected) in [
            ("glob", "w*", true),
            ("glob", "w?@host.a", true),
            ("glob", "w[0-3]@*", true),
            ("glob", "w[!0-3]@*", false),
            ("glob", "host", false),
            ("glob", "w1@host?a", true),
            ("glob", "w1@hostxa", false),
            ("glob", "w[1@host.a", false),
            ("glob", "W1@host.a", false),
            ("pcre", "w\\d", true),
            ("pcre", "host", false),
            ("pcre", "x|w1", true),
            ("pcre", "(", false),
            ("other", "w1@host.a", false),
        ] {
            assert_eq!(node.matches(pattern, matcher), expected, "{matcher} {pattern}");
        }
    }
}
