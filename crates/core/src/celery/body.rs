//! A message's body as text: base64 and compression taken off, within a bound.

use std::borrow::Cow;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Malformed;

/// How large a body may be once it is unpacked, in bytes.
pub(super) const BODY_MAX: u64 = 64 * 1024 * 1024;

/// The bytes of a body that lies in the envelope under `body_encoding`.
pub(super) fn decode<'a>(text: Cow<'a, str>, body_encoding: Option<&str>) -> Result<Cow<'a, [u8]>, Malformed> {
    match body_encoding {
        Some("base64") => {
            let bytes = STANDARD.decode(text.as_bytes());
            bytes.map(Cow::Owned).map_err(|e| Malformed::Body(format!("is not base64: {e}")))
        }
        None | Some("utf-8") => Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }),
        Some(_) => Err(Malformed::Property { name: "body_encoding", expected: "base64 or utf-8" }),
    }
}

/// The bytes that were compressed, as kombu names the method: `application/x-gzip` is a zlib stream.
///
/// # Errors
/// When the method is not taken, the bytes are not what it says, or there are more than [`BODY_MAX`].
pub(super) fn decompress(bytes: &[u8], method: &str) -> Result<Vec<u8>, Malformed> {
    let broken = |e: &dyn std::fmt::Display| Malformed::Body(format!("cannot be decompressed: {e}"));
    let bounded = |reader: &mut dyn Read| {
        let mut plain = Vec::new();
        reader.take(BODY_MAX + 1).read_to_end(&mut plain).map_err(|e| broken(&e))?;
        if u64::try_from(plain.len()).is_ok_and(|len| len > BODY_MAX) {
            return Err(Malformed::Body(format!("is larger than {BODY_MAX} bytes when decompressed")));
        }
        Ok(plain)
    };
    match method {
        "application/x-gzip" | "gzip" | "zlib" => bounded(&mut flate2::read::ZlibDecoder::new(bytes)),
        "application/zstd" | "zstd" | "zstandard" => {
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|e| broken(&e))?;
            bounded(&mut decoder)
        }
        other => Err(Malformed::Compression(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_without_end_is_refused() {
        let mut bomb =
            flate2::read::ZlibEncoder::new(std::io::repeat(0).take(BODY_MAX + 1), flate2::Compression::fast());
        let mut bytes = Vec::new();
        bomb.read_to_end(&mut bytes).unwrap();
        let refused = decompress(&bytes, "application/x-gzip").unwrap_err().to_string();
        assert!(refused.contains("larger than"), "{refused}");
    }

    #[test]
    fn kombus_methods_are_read_or_refused_by_name() {
        // zlib.compress(b"[[], {}, {}]")
        let zlib = b"x\x9c\x8b\x8e\x8e\xd5Q\xa8\xae\x05\xe1X\x00\x18\xd6\x03\xf9";
        assert_eq!(decompress(zlib, "application/x-gzip").unwrap(), b"[[], {}, {}]");
        for method in ["application/x-bz2", "application/x-lzma", "application/x-brotli", "rot13"] {
            assert_eq!(decompress(zlib, method), Err(Malformed::Compression(method.to_owned())));
        }
        for method in ["application/x-gzip", "application/zstd"] {
            let refused = decompress(b"nonsense", method).unwrap_err().to_string();
            assert!(refused.contains("cannot be decompressed"), "{refused}");
        }
    }
}
