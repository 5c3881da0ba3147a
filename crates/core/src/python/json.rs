//! What `json.dumps` writes and JSON does not have: `NaN`, `Infinity` and `-Infinity`.

/// What becomes of `NaN`, for which JSON has no number at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nan {
    /// The text is refused.
    Refused,
    /// It is shown as `null`, as JavaScript does.
    Null,
}

/// The text that Python wrote as JSON proper.
///
/// An infinity becomes `1e999`, which Python and every reader of doubles take for infinity again. `None` when there is
/// a `NaN` that is refused, or nothing to change.
pub fn strict_json(text: &str, nan: Nan) -> Option<String> {
    let mut strict = String::with_capacity(text.len());
    let (mut rest, mut changed) = (text, false);
    while let Some(at) = rest.find(['"', 'N', 'I']) {
        let (before, from) = rest.split_at(at);
        strict.push_str(before);
        let taken = if from.starts_with('"') {
            let end = end_of_string(from);
            strict.push_str(from.get(..end)?);
            end
        } else if from.starts_with("NaN") && nan == Nan::Null {
            strict.push_str("null");
            changed = true;
            "NaN".len()
        } else if from.starts_with("Infinity") {
            strict.push_str("1e999");
            changed = true;
            "Infinity".len()
        } else {
            return None;
        };
        rest = from.get(taken..)?;
    }
    strict.push_str(rest);
    changed.then_some(strict)
}

// `text` begins with the opening quote; one that is never closed ends with the text.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn infinities_are_numbers_that_python_reads_back() {
        let text = r#"[Infinity, -Infinity, {"NaN \" Infinity": "NaN"}, 1]"#;
        let strict = r#"[1e999, -1e999, {"NaN \" Infinity": "NaN"}, 1]"#;
        assert_eq!(strict_json(text, Nan::Refused).as_deref(), Some(strict));
    }

    #[test]
    fn nan_is_refused_or_null() {
        assert_eq!(strict_json("[NaN, 1]", Nan::Refused), None);
        assert_eq!(strict_json("[NaN, 1]", Nan::Null).as_deref(), Some("[null, 1]"));
    }

    #[test]
    fn what_needs_no_change_and_what_cannot_be_mended_is_left_alone() {
        for text in ["[1, \"NaN\"]", "[None]", "[Inf]", "\"open \\\" Infinity", "N", ""] {
            assert_eq!(strict_json(text, Nan::Null), None, "{text}");
        }
    }
}
