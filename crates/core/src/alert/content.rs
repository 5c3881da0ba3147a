//! The sentence that an alert says.

use std::time::Duration;

use super::Condition;

impl Condition {
    /// The sentence of an alert that `count` logs raised, as the original wrote it.
    pub fn content(&self, count: u64) -> String {
        let level = self.level.map_or_else(String::new, |level| format!("{} ", level.as_str().to_ascii_lowercase()));
        format!("{count} {level}logs in the past {}", in_words(self.window))
    }
}

fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        s if s >= 3_600 && s.is_multiple_of(3_600) => (s / 3_600, "hour"),
        s if s >= 60 && s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use crate::log::Level;

    #[test]
    fn the_sentence_is_the_originals() {
        for (window, words) in [(600, "10 minutes"), (60, "1 minute"), (90, "90 seconds"), (7_200, "2 hours")] {
            let window = Duration::from_secs(window);
            let rule = Condition { level: Some(Level::Error), text: None, kind: Kind::MoreThan(100), window };
            assert_eq!(rule.content(101), format!("101 error logs in the past {words}"));
        }
    }
}
