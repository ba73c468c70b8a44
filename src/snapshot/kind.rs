//! What the heads of many files say alike: one piece of memory for each kind, so that HTTP/2 knows it again wherever it comes
//! from, and has it in its tables.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::content::Coding;

/// Kinds that were asked for: as many as there are media types and codings.
static KINDS: Mutex<Vec<(&'static str, Coding, Bytes)>> = Mutex::new(Vec::new());

/// The fields of a 200 that media type and coding decide, as HTTP/1.1 writes them, each with its line end. The same memory for
/// the same lines, as long as the process lives.
pub(super) fn lines(content_type: &'static str, coding: Coding) -> Bytes {
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., lines)) = kinds.iter().find(|(known, of, _)| (*known, *of) == (content_type, coding)) {
        return lines.clone();
    }
    // What is downloaded and resumed comes as it is (a ZIP, an acta); a coded page is asked for again. A part is sent all the
    // same to whoever asks for one (RFC 9110, 14.3).
    let rest = match coding {
        Coding::Identity => "accept-ranges: bytes\r\n".to_owned(),
        _ => format!("content-encoding: {}\r\n", coding.name()),
    };
    let lines = Bytes::from(format!("content-type: {content_type}\r\n{rest}"));
    kinds.push((content_type, coding, lines.clone()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_one_piece_of_memory() {
        let one = lines("text/csv", Coding::Br);
        assert_eq!(one, "content-type: text/csv\r\ncontent-encoding: br\r\n");
        assert_eq!(one.as_ptr(), lines("text/csv", Coding::Br).as_ptr());
        assert_eq!(lines("text/csv", Coding::Identity), "content-type: text/csv\r\naccept-ranges: bytes\r\n");
    }
}
