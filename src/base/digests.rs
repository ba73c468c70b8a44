//! `Content-Digest` and `Repr-Digest` (RFC 9530), of which SHA-256 counts here.

use base64ct::{Base64, Encoding};

use crate::base::digest::Digest;

/// The only algorithm that is looked at; others are left alone, as the RFC has it.
const ALGORITHM: &str = "sha-256";

/// The SHA-256 that the values of a field name; `None` where they name others only.
///
/// ```text
/// sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:, sha-512=:...:
/// ```
pub fn sha256<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<Option<Digest>, &'static str> {
    let mut found = None;
    for value in values {
        let value = str::from_utf8(value).map_err(|_| "is not text")?;
        for member in value.split(',').map(str::trim).filter(|member| !member.is_empty()) {
            let (key, value) = member.split_once('=').ok_or("expected ALGORITHM=:BASE64:")?;
            if key.trim() == ALGORITHM {
                // RFC 8941, 3.2: of a key that comes twice, the last one counts.
                found = Some(bytes(value)?);
            }
        }
    }
    Ok(found)
}

/// `:BASE64:`, perhaps with parameters behind it.
fn bytes(value: &str) -> Result<Digest, &'static str> {
    let value = value.split(';').next().unwrap_or_default().trim();
    let text = value.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).ok_or("expected sha-256=:BASE64:")?;
    let mut digest = [0; 32];
    match Base64::decode(text, &mut digest) {
        Ok(bytes) if bytes.len() == 32 => Ok(Digest::from_bytes(digest)),
        _ => Err("expected 32 bytes in Base64 for sha-256"),
    }
}

/// The field's value for a digest.
pub fn value(digest: &Digest) -> String {
    format!("{ALGORITHM}=:{}:", Base64::encode_string(digest.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_ours_among_others() {
        // RFC 9530, appendix B.1: {"hello": "world"} and a line feed.
        let hello = Digest::of(b"{\"hello\": \"world\"}\n");
        let ours = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert_eq!(value(&hello), ours);
        assert_eq!(sha256([ours.as_bytes()]), Ok(Some(hello)));
        let others =
            "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:";
        assert_eq!(sha256([others.as_bytes()]), Ok(None));
        assert_eq!(sha256([others.as_bytes(), ours.as_bytes()]), Ok(Some(hello)));
        assert_eq!(sha256([format!("a=1, {ours};q=1").as_bytes()]), Ok(Some(hello)));
        for bad in ["sha-256", "sha-256=abc", "sha-256=:abc:", "sha-256=:AAAA:", "sha-256=", "\u{e9}"] {
            assert!(sha256([bad.as_bytes()]).is_err(), "{bad}");
        }
        assert!(sha256([&b"\xff"[..]]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 32], noise in ".{0,60}") {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(sha256([value(&digest).as_bytes()]), Ok(Some(digest)));
            let _ = sha256([noise.as_bytes()]);
        }
    }
}
