//! How urgent a message is, and which of a queue's lists it lies on.

/// How urgent a message is: 0 is served first, 9 last. Redis holds four lists a queue, for 0, 3, 6 and 9.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Priority(u8);

impl Priority {
    /// The steps that have a list of their own, the most urgent first.
    pub const STEPS: [Self; 4] = [Self(0), Self(3), Self(6), Self(9)];

    /// A priority; as in kombu, what lies outside 0..=9 counts as the nearest of them.
    pub fn new(number: i64) -> Self {
        Self(u8::try_from(number.clamp(0, 9)).unwrap_or_default())
    }

    /// The number, 0 to 9.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The suffix that the list of this step has behind the queue's name.
    pub fn list_suffix(self) -> &'static str {
        match self.0 {
            0..=2 => "",
            3..=5 => "\u{6}\u{16}3",
            6..=8 => "\u{6}\u{16}6",
            _ => "\u{6}\u{16}9",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As Celery 5.7 put messages of these priorities on its lists.
    #[test]
    fn a_priority_belongs_to_the_step_below_it() {
        for (number, suffix) in [(-1, ""), (0, ""), (2, ""), (3, "3"), (5, "3"), (6, "6"), (9, "9"), (12, "9")] {
            let expected = if suffix.is_empty() { String::new() } else { format!("\u{6}\u{16}{suffix}") };
            assert_eq!(Priority::new(number).list_suffix(), expected, "{number}");
        }
    }
}
