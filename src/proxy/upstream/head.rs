//! A request's head in the form that a protocol wants. Knows nothing of connections.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri, Version};
use http_body::Body;

use crate::proxy::failure::Failure;

pub fn asks_upgrade<B>(request: &Request<B>) -> bool {
    let options = request.headers().get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let mut options = options.flat_map(|value| value.split(','));
    request.headers().contains_key(UPGRADE) && options.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
}

/// Origin form, and the authority in `Host` (RFC 9112, 3.2). Without effect the second time.
pub fn for_http1<B: Body>(request: &mut Request<B>) -> Result<(), Failure> {
    *request.version_mut() = Version::HTTP_11;
    // hyper takes the body of a GET for none where its length is not told.
    let is_untold = request.body().size_hint().exact().is_none() && !request.headers().contains_key(CONTENT_LENGTH);
    if is_untold && !request.body().is_end_stream() {
        request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let Some(authority) = request.uri().authority() else { return Ok(()) };
    // Whatever stands before an `@` is for nobody else to know (RFC 9110, 4.2.4).
    let host = HeaderValue::from_str(host(authority)).map_err(|_| Failure::Malformed)?;
    request.headers_mut().insert(HOST, host);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok(())
}

/// The connection is not used again (RFC 9112, 9.6), unless it becomes something else.
pub fn for_one<B>(request: &mut Request<B>) {
    if !asks_upgrade(request) {
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// All in the pseudo-fields (RFC 9113, 8.3.1). The scheme is what the origin itself hears: some refuse another.
pub fn for_http2<B>(request: &mut Request<B>, is_secure: bool) -> Result<(), Failure> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(TRANSFER_ENCODING);
    let told = request.headers_mut().remove(HOST);
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.authority = match (parts.authority, told) {
        (Some(authority), _) => Some(host(&authority).parse().map_err(|_| Failure::Malformed)?),
        // It was on its way by HTTP/1.1 before.
        (None, Some(told)) => Some(Authority::try_from(told.as_bytes()).map_err(|_| Failure::Malformed)?),
        (None, None) => return Err(Failure::Malformed),
    };
    parts.scheme = Some(if is_secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Failure::Malformed)?;
    Ok(())
}

/// Without what may stand before it.
pub fn host(authority: &Authority) -> &str {
    let whole = authority.as_str();
    whole.rsplit_once('@').map_or(whole, |(_, host)| host)
}
