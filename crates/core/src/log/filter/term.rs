//! The search text: words, phrases, and what must not be there.

use super::Folded;

/// A part of the message that must be there, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The part, every character of which means itself. Not empty.
    pub text: String,
    /// How it is compared.
    pub comparison: Comparison,
    /// Whether the message must be without it.
    pub excluded: bool,
    folded: Folded,
}

/// How a part is compared with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// As `utf8mb4_general_ci` does: without letter case and accents.
    Folded,
    /// Character by character. For parts with characters beyond U+FFFF (emoji, rare Han characters), which the
    /// collation takes for one and the same.
    Exact,
}

impl Term {
    /// A part that must be there, or must not.
    fn new(text: &str, excluded: bool) -> Self {
        let beyond = text.chars().any(|c| u32::from(c) > 0xFFFF);
        let comparison = if beyond { Comparison::Exact } else { Comparison::Folded };
        Self { text: text.to_owned(), comparison, excluded, folded: Folded::new(text) }
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

    /// Whether it holds of a message; `folded` gives the same message as it is compared without regard to case.
    pub(super) fn holds<'a>(&self, message: &str, folded: impl FnOnce() -> &'a Folded) -> bool {
        let found = match self.comparison {
            Comparison::Folded => folded().contains(&self.folded),
            Comparison::Exact => message.contains(&self.text),
        };
        found != self.excluded
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
