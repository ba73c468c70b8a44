//! What a path's earlier cortes are good for: as dictionaries of what it has now, and it of what it will have (RFC 9842).

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use super::build::{Entry, Resource, Snapshot};
use super::content::Content;
use super::difference::{Difference, Differences, LEAST_BYTES, Pair, pair};
use crate::base::digest::Digest;

/// `Vary` of what has a lineage (RFC 9842, section 6.2).
pub const VARY: &str = "accept-encoding, available-dictionary";
/// A longer pattern is left out, and with it the dictionary: the field would be longer than what it saves.
const MATCH_MAX_BYTES: usize = 1024;

/// One path's.
#[derive(Debug)]
pub struct Lineage {
    /// `Use-As-Dictionary` (section 2.1). Without `match-dest`: whoever fetches it fetches the next one in the same way. Without
    /// `id`: the hash alone says which one it was.
    pub use_as_dictionary: HeaderValue,
    /// `Vary` and `Use-As-Dictionary` as HTTP/1.1 writes them, each with its line end.
    pub head: Bytes,
    /// `Use-As-Dictionary` alone, of it.
    pub own: Bytes,
    /// The latest dictionary first.
    differences: Vec<Arc<Difference>>,
}

impl Lineage {
    fn new(use_as_dictionary: HeaderValue, differences: Vec<Arc<Difference>>) -> Lineage {
        let value = use_as_dictionary.to_str().unwrap_or_default();
        let head = Bytes::from(format!("vary: {VARY}\r\nuse-as-dictionary: {value}\r\n"));
        let own = head.slice("vary: \r\n".len() + VARY.len()..);
        Lineage { use_as_dictionary, head, own, differences }
    }

    /// What may be sent to a client that has this dictionary.
    pub fn with(&self, dictionary: Digest) -> impl Iterator<Item = &Difference> {
        let is_of = move |difference: &&Arc<Difference>| *difference.dictionary() == dictionary;
        self.differences.iter().filter(is_of).map(|difference| &**difference)
    }

    /// `Vary` alone, with its line end.
    pub fn vary(&self) -> &[u8] {
        b"vary: accept-encoding, available-dictionary\r\n"
    }

    pub fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().map(|difference| &**difference)
    }
}

/// A difference that could be made.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub content: Arc<Content>,
    pub dictionary: Arc<Content>,
    /// How many cortes ago the dictionary was live last; 1 is the one before.
    pub age: usize,
}

impl Wanted {
    /// How long the content is.
    pub fn bytes(&self) -> usize {
        self.content.identity().body.len()
    }

    /// By what a difference of it is found.
    fn pair(&self) -> Pair {
        pair(&self.content, &self.dictionary.digest)
    }
}

impl Snapshot {
    /// Differences from those of `past`, the latest first, each once; the latest dictionaries come first, and of those the
    /// short contents.
    pub fn wanted(&self, past: &[Arc<Snapshot>]) -> Vec<Wanted> {
        let (mut seen, mut wanted) = (HashSet::new(), Vec::new());
        for (age, earlier) in (1..).zip(past) {
            let from = wanted.len();
            for (path, content) in self.files().filter(|(_, content)| is_worth_it(content)) {
                let Some(Entry::File(Resource { content: dictionary, .. })) = earlier.get(path) else { continue };
                let one = Wanted { content: content.clone(), dictionary: dictionary.clone(), age };
                if dictionary.digest != content.digest && is_worth_it(dictionary) && seen.insert(one.pair()) {
                    wanted.push(one);
                }
            }
            wanted[from..].sort_by_key(Wanted::bytes);
        }
        wanted
    }

    /// The same corte, whose paths know what they had in `past`, the latest first, and what was made of that.
    pub fn descending(&self, past: &[Arc<Snapshot>], differences: &Differences) -> Snapshot {
        self.map(|path, resource| {
            let content = &resource.content;
            let had: Vec<&Arc<Content>> = past.iter().filter_map(|earlier| earlier.file(path)).collect();
            // What has been the same for as long as anybody remembers will be the same.
            let never_changes = had.len() >= REMEMBERED && had.iter().all(|had| had.digest == content.digest);
            let value = match &resource.lineage {
                Some(lineage) => Some(lineage.use_as_dictionary.clone()),
                None if is_worth_it(content) && !never_changes => use_as_dictionary(path),
                None => None,
            };
            let mut seen = HashSet::new();
            let once = had.iter().filter(|had| seen.insert(had.digest));
            let made = once.flat_map(|had| differences.get(content, &had.digest)).cloned().collect();
            Resource { content: content.clone(), lineage: value.map(|value| Arc::new(Lineage::new(value, made))) }
        })
    }

    /// The same corte, as one that is told as no difference from others.
    pub fn without_lineage(&self) -> Snapshot {
        self.map(|_, resource| Resource { content: resource.content.clone(), lineage: None })
    }

    /// Every difference that its paths have, by content and dictionary.
    pub fn differences(&self) -> Differences {
        let lineages = self.resources().filter_map(|(_, resource)| resource.lineage.as_ref());
        lineages.flat_map(|lineage| lineage.differences.iter().cloned()).collect()
    }

    fn file(&self, path: &str) -> Option<&Arc<Content>> {
        match self.get(path)? {
            Entry::File(resource) => Some(&resource.content),
            Entry::FolderWithoutSlash => None,
        }
    }
}

/// Cortes through which a path has to stay the same until it is taken for one that never changes.
const REMEMBERED: usize = 6;

/// Whether it is long enough, and of a kind, that differences are.
fn is_worth_it(content: &Content) -> bool {
    content.media.compressible && content.identity().body.len() >= LEAST_BYTES
}

/// The field for the path of a package: a pattern that matches its URL, with any query, and nothing else. A file is named within
/// its folder, as a pattern is relative to the URL that it came from: that is shorter, and holds where a server before this one
/// has put another folder around the site. `None` for a path that is too long.
fn use_as_dictionary(path: &str) -> Option<HeaderValue> {
    let (before, named) = match path.rsplit_once('/') {
        Some((_, name)) if !name.is_empty() => ("", name),
        None if !path.is_empty() => ("", path),
        // A folder's own page.
        _ => ("/", path),
    };
    let mut value = format!("match=\"{before}");
    for byte in named.bytes() {
        match byte {
            // As URLs have it (URL Standard, path percent-encode set), and a percent sign that is one.
            b' ' | b'"' | b'#' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{' | b'}' | b'%' | 0..0x20 | 0x7f.. => {
                write!(value, "%{byte:02X}").ok()?;
            }
            // What means something in a pattern; and a backslash means something in a text of a structured field too.
            b'(' | b')' | b'*' | b'+' => value.extend(["\\\\", &char::from(byte).to_string()]),
            // What stands before it is a scheme, escaped or not, but within braces (URL Pattern, "is a protocol suffix").
            b':' => value.push_str("{\\\\:}"),
            b'\\' => value.push_str("%5C"),
            byte => value.push(char::from(byte)),
        }
    }
    value.push('"');
    (value.len() <= MATCH_MAX_BYTES).then(|| HeaderValue::try_from(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_one_path_and_nothing_else() {
        let said = |path: &str| use_as_dictionary(path).map(|value| value.to_str().unwrap().to_owned());
        let cases = [
            ("", "/"),
            ("index.html", "index.html"),
            ("sub/", "/sub/"),
            ("a:b/c d/", "/a{\\\\:}b/c%20d/"),
            ("datos/total.json", "total.json"),
            ("a b.csv", "a%20b.csv"),
            ("año/100%.json", "100%25.json"),
            ("a/año.json", "a%C3%B1o.json"),
            ("q?.json", "q%3F.json"),
            ("*(/{x#y}\"<>`^", "%7Bx%23y%7D%22%3C%3E%60%5E"),
            ("*.json", "\\\\*.json"),
            ("a(1):+b", "a\\\\(1\\\\){\\\\:}\\\\+b"),
            ("~a-b_c.d,e;f=g&h@i!$'|[1]", "~a-b_c.d,e;f=g&h@i!$'|[1]"),
        ];
        for (path, pattern) in cases {
            assert_eq!(said(path), Some(format!("match=\"{pattern}\"")), "{path}");
        }
        assert_eq!(said(&"x".repeat(MATCH_MAX_BYTES)), None);
    }
}
