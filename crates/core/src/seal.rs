//! Secrets at rest: sealed with a key that is made of `SECRET_KEY`, so that a copy of the database does not tell them.

use chacha20poly1305::aead::{Aead as _, Generate as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

/// A sealed secret was sealed with another `SECRET_KEY`, or is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("it was sealed with another SECRET_KEY, or is damaged")]
pub struct CannotOpen;

/// Separates this use of `SECRET_KEY` from any other.
const LABEL: &str = "logmon sealed secrets 1\0";
/// The first bytes of what is sealed, in bytes.
const NONCE: usize = 24;

impl Sealer {
    /// Seals with `SECRET_KEY`.
    pub fn new(secret_key: &SecretString) -> Self {
        let digest: [u8; 32] =
            Sha256::new().chain_update(LABEL).chain_update(secret_key.expose_secret()).finalize().into();
        Self(XChaCha20Poly1305::new(&Key::from(digest)))
    }

    /// Seals a text. `purpose` says what it is: it is opened only by who says the same.
    pub fn seal(&self, text: &str, purpose: &str) -> Vec<u8> {
        let nonce = XNonce::generate();
        let payload = Payload { msg: text.as_bytes(), aad: purpose.as_bytes() };
        // Only a text of many gigabytes cannot be sealed.
        let sealed = self.0.encrypt(&nonce, payload).unwrap_or_default();
        [nonce.as_slice(), sealed.as_slice()].concat()
    }

    /// Opens what [`Sealer::seal`] made.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose.
    pub fn open(&self, sealed: &[u8], purpose: &str) -> Result<String, CannotOpen> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(CannotOpen)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let text = self.0.decrypt(&XNonce::from(*nonce), payload).ok().ok_or(CannotOpen)?;
        String::from_utf8(text).ok().ok_or(CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_opens_for_the_same_purpose_what_is_whole() {
        let sealer = Sealer::new(&"a key".to_owned().into());
        let mut sealed = sealer.seal("支付 secret", "channel");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, sealer.seal("支付 secret", "channel"), "the same text is not told by the same bytes");
        assert_eq!(sealer.open(&sealed, "channel").unwrap(), "支付 secret");
        assert_eq!(sealer.open(&sealed, "other"), Err(CannotOpen));
        assert_eq!(Sealer::new(&"another".to_owned().into()).open(&sealed, "channel"), Err(CannotOpen));
        assert_eq!(sealer.open(&sealed[..10], "channel"), Err(CannotOpen));
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(sealer.open(&sealed, "channel"), Err(CannotOpen));
    }
}
