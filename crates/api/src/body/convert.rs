//! JSON text in another charset than UTF-8, converted as it comes.

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use crate::error::ApiError;
use crate::error_code::ErrorCode;

/// Converts a text to UTF-8.
pub(super) struct Converter {
    decoder: Decoder,
    /// What the last bytes became.
    text: String,
}

impl Converter {
    /// For a text in this charset; `None` where there is nothing to convert.
    pub(super) fn from(charset: &'static Encoding) -> Option<Self> {
        let decoder = charset.new_decoder_without_bom_handling();
        (charset != UTF_8).then_some(Self { decoder, text: String::new() })
    }

    /// Converts the next bytes, but for the beginning of a character that goes on in those after them.
    ///
    /// # Errors
    /// When they are no text in this charset.
    pub(super) fn convert(&mut self, bytes: &[u8]) -> Result<&str, ApiError> {
        self.step(bytes, false)
    }

    /// Converts what is left.
    ///
    /// # Errors
    /// When the text ends within a character.
    pub(super) fn finish(&mut self) -> Result<&str, ApiError> {
        self.step(&[], true)
    }

    fn step(&mut self, bytes: &[u8], last: bool) -> Result<&str, ApiError> {
        self.text.clear();
        // None when it is larger than memory.
        let room = self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or_default();
        self.text.reserve(room);
        match self.decoder.decode_to_string_without_replacement(bytes, &mut self.text, last) {
            (DecoderResult::InputEmpty, _) => Ok(&self.text),
            (DecoderResult::OutputFull | DecoderResult::Malformed(..), _) => {
                let name = self.decoder.encoding().name();
                let detail = format!("JSON parse error - the body is not {name} text");
                Err(ApiError::detail(ErrorCode::Malformed, detail))
            }
        }
    }
}

impl std::fmt::Debug for Converter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converter").field("charset", &self.decoder.encoding().name()).finish_non_exhaustive()
    }
}
