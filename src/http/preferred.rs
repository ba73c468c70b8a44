//! Whether a client that cannot have what it asked for wants to be told in HTML or in JSON (RFC 9110, 12.5.1).

use super::fields::{Fields, Lines};

/// Members of `Accept` that are looked at: more name nothing that decides.
const MEMBERS_MAX: usize = 32;
const HTML: &[u8] = b"text/html";

/// True for JSON: where it is named and weighs no less than HTML, or where nothing is preferred and a JSON was asked for.
pub fn wants_json(accept: &Lines, path: &str) -> bool {
    let (mut html, mut json, mut any) = (None, None, None);
    for member in accept.iter().flat_map(|line| line.split(|b| *b == b',')).take(MEMBERS_MAX) {
        let mut parts = member.split(|b| *b == b';').map(<[u8]>::trim_ascii);
        let range = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(weight).unwrap_or(1000);
        let best = match &range[..] {
            b"text/html" | b"application/xhtml+xml" | b"text/*" => &mut html,
            b"application/json" | b"application/problem+json" | b"application/*" => &mut json,
            b"*/*" => &mut any,
            _ => continue,
        };
        *best = (*best).max(Some(weight));
    }
    match (html, json) {
        (Some(html), Some(json)) => json > html,
        (None, Some(json)) => any.is_none_or(|any| json >= any),
        (Some(_), None) => false,
        (None, None) => path.ends_with(".json") || path.ends_with(".geojson"),
    }
}

/// True for a person who goes to a page, in a window or a frame (Fetch Metadata, 2.1); where nobody says, for whoever names
/// HTML. What fills an image or is read by a script is seen by nobody.
pub fn wants_html(fields: &Fields) -> bool {
    match fields.sec_fetch_dest.single() {
        Some(dest) => [&b"document"[..], b"iframe", b"frame", b"embed", b"object"].contains(&dest),
        None => fields.accept.iter().any(|line| line.windows(HTML.len()).any(|part| part.eq_ignore_ascii_case(HTML))),
    }
}

/// `q=0.5` as 500 (RFC 9110, 12.4.2); what is malformed weighs nothing.
fn weight(part: &[u8]) -> Option<u16> {
    let value = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q="))?;
    let value: Option<f32> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    Some(value.filter(|q| (0.0..=1.0).contains(q)).map_or(0, |q| (q * 1000.0) as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_for_people_and_json_for_programs() {
        let cases: [(&[u8], &str, bool); 12] = [
            (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "x.json", false),
            (b"application/json", "", true),
            (b"application/json, text/plain, */*", "", true),
            (b"APPLICATION/JSON;Q=0.5, */*;q=0.1", "", true),
            (b"application/json;q=0.1, text/html", "", false),
            (b"application/json, text/html;q=0.9", "", true),
            (b"application/json;q=x, */*", "", false),
            (b"*/*", "datos/total.json", true),
            (b"*/*", "index.html", false),
            (b"", "a.json", true),
            (b"image/avif,image/webp", "a.png", false),
            (b";;,,q=", "", false),
        ];
        for (accept, path, expected) in cases {
            assert_eq!(wants_json(&Lines::One(accept), path), expected, "{}", String::from_utf8_lossy(accept));
        }
        assert!(!wants_json(&Lines::None, "") && wants_json(&Lines::None, "a.json"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(accept: Vec<u8>, path: String) {
            let _ = wants_json(&Lines::One(&accept), &path);
        }
    }
}
