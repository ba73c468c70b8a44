//! A folder of `src/` imports from lower floors only: no circles, and no shortcuts from the counter to the vault.

use std::path::Path;

use crate::sources;

const FLOORS: [(&str, u8); 18] = [
    ("base", 0),
    ("corte", 1),
    ("schedule", 2),
    ("record", 2),
    ("portal", 3),
    ("store", 3),
    ("snapshot", 4),
    ("ingest", 5),
    ("proxy", 5),
    ("http", 6),
    ("admin", 7),
    ("config", 8),
    ("app", 9),
    ("inspect", 10),
    ("readers", 10),
    ("rehearse", 10),
    ("report", 10),
    ("cli", 11),
];
/// Lower floors that a folder must not know all the same.
const FORBIDDEN: [(&str, &str); 3] = [("http", "store"), ("http", "ingest"), ("http", "corte")];

fn floor(folder: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

/// The folder that a source file belongs to: `http` for `http/tls.rs`; `None` for `lib.rs` and `main.rs`.
fn folder(path: &Path) -> Option<String> {
    let mut parts = path.components();
    let first = parts.next()?.as_os_str().to_str()?.to_owned();
    parts.next().map(|_| first)
}

/// The folders that a text names by `crate::` or `super::super::`, with the numbers of the lines: in code, in tests and
/// in links of documentation alike.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "super::super::"] {
        for (at, _) in text.match_indices(root) {
            let line = text[..at].matches('\n').count() + 1;
            let rest = text[at..].trim_start_matches("super::").trim_start_matches("crate::");
            let names = match rest.strip_prefix('{') {
                Some(group) => members(group),
                None => vec![rest],
            };
            found.extend(names.into_iter().map(|name| (line, identifier(name))));
        }
    }
    found
}

/// What stands first in each member of `{a::{b, c}, d}`; `group` begins after the brace.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                found.push(group[start..at].trim());
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if c == '}' && start == at + 1 {
            break;
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Why `from` must not import `to`.
fn fault(from: &str, to: &str) -> Option<String> {
    // A path within the own folder, or one that names no folder at all.
    let above = floor(to).filter(|_| from != to)?;
    let own = floor(from)?;
    if FORBIDDEN.contains(&(from, to)) {
        return Some(format!("{from} must not know {to}"));
    }
    (above >= own).then(|| format!("{from} (floor {own}) imports {to} (floor {above})"))
}

#[test]
fn folders_import_from_lower_floors_only() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for (path, text) in sources() {
        let Some(from) = folder(&path) else { continue };
        assert!(floor(&from).is_some(), "src/{from} stands on no floor: give it one here and in ARCHITECTURE.md");
        for (line, to) in imports(&text) {
            seen += usize::from(floor(&to).is_some() && to != from);
            if let Some(fault) = fault(&from, &to) {
                faults.push(format!("src/{}:{line}: {fault}", path.display()));
            }
        }
    }
    assert!(seen > 50, "imports are found: {seen}");
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_walk_sees_every_form_of_import() {
    let text = "use crate::{ingest::{A, B}, store};\n/// [`crate::corte::Id`]\nfn f() { crate::app::x(); }\n\
                mod tests {\n    use super::super::cli::Y;\n}";
    let mut found = imports(text);
    found.sort();
    let expected = [(1, "ingest"), (1, "store"), (2, "corte"), (3, "app"), (5, "cli")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));
    for (from, to) in
        [("http", "corte"), ("http", "ingest"), ("corte", "snapshot"), ("portal", "store"), ("base", "cli")]
    {
        assert!(fault(from, to).is_some(), "{from} {to}");
    }
    for (from, to) in [("http", "snapshot"), ("ingest", "corte"), ("http", "http"), ("app", "HeaderMap")] {
        assert_eq!(fault(from, to), None);
    }
}
