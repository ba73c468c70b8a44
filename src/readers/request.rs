//! The requests that readers make, as bytes for HTTP/1.1 and as fields for HTTP/2.

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use http::{Request, Uri};

use super::crowd::Ask;
use super::plan::{Plan, Site};

const AGENT: &str = concat!("difusor-readers/", env!("CARGO_PKG_VERSION"));
/// What browsers say today; the second where they know compression dictionaries and may use them.
const PLAIN: &str = "gzip, deflate, br, zstd";
const WITH_DICTIONARIES: &str = "gzip, deflate, br, zstd, dcb, dcz";
const AVAILABLE_DICTIONARY: HeaderName = HeaderName::from_static("available-dictionary");

/// What is the same in all requests for one resource.
struct Prepared {
    path: String,
    /// Over HTTP/1.1, up to the fields that a reader's cache adds; without and with dictionaries.
    heads: [Vec<u8>; 2],
    uri: Uri,
}

/// Every resource's requests.
pub struct Requests {
    prepared: Vec<Prepared>,
    are_dictionaries_used: bool,
}

impl Requests {
    /// `None` where a path is none.
    pub fn new(plan: &Plan, site: &Site) -> Option<Requests> {
        let one = |path: &str| {
            let authority = site.origin.authority();
            let uri: Uri = format!("{}{path}", site.origin).parse().ok()?;
            let is_path = path.starts_with('/') && uri.path_and_query()?.as_str() == path;
            let head = |codings: &str| {
                format!(
                    "GET {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: {AGENT}\r\naccept: */*\r\naccept-encoding: {codings}\r\n"
                )
                .into_bytes()
            };
            is_path.then(|| Prepared { path: path.to_owned(), heads: [head(PLAIN), head(WITH_DICTIONARIES)], uri })
        };
        let prepared = plan.resources().map(one).collect::<Option<_>>()?;
        Some(Requests { prepared, are_dictionaries_used: site.is_trustworthy() })
    }

    pub fn path(&self, resource: u16) -> &str {
        self.prepared.get(usize::from(resource)).map_or("", |prepared| &prepared.path)
    }

    /// Writes a request over HTTP/1.1 behind what is in `out`.
    pub fn write(&self, ask: &Ask, out: &mut Vec<u8>) {
        let Some(prepared) = self.prepared.get(usize::from(ask.resource)) else { return };
        let has_dictionaries = ask.knows_dictionaries && self.are_dictionaries_used;
        out.extend_from_slice(&prepared.heads[usize::from(has_dictionaries)]);
        if let Some(etag) = etag(ask) {
            for part in [b"if-none-match: ", &etag[..], b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        if let Some(named) = self.named(ask) {
            for part in ["available-dictionary: ", &named, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The same over HTTP/2.
    pub fn http2(&self, ask: &Ask) -> Option<Request<()>> {
        let prepared = self.prepared.get(usize::from(ask.resource))?;
        let mut request = Request::new(());
        *request.uri_mut() = prepared.uri.clone();
        let fields: &mut HeaderMap = request.headers_mut();
        let has_dictionaries = ask.knows_dictionaries && self.are_dictionaries_used;
        let codings = if has_dictionaries { WITH_DICTIONARIES } else { PLAIN };
        fields.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        fields.insert(ACCEPT, HeaderValue::from_static("*/*"));
        fields.insert(ACCEPT_ENCODING, HeaderValue::from_static(codings));
        if let Some(etag) = etag(ask) {
            fields.insert(IF_NONE_MATCH, HeaderValue::from_maybe_shared(etag.clone()).ok()?);
        }
        if let Some(named) = self.named(ask) {
            fields.insert(AVAILABLE_DICTIONARY, HeaderValue::try_from(named).ok()?);
        }
        Some(request)
    }

    /// `Available-Dictionary`: the SHA-256 in Base64 between colons (RFC 9842, section 2.2).
    fn named(&self, ask: &Ask) -> Option<String> {
        let dictionary = ask.dictionary.as_ref().filter(|_| self.are_dictionaries_used)?;
        Some(format!(":{}:", Base64::encode_string(dictionary.digest.as_bytes())))
    }
}

fn etag(ask: &Ask) -> Option<&Bytes> {
    ask.kept.as_ref().and_then(|kept| kept.etag.as_ref())
}
