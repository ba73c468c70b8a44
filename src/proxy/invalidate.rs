//! What an answered write makes invalid (RFC 9111, 4.4).

use fluent_uri::{Uri, UriRef};
use http::header::{CONTENT_LOCATION, HeaderMap, HeaderName, LOCATION};
use http::{Method, StatusCode};

use super::request::{Use, use_of};

/// Bytes of an address. Longer ones are nobody's key.
const ADDRESS_BYTES: usize = 8_192;
const NAMED: [HeaderName; 2] = [LOCATION, CONTENT_LOCATION];

/// The addresses whose stored responses count no longer: the target, and what `Location` and `Content-Location` name of the
/// same origin, for another's must not be touched. Nothing after an error, or a safe method.
pub fn after(method: &Method, target: &str, status: StatusCode, answered: &HeaderMap) -> Vec<String> {
    if use_of(method) != Use::Write || !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut invalid = vec![target.to_owned()];
    let Ok(base) = Uri::parse(target) else { return invalid };
    for value in NAMED.iter().filter_map(|name| answered.get(name)) {
        let text = value.to_str().ok().filter(|text| text.len() <= ADDRESS_BYTES);
        let Some(reference) = text.and_then(|text| UriRef::parse(text).ok()) else { continue };
        let Ok(named) = reference.resolve_against(&base.strip_fragment()) else { continue };
        let named = named.strip_fragment().as_str().to_owned();
        let same = Uri::parse(named.as_str()).is_ok_and(|uri| origin(&uri).is_some() && origin(&uri) == origin(&base));
        if same && !invalid.contains(&named) {
            invalid.push(named);
        }
    }
    invalid
}

/// Scheme, host and port (RFC 9110, 4.3.1); `None` for what has none.
fn origin(uri: &Uri<&str>) -> Option<(String, String, u16)> {
    let scheme = uri.scheme().as_str().to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = uri.authority()?;
    let port = authority.port_to_u16().ok()?.unwrap_or(usual);
    Some((scheme, authority.host().to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_a_write_makes_invalid() {
        let target = "https://a.mx/x/y?z";
        // (section of RFC 9111, method, status, Location, what more than the target; `None`: nothing at all)
        for (section, method, status, location, more) in [
            ("4.4", "POST", 201, "/new", Some(vec!["https://a.mx/new"])),
            ("4.4", "POST", 303, "b#c", Some(vec!["https://a.mx/x/b"])),
            ("4.4", "PUT", 204, "https://A.mx:443/w", Some(vec!["https://A.mx:443/w"])),
            ("4.4", "PUT", 204, "http://a.mx/w", Some(vec![])),
            ("4.4", "PUT", 204, "//b.mx/w", Some(vec![])),
            ("4.4", "DELETE", 200, ":bad:", Some(vec![])),
            ("4.4", "QUUX", 200, target, Some(vec![])),
            ("4.4", "POST", 500, "/new", None),
            ("9.2.1", "OPTIONS", 200, "/new", None),
        ] {
            let answered = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            let got = after(&method.parse().unwrap(), target, status.try_into().unwrap(), &answered);
            let expected = more.map_or(vec![], |more| [vec![target], more].concat());
            assert_eq!(got, expected, "{section} {method} {status} {location}");
        }
    }
}
