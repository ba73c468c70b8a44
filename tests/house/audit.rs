//! Every check of `difusor audit` is in docs/audit.md, once, and no other is; and no name is given that is none.

use difusor::inspect::CHECKS;

use crate::{root, sources};

#[test]
fn the_table_of_checks_is_complete() {
    let text = std::fs::read_to_string(root().join("docs/audit.md")).unwrap();
    let (_, checks) = text.split_once("## Checks").unwrap();
    let listed: Vec<&str> = checks.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let known: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, known);
}

#[test]
fn a_name_that_is_given_is_in_the_table() {
    let mut seen = 0;
    for (path, text) in sources().iter().filter(|(path, _)| path.starts_with("inspect")) {
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in [".ok(\"", ".warn(\"", ".fault(\""] {
            for (at, _) in program.match_indices(call) {
                let name = program[at + call.len()..].split('"').next().unwrap_or_default();
                assert!(CHECKS.iter().any(|(known, _)| *known == name), "{}: {name}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "calls are found: {seen}");
}
