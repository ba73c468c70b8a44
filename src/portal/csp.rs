//! What our pages may do, told to the browser (CSP Level 3): what they bring with them, and nothing from anywhere else.

use base64ct::{Base64, Encoding};

use crate::base::digest::Digest;

/// The `content` of a `<meta>` for a page with this one inline style, and this one inline script if it is not empty.
/// `more` are directives of its own.
pub(super) fn policy(style: &str, script: &str, more: &[&str]) -> String {
    let style = source(style);
    let mut policy =
        format!("default-src 'none'; style-src {style}; img-src 'self' data:; base-uri 'none'; form-action 'none'");
    if !script.is_empty() {
        policy.push_str(&format!("; script-src {}; connect-src 'self'", source(script)));
    }
    for directive in more {
        policy.push_str("; ");
        policy.push_str(directive);
    }
    policy
}

/// CSP Level 3, 2.3.1, `hash-source`.
fn source(text: &str) -> String {
    format!("'sha256-{}'", Base64::encode_string(Digest::of(text.as_bytes()).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        // CSP Level 3, 8.4: alert('Hello, world.');
        assert_eq!(source("alert('Hello, world.');"), "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='");
    }
}
