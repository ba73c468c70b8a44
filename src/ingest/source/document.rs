//! A tiny JSON that names the newest package, as the sites of the PREP have one. Pure.

use serde_json::Value;

use super::address::Address;
use crate::base::digest::Digest;
use crate::base::shown::Shown;

/// Bytes of such a document. Real ones are below 1 KB; more is somebody else's page.
pub const DOCUMENT_BYTES: u64 = 64 << 10;

/// Where a document says things (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointers {
    pub package: String,
    pub sha256: Option<String>,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub address: Address,
    pub sha256: Option<Digest>,
}

/// Whether a text can be a JSON pointer at all.
pub fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.starts_with('/') && escapes
}

/// Reads a document that was found at `at`; the error says what it lacks.
pub fn read(bytes: &[u8], at: &Address, pointers: &Pointers) -> Result<Named, String> {
    // A byte order mark is no JSON, and yet some servers send one.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let json: Value = serde_json::from_slice(bytes).map_err(|why| {
        let start = Shown::bytes(&bytes[..bytes.len().min(40)]);
        format!("not JSON: {why}; it begins with `{start}`")
    })?;
    let text = |pointer: &str| match json.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("`{pointer}` is no string")),
        None => Err(format!("there is no `{pointer}`")),
    };
    let reference = text(&pointers.package)?;
    let address = at.join(reference).map_err(|why| format!("`{}`: {why}", Shown::text(reference)))?;
    let sha256 = match &pointers.sha256 {
        None => None,
        Some(pointer) => {
            let hex = text(pointer)?;
            let digest = Digest::from_hex(hex.trim());
            Some(digest.ok_or_else(|| format!("`{pointer}` is no SHA-256: `{}`", Shown::text(hex)))?)
        }
    };
    Ok(Named { address, sha256 })
}

/// For the fuzzer: any bytes as a document.
pub fn read_any(bytes: &[u8]) {
    if let Ok(at) = Address::parse("https://prep.example/datos/ultimo.json") {
        let pointers = Pointers { package: "/ultimo".into(), sha256: Some("/sha256".into()) };
        let _ = read(bytes, &at, &pointers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(json: &str, sha256: Option<&str>) -> Result<Named, String> {
        let at = Address::parse("https://prep.example/datos/ultimo.json").unwrap();
        let pointers = Pointers { package: "/cortes/0/url".into(), sha256: sha256.map(str::to_owned) };
        read(json.as_bytes(), &at, &pointers)
    }

    #[test]
    fn it_names_a_package_and_perhaps_its_sum() {
        let hex = "a".repeat(64);
        let json = format!("\u{feff}{{\"cortes\": [{{\"url\": \"../20260607_2010.zip\"}}], \"suma\": \"{hex}\"}}");
        let found = named(&json, Some("/suma")).unwrap();
        assert_eq!(found.address.as_str(), "https://prep.example/20260607_2010.zip");
        assert_eq!(found.sha256, Digest::from_hex(&hex));
        assert_eq!(named(&json, None).unwrap().sha256, None);
    }

    #[test]
    fn what_it_lacks_is_said() {
        for (json, sha256, why) in [
            ("<html>403 Forbidden</html>", None, "begins with `<html>403"),
            ("{}", None, "there is no `/cortes/0/url`"),
            (r#"{"cortes": [{"url": 7}]}"#, None, "is no string"),
            (r#"{"cortes": [{"url": "ftp://a/b"}]}"#, None, "expected http"),
            (r#"{"cortes": [{"url": ""}]}"#, None, "expected 1 to"),
            (r#"{"cortes": [{"url": "a"}]}"#, Some("/suma"), "there is no `/suma`"),
            (r#"{"cortes": [{"url": "a"}], "suma": "x"}"#, Some("/suma"), "no SHA-256"),
        ] {
            let told = named(json, sha256).unwrap_err();
            assert!(told.contains(why), "{json}: {told}");
        }
        assert!(named(&"[".repeat(60_000), None).is_err(), "depth is bounded");
    }

    #[test]
    fn pointers_look_like_pointers() {
        assert!(is_pointer("/ultimo") && is_pointer("/a~1b/0") && is_pointer("/"));
        assert!(!is_pointer("") && !is_pointer("ultimo") && !is_pointer("/a~2") && !is_pointer("/a~"));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            read_any(&bytes);
        }
    }
}
