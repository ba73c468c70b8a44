//! Who may be sent a difference, and from what (RFC 9842).

use super::fields::Fields;
use crate::base::digest::Digest;
use crate::proxy::structured;
use crate::snapshot::negotiate::Accepted;
use crate::snapshot::{Content, Difference, Lineage};

/// What a request may be answered with: a content, and what is known of its path.
pub struct Offered<'e> {
    pub content: &'e Content,
    pub lineage: Option<&'e Lineage>,
    /// The bytes that the client says it has.
    pub dictionary: Option<Digest>,
}

impl<'e> Offered<'e> {
    /// Differences that this client can read. None where a part is asked for: of what is different from something else
    /// nobody could put a part to use.
    pub fn differences(&self, fields: &Fields) -> impl Iterator<Item = &'e Difference> + use<'e> {
        let dictionary = self.dictionary.filter(|_| fields.range.is_none());
        let found = self.lineage.zip(dictionary);
        found.into_iter().flat_map(|(lineage, digest)| lineage.with(digest))
    }
}

/// The dictionary that a client has and that may be used for it. A malformed field says nothing, nor does a second one.
pub fn dictionary(fields: &Fields, accepted: &Accepted) -> Option<Digest> {
    let said = fields.available_dictionary.single()?;
    if !accepted.takes_differences() || !is_readable(fields) {
        return None;
    }
    let bytes = structured::byte_sequence(said, size_of::<Digest>())?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

/// Whether whoever asks may read what comes (section 9.3.2). A page of another origin that may not, could learn from the
/// length how near two contents are; ours are public, but then it is a browser that would refuse the response. Every
/// response of ours says `Access-Control-Allow-Origin: *`.
fn is_readable(fields: &Fields) -> bool {
    let is_own = fields.sec_fetch_site.single() == Some(b"same-origin");
    match fields.sec_fetch_mode.single() {
        _ if is_own => true,
        Some(b"navigate" | b"same-origin") => true,
        Some(b"cors") => !fields.origin.is_none(),
        Some(_) => false,
        None => fields.sec_fetch_mode.is_none(),
    }
}

/// Whether a host is this machine, by which name a browser trusts it without TLS (Secure Contexts, 3.1).
pub fn is_local(host: &[u8]) -> bool {
    let port = |rest: &[u8]| rest.is_empty() || (rest[0] == b':' && rest[1..].iter().all(u8::is_ascii_digit));
    let names: [&[u8]; 3] = [b"localhost", b"127.0.0.1", b"[::1]"];
    names.iter().any(|name| {
        host.split_at_checked(name.len()).is_some_and(|(is, rest)| is.eq_ignore_ascii_case(name) && port(rest))
    })
}
