//! Every code under which a package may be refused, or a source may fail, is in docs/codes.md, once, and no other is.

use std::collections::BTreeSet;

use crate::{root, sources};

/// `P` or `S` and three digits.
fn is_code(text: &str) -> bool {
    text.len() == 4 && text.starts_with(['P', 'S']) && text[1..].bytes().all(|b| b.is_ascii_digit())
}

/// The codes that the program can give: string literals that are one, outside of tests.
fn given() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (path, text) in sources() {
        // The journal's table repeats what others give.
        if path.ends_with("record/kinds.rs") {
            continue;
        }
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        codes.extend(program.split('"').filter(|literal| is_code(literal)).map(str::to_owned));
    }
    assert!(codes.contains("P001") && codes.contains("S001"), "codes are found: {codes:?}");
    codes
}

#[test]
fn the_journal_has_a_sentence_for_each() {
    let rows: BTreeSet<String> =
        difusor::record::TABLE.iter().map(|row| row.code.to_owned()).filter(|code| is_code(code)).collect();
    assert_eq!(rows, given(), "src/record/kinds.rs has a row for each code, and no other");
}

#[test]
fn the_manual_has_them_all() {
    let text = std::fs::read_to_string(root().join("docs/codes.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut listed = BTreeSet::new();
    for (code, rest) in rows {
        assert!(is_code(code), "{code} is no code");
        let columns: Vec<&str> = rest.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(columns.len(), 3, "{code}: meaning, whose fault, what to do");
        assert!(listed.insert(code.to_owned()), "{code} occurs twice");
    }
    let missing: Vec<_> = given().difference(&listed).cloned().collect();
    let unknown: Vec<_> = listed.difference(&given()).cloned().collect();
    assert!(missing.is_empty(), "not in docs/codes.md: {missing:?}");
    assert!(unknown.is_empty(), "in docs/codes.md, but never given: {unknown:?}");
}
