//! HMAC-SHA256, as receivers check it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    // A key of any length will do (RFC 2104), so there is nothing that this could refuse.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// The signature in hexadecimal digits.
pub(super) fn hex(key: &str, message: &str) -> String {
    hmac(key.as_bytes(), message.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature in base64.
pub(super) fn base64(key: &str, message: &str) -> String {
    STANDARD.encode(hmac(key.as_bytes(), message.as_bytes()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_signature_is_that_of_rfc_4231() {
        let signature = super::hex("Jefe", "what do ya want for nothing?");
        assert_eq!(signature, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
