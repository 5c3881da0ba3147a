//! Cuts a batch into its items, in whatever pieces its text arrives: a JSON array, or lines.
//!
//! Only where an item ends is decided here; whether it is JSON is for `serde_json` to say of each item.

use std::ops::{ControlFlow, Range};

use serde_json::value::RawValue;

/// Cuts a JSON array into its items. Says of what is no JSON what `serde_json` says of the whole text.
#[derive(Debug)]
pub(super) struct ArrayItems {
    expected: Expected,
    /// What arrived before of the item that is under way, and where it began.
    begun: Vec<u8>,
    begun_at: Position,
    /// Where the next piece begins.
    position: Position,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// An item, or the end of the array.
    FirstItem,
    /// An item.
    Item,
    /// The rest of an item.
    Rest(Inside),
    /// A comma, or the end of the array.
    Comma,
    /// Nothing but white space.
    Nothing,
}

/// Where in an item its text was left off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// In a number or a name.
    Scalar,
    /// In so many lists and objects.
    Nested(usize),
    /// In a string in so many lists and objects.
    Text(usize),
    /// The same, behind a backslash.
    Escape(usize),
}

/// A place in a text, as `serde_json` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    line: usize,
    column: usize,
}

/// Why a text is no array of JSON values.
pub(super) type SyntaxError = String;

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 0 };

    /// The place behind `bytes`, which begin at this one.
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        match bytes.iter().rposition(|byte| *byte == b'\n') {
            None => Self { column: self.column + bytes.len(), ..self },
            Some(last) => Self { line: self.line + lines, column: bytes.len() - last - 1 },
        }
    }

    /// The place of an error in an item that begins at this one.
    fn plus(self, error: &serde_json::Error) -> Self {
        match error.line() {
            0 | 1 => Self { column: self.column + error.column(), ..self },
            line => Self { line: self.line + line - 1, column: error.column() },
        }
    }
}

impl ArrayItems {
    /// For an array whose opening bracket ends at `position`.
    pub(super) fn new(position: Position) -> Self {
        Self { expected: Expected::FirstItem, begun: Vec::new(), begun_at: position, position }
    }

    /// Takes the next piece of the text, and gives `take` each item that it completes, until `take` wants no more.
    ///
    /// # Errors
    /// When the array is no JSON.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        take: &mut impl FnMut(&RawValue) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, SyntaxError> {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            match self.expected {
                Expected::Rest(inside) => {
                    at += match end_of_item(inside, rest_of(piece, at)) {
                        Ok(length) => {
                            if self.complete(piece, at..at + length, take)?.is_break() {
                                return Ok(ControlFlow::Break(()));
                            }
                            length
                        }
                        Err(inside) => self.leave_off(inside, piece, at),
                    };
                    continue;
                }
                _ if matches!(byte, b' ' | b'\n' | b'\t' | b'\r') => {}
                Expected::FirstItem | Expected::Comma if byte == b']' => self.expected = Expected::Nothing,
                Expected::Comma if byte == b',' => self.expected = Expected::Item,
                Expected::FirstItem | Expected::Item if !matches!(byte, b',' | b']') => {
                    self.expected = Expected::Rest(Inside::Nested(0));
                    continue;
                }
                Expected::FirstItem | Expected::Item => return Err(self.wrong(NO_VALUE, piece, at)),
                Expected::Comma => return Err(self.wrong(NO_COMMA, piece, at)),
                Expected::Nothing => return Err(self.wrong(TRAILING, piece, at)),
            }
            at += 1;
        }
        self.position = self.position.after(piece);
        Ok(ControlFlow::Continue(()))
    }

    /// Says that the text is at its end.
    ///
    /// # Errors
    /// When the array is not.
    pub(super) fn finish(&self) -> Result<(), SyntaxError> {
        let what = match self.expected {
            Expected::Nothing => return Ok(()),
            // Of a number nobody knows whether it was whole.
            Expected::Rest(_) => match parse(&self.begun) {
                Err(error) => return Err(said(&words(&error), self.begun_at.plus(&error))),
                Ok(_) => "EOF while parsing a list",
            },
            Expected::Item => "EOF while parsing a value",
            Expected::FirstItem | Expected::Comma => "EOF while parsing a list",
        };
        Err(said(what, self.position))
    }

    /// Gives `take` the item that ends with this part of the piece.
    fn complete(
        &mut self,
        piece: &[u8],
        part: Range<usize>,
        take: &mut impl FnMut(&RawValue) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, SyntaxError> {
        let start = part.start;
        let text = piece.get(part).unwrap_or_default();
        let parsed = if self.begun.is_empty() {
            parse(text)
        } else {
            self.begun.extend_from_slice(text);
            parse(&self.begun)
        };
        let step = match parsed {
            Ok(item) => take(item),
            Err(error) => {
                // What ends too early alone has something else behind it here.
                let what = if error.is_eof() { NO_VALUE.to_owned() } else { words(&error) };
                return Err(said(&what, self.beginning(piece, start).plus(&error)));
            }
        };
        self.begun.clear();
        self.expected = Expected::Comma;
        Ok(step)
    }

    /// Keeps the item that goes on in the next piece; says how many bytes these are.
    fn leave_off(&mut self, inside: Inside, piece: &[u8], at: usize) -> usize {
        let text = rest_of(piece, at);
        self.begun_at = self.beginning(piece, at);
        self.begun.extend_from_slice(text);
        self.expected = Expected::Rest(inside);
        text.len()
    }

    /// Where the item begins that has this place of the piece in it.
    fn beginning(&self, piece: &[u8], at: usize) -> Position {
        if self.begun.is_empty() { self.position.after(piece.get(..at).unwrap_or_default()) } else { self.begun_at }
    }

    fn wrong(&self, what: &str, piece: &[u8], at: usize) -> SyntaxError {
        said(what, self.position.after(piece.get(..=at).unwrap_or_default()))
    }
}

const NO_VALUE: &str = "expected value";
const NO_COMMA: &str = "expected `,` or `]`";
const TRAILING: &str = "trailing characters";

fn parse(item: &[u8]) -> Result<&RawValue, serde_json::Error> {
    serde_json::from_slice(item)
}

fn said(what: &str, Position { line, column }: Position) -> SyntaxError {
    format!("{what} at line {line} column {column}")
}

/// What an error in an item says of the array, but for the place.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(TRAILING) => NO_COMMA.to_owned(),
        Some(words) => words.to_owned(),
        None => text,
    }
}

fn rest_of(piece: &[u8], at: usize) -> &[u8] {
    piece.get(at..).unwrap_or_default()
}

/// How many bytes the rest of an item has, or where its text is left off.
fn end_of_item(mut inside: Inside, text: &[u8]) -> Result<usize, Inside> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        inside = match (inside, byte) {
            (Inside::Text(0), b'"') | (Inside::Nested(1), b']' | b'}') => return Ok(at + 1),
            (Inside::Scalar, b',' | b']' | b' ' | b'\n' | b'\t' | b'\r') => return Ok(at),
            (Inside::Scalar, _) => Inside::Scalar,
            (Inside::Nested(depth), b'"') => Inside::Text(depth),
            (Inside::Nested(depth), b'[' | b'{') => Inside::Nested(depth + 1),
            (Inside::Nested(0), _) => Inside::Scalar,
            (Inside::Nested(depth), b']' | b'}') => Inside::Nested(depth - 1),
            (Inside::Nested(depth), _) => Inside::Nested(depth),
            (Inside::Text(depth), b'"') => Inside::Nested(depth),
            (Inside::Text(depth), b'\\') => Inside::Escape(depth),
            (Inside::Text(depth), _) => {
                // Most of a batch is this.
                let plain = rest_of(text, at).iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
                at += plain.saturating_sub(1);
                Inside::Text(depth)
            }
            (Inside::Escape(depth), _) => Inside::Text(depth),
        };
        at += 1;
    }
    Err(inside)
}

/// Cuts a text into its lines; empty ones are left out, and so is the white space around the others.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What arrived before of the line that is under way.
    begun: Vec<u8>,
}

impl Lines {
    /// Takes the next piece of the text, and gives `take` each line that it completes, until `take` wants no more.
    pub(super) fn push(&mut self, piece: &[u8], take: &mut impl FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        let mut lines = piece.split(|byte| *byte == b'\n');
        let unfinished = lines.next_back().unwrap_or_default();
        for line in lines {
            if self.begun.is_empty() {
                give(line, take)?;
            } else {
                self.begun.extend_from_slice(line);
                give(&self.begun, take)?;
                self.begun.clear();
            }
        }
        self.begun.extend_from_slice(unfinished);
        ControlFlow::Continue(())
    }

    /// Says that the text is at its end, which ends the last line too.
    pub(super) fn finish(&self, take: &mut impl FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
        give(&self.begun, take)
    }
}

fn give(line: &[u8], take: &mut impl FnMut(&[u8]) -> ControlFlow<()>) -> ControlFlow<()> {
    let line = line.trim_ascii();
    if line.is_empty() { ControlFlow::Continue(()) } else { take(line) }
}

#[cfg(test)]
#[path = "items_tests.rs"]
mod tests;
