//! Which files a stamp rule looks into: a pattern for a path, and behind each `!` one for a file in that ZIP archive.

use crate::base::pattern;
use crate::base::shown::Shown;
use crate::corte::limits::Meter;
use crate::corte::read::{Each, Most, each_in_zip};
use crate::corte::{Limits, Refusal};

/// ZIP archives within each other: the archive of the corte, that of an election in it, and one to spare.
const DEPTH: usize = 3;
/// Characters of the pattern.
const PATTERN_CHARS: usize = 1024;
/// Files that may match: all cortes of a night, should the authority leave them lying, in one archive each.
const MATCHES: usize = 512;
/// Bytes that all archives together may unpack to while a stamp is looked for: a country's CSV has some 40 MB.
const UNPACKED: u64 = 256 << 20;

/// The pattern, taken apart: of the path, then of the names in archives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inside {
    parts: Vec<String>,
    text: String,
}

impl Inside {
    pub fn parse(text: &str) -> Result<Inside, String> {
        let parts: Vec<String> = text.split('!').map(str::to_string).collect();
        if text.chars().count() > PATTERN_CHARS {
            Err(format!("is longer than {PATTERN_CHARS} characters"))
        } else if parts.iter().any(String::is_empty) {
            Err("names no file; expected a path with * and ?, and a ! before each name inside a ZIP archive".into())
        } else if parts.len() > DEPTH + 1 {
            Err(format!("goes into more than {DEPTH} archives"))
        } else if parts.iter().any(|part| part.starts_with('/')) {
            Err("begins with a slash; paths in the tree have none in front".into())
        } else {
            Ok(Inside { parts, text: text.to_string() })
        }
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Calls `each` for every file that matches, with its path as the pattern writes it (`a.zip!b.csv`) and its bytes:
    /// all, or the first `most` if that is enough.
    pub fn each(&self, files: &[(&str, &[u8])], most: Most, each: &mut Each<'_>) -> Result<(), Refusal> {
        let limits = Limits { total_bytes: UNPACKED, file_bytes: UNPACKED, ..Limits::default() };
        let meter = Meter::new(&limits);
        let mut search = Search { pattern: &self.text, meter: &meter, most, found: 0, each };
        let (first, inner) = self.parts.split_first().map_or(("", &[][..]), |(first, inner)| (first, inner));
        for (path, bytes) in files.iter().filter(|(path, _)| pattern::matches(first, path)) {
            search.visit(path, bytes, inner)?;
        }
        match search.found {
            0 => Err(Refusal::StampFileMissing { pattern: Shown::text(&self.text) }),
            _ => Ok(()),
        }
    }
}

struct Search<'s> {
    pattern: &'s str,
    meter: &'s Meter<'s>,
    most: Most,
    found: usize,
    each: &'s mut Each<'s>,
}

impl Search<'_> {
    fn visit(&mut self, path: &str, bytes: &[u8], inner: &[String]) -> Result<(), Refusal> {
        let Some((first, deeper)) = inner.split_first() else {
            self.found += 1;
            if self.found > MATCHES {
                return Err(Refusal::StampFiles { pattern: Shown::text(self.pattern), limit: MATCHES });
            }
            return (self.each)(path, self.most.of(bytes, path)?);
        };
        // An archive is needed whole, whatever is enough of the file at the end.
        let most = if deeper.is_empty() { self.most } else { Most::Whole(UNPACKED) };
        let wanted = |name: &str| pattern::matches(first, name);
        // One after the other, so that no more than one file of each depth is in memory.
        each_in_zip(bytes, path, self.meter, most, &wanted, &mut |name, bytes| {
            self.visit(&format!("{path}!{name}"), bytes, deeper)
        })
    }
}
