//! Text as the collation `utf8mb4_general_ci` compares it: without letter case and accents, character by character.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Each character of the collation that is not compared as itself, with what it is compared as: four hexadecimal digits
/// each. It is what `WEIGHT_STRING` says of every character up to U+FFFF.
const TABLE: &str = include_str!("general_ci.txt");

static WEIGHTS: LazyLock<Box<[char]>> = LazyLock::new(|| {
    let mut weights: Vec<char> = (0..=0xFFFF).map(|code| char::from_u32(code).unwrap_or_default()).collect();
    let number = |digits: Option<&str>| u32::from_str_radix(digits?, 16).ok();
    for pair in TABLE.split_whitespace() {
        let (from, to) = (number(pair.get(..4)), number(pair.get(4..)));
        let slot = from.and_then(|from| weights.get_mut(usize::try_from(from).ok()?));
        if let (Some(slot), Some(weight)) = (slot, to.and_then(char::from_u32)) {
            *slot = weight;
        }
    }
    weights.into()
});

/// The characters that are taken for each other, by what they are compared as.
static ALIKE: LazyLock<BTreeMap<char, Vec<char>>> = LazyLock::new(|| {
    let mut alike: BTreeMap<char, Vec<char>> = BTreeMap::new();
    for c in '\0'..='\u{FFFF}' {
        alike.entry(weight(c)).or_default().push(c);
    }
    alike.retain(|_, characters| characters.len() > 1);
    alike
});

fn weight(c: char) -> char {
    usize::try_from(u32::from(c)).ok().and_then(|code| WEIGHTS.get(code)).copied().unwrap_or(c)
}

/// All characters that are taken for this one, itself included, in their order.
pub(super) fn alike(c: char) -> Vec<char> {
    ALIKE.get(&weight(c)).cloned().unwrap_or_else(|| vec![c])
}

/// A text in which two characters are the same where the collation takes them for the same.
///
/// The collation takes all characters beyond U+FFFF for one; here each is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folded(String);

impl Folded {
    /// Folds a text.
    pub(super) fn new(text: &str) -> Self {
        Self(text.chars().map(weight).collect())
    }

    /// Whether the other text is a part of this one.
    pub(super) fn contains(&self, part: &Self) -> bool {
        self.0.contains(&part.0)
    }
}
