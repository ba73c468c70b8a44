//! One call that holds what is read at a look against the general reader: for the fuzz target `origin_response` and the property
//! test.

use http::StatusCode;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

use super::super::hops;
use super::super::upstream::own::fuzz;
use super::response::{self, Answer};
use crate::proxy::failure::Failure;

/// Reads the beginning of `bytes` both ways; whether the one at a look would do.
///
/// # Panics
/// Where they differ.
pub fn check(bytes: &[u8], to_head: bool) -> bool {
    let mut out = Vec::new();
    let Some(Answer { status, body, left, is_dated, .. }) = response::read(bytes, to_head, &mut out) else {
        return false;
    };
    let seen = fuzz::read(bytes, &[], to_head);
    let ([(general, fields)], end) = (seen.heads(), seen.end()) else { panic!("more than one head") };
    assert_eq!((status.as_u16(), body), (*general, seen.body()));
    match left {
        0 => assert_eq!(end, (Some(Ok(())), 0)),
        _ => assert_eq!(end, (Some(Err(Failure::Reset)), 0)),
    }
    let mut fields = fields.clone();
    assert!(is_dated == fields.contains_key("date") && !fields.contains_key(TRANSFER_ENCODING));
    hops::strip(&mut fields).expect("nothing is named by Connection");
    let has_body = !to_head && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if status == StatusCode::NO_CONTENT {
        fields.remove(CONTENT_LENGTH);
    } else if has_body {
        fields.insert(CONTENT_LENGTH, (body.len() as u64 + left).into());
    }
    assert_eq!(lines(&out), fields);
    true
}

/// The lines behind the first.
fn lines(head: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
        let line = line.strip_suffix(b"\r").expect("a whole line");
        let at = line.windows(2).position(|two| two == b": ").expect("a field");
        let name = HeaderName::from_lowercase(&line[..at]).expect("in lower case");
        fields.append(name, HeaderValue::from_bytes(&line[at + 2..]).expect("a value"));
    }
    fields
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    fn response() -> impl Strategy<Value = Vec<u8>> {
        let start = prop_oneof![6 => Just("HTTP/1.1 200 OK"), 1 => Just("HTTP/1.1 204 No"), 1 => Just("HTTP/1.1 304 No"), 1 => Just("HTTP/1.0 200 OK")];
        let field = prop_oneof![
            4 => "[A-Za-z-]{1,8}: [ -~]{0,12}",
            4 => Just("Content-Length: 5".to_owned()),
            1 => prop_oneof![Just("Content-Length: 007"), Just("Content-Length: +5"), Just("Transfer-Encoding: chunked")].prop_map(str::to_owned),
            2 => prop_oneof![Just("Connection: keep-alive"), Just("Connection: x-a"), Just("TE: x"), Just("Date: x")].prop_map(str::to_owned),
        ];
        let body = prop_oneof![3 => Just("hola!".to_owned()), 1 => "[ -~]{0,9}"];
        (start, proptest::collection::vec(field, 0..5), body)
            .prop_map(|(start, fields, body)| format!("{start}\r\n{}\r\n\r\n{body}", fields.join("\r\n")).into_bytes())
    }

    #[test]
    fn what_is_read_at_a_look_is_what_is_read() {
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) };
        let taken = Cell::new(0);
        let outcome =
            proptest::test_runner::TestRunner::new(config).run(&(response(), any::<bool>()), |(bytes, to_head)| {
                taken.set(taken.get() + u32::from(check(&bytes, to_head)));
                Ok(())
            });
        outcome.unwrap();
        assert!(taken.get() > 50, "{taken:?}");
    }
}
