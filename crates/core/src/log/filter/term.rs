//! The search text: words, phrases, and what must not be there.

use super::Folded;
use super::fold;

/// A part of the message that must be there, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    text: String,
    /// Whether the message must be without it.
    pub excluded: bool,
    folded: Folded,
}

impl Term {
    /// A part that must be there, or must not. Not empty.
    fn new(text: &str, excluded: bool) -> Self {
        Self { text: text.to_owned(), excluded, folded: Folded::new(text) }
    }

    /// Its characters in their order: each with all that are taken for it, itself included.
    pub fn characters(&self) -> impl Iterator<Item = Vec<char>> {
        self.text.chars().map(fold::alike)
    }

    /// Reads a search text: words and phrases in double quotes, each of which must be there, or must not where a `-`
    /// stands before it. A quote that begins or ends no phrase is a character as any other.
    pub(super) fn parse(text: &str) -> Vec<Self> {
        let (mut terms, mut rest) = (Vec::new(), text.trim_start());
        while !rest.is_empty() {
            let (excluded, body) = match rest.strip_prefix('-') {
                Some(body) if !body.is_empty() && !body.starts_with(char::is_whitespace) => (true, body),
                _ => (false, rest),
            };
            let (part, after) =
                phrase(body).unwrap_or_else(|| body.split_once(char::is_whitespace).unwrap_or((body, "")));
            terms.push(Self::new(part, excluded));
            rest = after.trim_start();
        }
        terms
    }

    /// Whether it holds of a message.
    pub(super) fn holds(&self, message: &Folded) -> bool {
        message.contains(&self.folded) != self.excluded
    }
}

/// A phrase that a text begins with, and what comes behind it. It ends with a quote before white space or the end.
fn phrase(text: &str) -> Option<(&str, &str)> {
    let body = text.strip_prefix('"')?;
    let mut ends = body.match_indices('"').map(|(at, _)| body.split_at(at));
    ends.find_map(|(part, rest)| {
        let after = rest.strip_prefix('"')?;
        let ends = after.is_empty() || after.starts_with(char::is_whitespace);
        (ends && !part.is_empty()).then_some((part, after))
    })
}
