//! Which paths a package may hold, one by one and taken together.

use std::collections::HashMap;

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

use super::Refusal;
use super::limits::{PATH_BYTES, SEGMENT_BYTES};
use crate::base::shown::Shown;

/// A path as a package may hold it: relative, `/`-separated, UTF-8, of plain segments.
pub(super) fn check(path: &[u8]) -> Result<&str, Refusal> {
    let shown = || Shown::bytes(path);
    if path.len() > PATH_BYTES {
        return Err(Refusal::PathTooLong { path: shown(), limit: PATH_BYTES });
    }
    let path = str::from_utf8(path).map_err(|_| Refusal::PathNotUtf8 { path: shown() })?;
    // Nearly all paths are printable ASCII, which is seen without taking them apart.
    if !path.bytes().all(|b| matches!(b, b' '..=b'~')) && path.chars().any(is_control) {
        return Err(Refusal::PathControlCharacter { path: shown() });
    }
    if path.contains('\\') {
        return Err(Refusal::PathBackslash { path: shown() });
    }
    if path.starts_with('/') {
        return Err(Refusal::PathAbsolute { path: shown() });
    }
    for segment in path.as_bytes().split(|b| *b == b'/') {
        match segment {
            b"" => return Err(Refusal::PathEmptySegment { path: shown() }),
            b"." => return Err(Refusal::PathDotSegment { path: shown() }),
            b".." => return Err(Refusal::PathDotDot { path: shown() }),
            _ if segment.len() > SEGMENT_BYTES => {
                return Err(Refusal::PathTooLong { path: shown(), limit: SEGMENT_BYTES });
            }
            _ => {}
        }
    }
    Ok(path)
}

/// The control characters, and those that turn the direction of writing (Unicode's Bidi_Control): by them a name looks
/// like another.
fn is_control(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// Checks paths against each other: no two may be the same file on a file system that folds case or
/// Unicode forms, and none may be a file and a folder.
pub(super) fn distinct<'a>(paths: impl Iterator<Item = &'a str>) -> Result<(), Refusal> {
    // NUL, which is in no path, sorts before all else: what is below a path then follows right upon it.
    let mut sorted: Vec<(String, &str)> = paths.map(|path| (folded(path).replace('/', "\0"), path)).collect();
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        let [(folded, path), (next, other)] = pair else { continue };
        match next.strip_prefix(folded.as_str()) {
            Some("") => return Err(same(other, path)),
            Some(below) if below.starts_with('\0') => {
                return Err(Refusal::PathFileAndFolder { path: Shown::text(path), other: Shown::text(other) });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks files against the folders that an archive names by themselves: a folder that has nothing in it cannot be told
/// from the paths of files.
pub(super) fn apart<'a>(files: impl Iterator<Item = &'a str>, folders: &[String]) -> Result<(), Refusal> {
    let folders: HashMap<String, &String> = folders.iter().map(|folder| (folded(folder), folder)).collect();
    for path in files.filter(|_| !folders.is_empty()) {
        if let Some(folder) = folders.get(&folded(path)) {
            return Err(Refusal::PathFileAndFolder { path: Shown::text(path), other: Shown::text(folder) });
        }
    }
    Ok(())
}

fn same(path: &str, other: &str) -> Refusal {
    let (shown, other_shown) = (Shown::text(path), Shown::text(other));
    if path == other {
        Refusal::PathTwice { path: shown }
    } else if path.nfc().eq(other.nfc()) {
        Refusal::PathSameNfc { path: shown, other: other_shown }
    } else {
        Refusal::PathSameFolded { path: shown, other: other_shown }
    }
}

/// Equal for paths that are a canonical caseless match (Unicode 3.13, D145).
fn folded(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    let decomposed: String = path.nfd().collect();
    UniCase::unicode(decomposed).to_folded_case().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(path: &[u8]) -> &'static str {
        check(path).map_or_else(|refusal| refusal.code(), |_| "")
    }

    fn together(paths: &[&str]) -> &'static str {
        distinct(paths.iter().copied()).map_or_else(|refusal| refusal.code(), |()| "")
    }

    #[test]
    fn each_rule_has_its_refusal() {
        assert_eq!(code("sitio/índice (1).html".as_bytes()), "");
        assert_eq!(code(b"sitio/...x"), "");
        assert_eq!(code(b"sitio/\xff"), "P021");
        assert_eq!(code(b"/etc/passwd"), "P022");
        assert_eq!(code(b"sitio/../x"), "P023");
        assert_eq!(code(b".."), "P023");
        assert_eq!(code(b"sitio//x"), "P024");
        assert_eq!(code(b"sitio/"), "P024");
        assert_eq!(code(b""), "P024");
        assert_eq!(code(b"./x"), "P025");
        assert_eq!(code(b"a/./x"), "P025");
        assert_eq!(code(b"a\\x"), "P026");
        assert_eq!(code(b"a\nx"), "P027");
        assert_eq!(code(b"a\0x"), "P027");
        assert_eq!(code("a\u{85}x".as_bytes()), "P027");
        assert_eq!(code("sitio/\u{202e}lmth.xedni".as_bytes()), "P027");
        assert_eq!(code("sitio/\u{2066}a".as_bytes()), "P027");
        // Joiners are a part of writing.
        assert_eq!(code("sitio/nin\u{303}o \u{1f468}\u{200d}\u{1f467}".as_bytes()), "");
        assert_eq!(code(&[b'a'; 256]), "P016");
        assert_eq!(code("a/".repeat(600).as_bytes()), "P016");
    }

    #[test]
    fn paths_are_compared_as_forgiving_disks_do() {
        assert_eq!(together(&["a", "b", "a.b/c", "a.b/d"]), "");
        assert_eq!(together(&["a", "b", "a"]), "P028");
        assert_eq!(together(&["datos/A.json", "datos/a.json"]), "P029");
        assert_eq!(together(&["straße", "STRASSE"]), "P029");
        assert_eq!(together(&["Ñ\u{308}", "n\u{303}\u{308}"]), "P029");
        assert_eq!(together(&["a\u{301}", "á"]), "P030");
        assert_eq!(together(&["a", "a/b"]), "P031");
        assert_eq!(together(&["a", "a\u{1f}", "a b", "a-b/c", "a/b/c", "a.b"]), "P031");
        assert_eq!(together(&["a/b/c", "a.b", "a b", "a"]), "P031", "whatever sorts between them");
        assert_eq!(together(&["x/a/b/c", "X/A"]), "P031");
        let beside = |folder: &str| apart(["x/a"].into_iter(), &[folder.into()]).is_ok();
        assert!(beside("x") && beside("x/b") && !beside("X/a"));
    }

    proptest! {
        #[test]
        fn never_panics(path in any::<Vec<u8>>(), a in ".{0,20}", b in ".{0,20}") {
            let _ = check(&path);
            let _ = distinct([a.as_str(), b.as_str()].into_iter());
        }

        #[test]
        fn what_passes_stays_inside(path in "[a./\\\\ñ\n]{0,12}") {
            if check(path.as_bytes()).is_ok() {
                let out = std::path::Path::new(&path);
                prop_assert!(out.components().all(|c| matches!(c, std::path::Component::Normal(_))));
                prop_assert_eq!(out.components().count(), path.split('/').count());
            }
        }
    }
}
