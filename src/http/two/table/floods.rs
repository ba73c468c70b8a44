//! RFC 9113, 10.5: what costs us and brings no request, by the attacks that have a number.

use super::Row;
use super::Told::{Answered, Ends, Goes};
use super::said::*;
use crate::http::two::frame::*;

pub(super) fn rows() -> Vec<Row> {
    let many = |n: usize, first: Vec<u8>, again: Vec<u8>| [vec![first], vec![again; n]].concat();
    let rapid = |n: u32| (0..n).flat_map(|n| [post(n * 2 + 1, &[]), rst(n * 2 + 1)]).collect();
    let made = |n: u32| (0..n).flat_map(|n| [post(n * 2 + 1, &[]), update(n * 2 + 1, 0)]).collect();
    let big = ("x", &*"a".repeat(4000));
    let calm = Ends(Reason::EnhanceYourCalm);
    let block_of = |fields: &[(&str, &str)]| block(&[&GET[..], fields].concat());
    let continued = frame(HEADERS, END_STREAM, 1, &block(&GET));
    vec![
        ("CVE-2023-44487 rapid reset", [vec![set(3, 1)], rapid(600)].concat(), calm),
        ("a page that is left", [vec![set(3, 1)], rapid(128)].concat(), Goes),
        ("CVE-2025-8671 streams that we have to reset", [vec![set(3, 1)], made(300)].concat(), calm),
        (
            "CVE-2024-27316 CONTINUATION without end",
            many(40, [set(3, 1), continued.clone()].concat(), frame(CONTINUATION, 0, 1, b"")),
            calm,
        ),
        (
            "CVE-2024-27316 CONTINUATION of much",
            many(4, [set(3, 1), continued].concat(), frame(CONTINUATION, 0, 1, &[0x82; 16_000])),
            calm,
        ),
        ("CVE-2019-9512 PING", many(1000, set(3, 1), frame(PING, 0, 0, &[0; 8])), calm),
        ("CVE-2019-9515 SETTINGS", many(100, set(3, 1), set(4, 9)), calm),
        ("CVE-2019-9513 PRIORITY", many(3000, set(3, 1), priority(7, 3)), calm),
        ("CVE-2019-9518 empty DATA", many(3000, [set(3, 1), post(1, &[])].concat(), data(1, "", false)), calm),
        ("CVE-2019-9517 WINDOW_UPDATE", many(3000, [set(4, 0), get(1)].concat(), update(0, 1)), calm),
        (
            "fields that are too large, again and again",
            [vec![set(3, 1)], (0..300).map(|n| request(1 + 2 * n, &block_of(&[big; 5]))).collect()].concat(),
            calm,
        ),
        ("10.5.1 fields that are too large", vec![set(3, 1), request(1, &block_of(&[big; 5]))], Answered(1)),
    ]
}
