//! A snapshot: one corte, complete, immutable. Costs what changed since the one before, not what there is.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;

use super::compress::Level;
use super::content::Content;
use super::lineage::Lineage;
use super::media::{self, Media};
use super::own::{Occasion, own_files};
use crate::base::digest::Digest;
use crate::base::pool;
use crate::corte::{Corte, Verified};
use crate::store::Codings;

/// Below this folder live our own files; nothing in a package is published there.
pub const OWN: &str = ".prep/";

/// What a path names.
#[derive(Clone, Debug)]
pub enum Entry {
    File(Resource),
    /// A folder with an `index.html`, asked for without its slash.
    FolderWithoutSlash,
}

/// A file under its path.
#[derive(Clone, Debug)]
pub struct Resource {
    pub content: Arc<Content>,
    /// `None` where no other content of this path is worth a thought.
    pub lineage: Option<Arc<Lineage>>,
}

impl From<Arc<Content>> for Resource {
    fn from(content: Arc<Content>) -> Resource {
        Resource { content, lineage: None }
    }
}

/// Header values that every response of a snapshot carries.
#[derive(Clone, Debug)]
pub struct CorteFields {
    /// `Corte`
    pub id: HeaderValue,
    /// `Corte-Fecha-Hora`, as the authority wrote it.
    pub fecha_hora: HeaderValue,
    /// `Last-Modified`: the corte's time, never later than the moment it was built (RFC 9110, 8.8.2.1), always later
    /// than that of the corte before.
    pub last_modified: HeaderValue,
    pub last_modified_at: Timestamp,
    /// `Corte` and `Corte-Fecha-Hora` as HTTP/1.1 writes them, each with its line end.
    pub head: Bytes,
    /// `Last-Modified` in the same form.
    pub last_modified_head: Bytes,
}

/// One corte, ready to be served.
#[derive(Clone, Debug)]
pub struct Snapshot {
    corte: Corte,
    sums: Digest,
    fields: CorteFields,
    entries: HashMap<Box<str>, Entry>,
}

/// Where the codings of a content come from that no snapshot in memory has.
pub struct Making<'a> {
    /// What was kept of an earlier run.
    pub kept: &'a (dyn Fn(&Digest) -> Option<Codings> + Sync),
    /// How hard to work where nothing was.
    pub level: Level,
}

impl Making<'_> {
    /// Everything is made, fast.
    pub const FAST: Making<'static> = Making { kept: &|_| None, level: Level::Fast };
}

/// A content is the same only under the same media type.
pub(super) type Key = (Digest, &'static str);

/// Contents of earlier snapshots, to be taken over instead of being read and compressed again.
#[derive(Default)]
pub struct Known {
    contents: HashMap<Key, Arc<Content>>,
    bytes: HashMap<Digest, Bytes>,
}

impl Known {
    pub fn of(contents: impl IntoIterator<Item = Arc<Content>>) -> Known {
        let mut known = Known::default();
        for content in contents {
            known.bytes.insert(content.digest, content.identity().body.clone());
            let better = known.contents.entry(key(&content)).or_insert_with(|| content.clone());
            if better.level < content.level {
                *better = content;
            }
        }
        known
    }

    /// The bytes of a file that is in memory already.
    pub fn bytes(&self, digest: &Digest) -> Option<Bytes> {
        self.bytes.get(digest).cloned()
    }
}

pub(super) fn key(content: &Content) -> Key {
    (content.digest, content.media.essence)
}

impl Snapshot {
    /// A corte that goes live as usual at `now`, after `before`.
    pub fn usual(verified: &Verified, known: &Known, now: Timestamp, before: Option<&Snapshot>) -> Snapshot {
        let before = before.map(|before| before.fields.last_modified_at);
        Snapshot::build(verified, known, &Making::FAST, &Occasion::usual(verified.corte(), now, before))
    }

    /// Builds from a verified package on all cores. What is in `known` is taken over as it stands there; for the rest
    /// `making` says where codings come from.
    pub fn build(verified: &Verified, known: &Known, making: &Making, occasion: &Occasion) -> Snapshot {
        let corte = verified.corte().clone();
        let mut wanted: Vec<(String, Bytes, Digest)> =
            verified.files().iter().map(|f| (f.path.clone(), f.bytes.clone(), f.digest)).collect();
        for (name, bytes) in own_files(verified, occasion) {
            let digest = Digest::of(&bytes);
            wanted.push((format!("{OWN}{name}"), bytes, digest));
        }
        let contents = contents(&wanted, known, making);
        let mut entries = HashMap::with_capacity(wanted.len());
        for ((path, ..), content) in wanted.iter().zip(contents) {
            if let Some(folder) = path.strip_suffix("index.html").filter(|f| f.is_empty() || f.ends_with('/')) {
                if let Some(bare) = folder.strip_suffix('/') {
                    entries.entry(bare.into()).or_insert(Entry::FolderWithoutSlash);
                }
                entries.insert(folder.into(), Entry::File(content.clone().into()));
            }
            entries.insert(path.as_str().into(), Entry::File(content.into()));
        }
        Snapshot {
            sums: Digest::of(verified.sums()),
            fields: CorteFields::new(&corte, occasion.last_modified),
            entries,
            corte,
        }
    }

    /// The same corte with every content that `better` knows replaced by it.
    pub fn with(&self, better: &Known) -> Snapshot {
        self.map(|_, Resource { content, lineage }| {
            let better = better.contents.get(&key(content)).filter(|better| better.level >= content.level);
            Resource { content: better.unwrap_or(content).clone(), lineage: lineage.clone() }
        })
    }

    /// The same corte with another resource under each path.
    pub(super) fn map(&self, other: impl Fn(&str, &Resource) -> Resource) -> Snapshot {
        let of = |path: &str, entry: &Entry| match entry {
            Entry::File(resource) => Entry::File(other(path, resource)),
            Entry::FolderWithoutSlash => Entry::FolderWithoutSlash,
        };
        Snapshot {
            corte: self.corte.clone(),
            sums: self.sums,
            fields: self.fields.clone(),
            entries: self.entries.iter().map(|(path, entry)| (path.clone(), of(path, entry))).collect(),
        }
    }

    pub fn corte(&self) -> &Corte {
        &self.corte
    }

    /// The digest of `SHA256SUMS`: two packages with the same one are the same package.
    pub fn sums(&self) -> Digest {
        self.sums
    }

    pub fn fields(&self) -> &CorteFields {
        &self.fields
    }

    /// What `path` names: decoded, without its leading slash; `""` is the front page.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Every path and its content; a folder's index appears under the folder's path too.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<Content>)> {
        self.resources().map(|(path, resource)| (path, &resource.content))
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = (&str, &Resource)> {
        self.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File(resource) => Some((&**path, resource)),
            Entry::FolderWithoutSlash => None,
        })
    }

    /// Every content; one that several paths hold occurs as often.
    pub fn contents(&self) -> impl Iterator<Item = Arc<Content>> {
        self.files().map(|(_, content)| content.clone())
    }

    /// Bytes that all codings of all distinct contents hold; without differences.
    pub fn weight(&self) -> usize {
        let distinct: HashMap<Key, &Arc<Content>> = self.files().map(|(_, c)| (key(c), c)).collect();
        distinct.values().map(|content| content.weight()).sum()
    }

    /// Distinct contents that are not yet compressed as well as pays, small ones first: they are asked for most.
    pub fn unfinished(&self) -> Vec<Arc<Content>> {
        let mut seen = HashMap::new();
        for (_, content) in self.files().filter(|(_, c)| c.level < Level::Best) {
            seen.entry(key(content)).or_insert_with(|| content.clone());
        }
        let mut all: Vec<_> = seen.into_values().collect();
        all.sort_by_key(|c| c.identity().body.len());
        all
    }
}

impl CorteFields {
    fn new(corte: &Corte, last_modified_at: Timestamp) -> CorteFields {
        let at = SystemTime::try_from(last_modified_at).unwrap_or(SystemTime::UNIX_EPOCH);
        let http_date = httpdate::fmt_http_date(at.max(SystemTime::UNIX_EPOCH));
        CorteFields {
            head: Bytes::from(format!("corte: {}\r\ncorte-fecha-hora: {}\r\n", corte.id, corte.fecha_hora)),
            last_modified_head: Bytes::from(format!("last-modified: {http_date}\r\n")),
            id: HeaderValue::try_from(corte.id.to_string()).expect("digits and punctuation"),
            // RFC 3339 is ASCII; a stamp that is not cannot have been parsed.
            fecha_hora: HeaderValue::try_from(&corte.fecha_hora).unwrap_or(HeaderValue::from_static("")),
            last_modified: HeaderValue::try_from(http_date).expect("an HTTP date is a header value"),
            last_modified_at,
        }
    }
}

/// The content of each wanted file, in order; equal ones are made once.
fn contents(wanted: &[(String, Bytes, Digest)], known: &Known, making: &Making) -> Vec<Arc<Content>> {
    struct Job<'w> {
        key: Key,
        media: &'static Media,
        bytes: &'w Bytes,
    }
    let mut jobs: HashMap<Key, Job> = HashMap::new();
    for (path, bytes, digest) in wanted {
        let media = own_media(path);
        let key = (*digest, media.essence);
        if !known.contents.contains_key(&key) {
            jobs.entry(key).or_insert(Job { key, media, bytes });
        }
    }
    let mut jobs: Vec<Job> = jobs.into_values().collect();
    // The longest first, so that no thread is left with it at the end.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes.len()));
    let make = |(): &mut (), n: usize| {
        let job = &jobs[n];
        let (bytes, digest) = (job.bytes.clone(), job.key.0);
        let kept = if job.media.compressible { (making.kept)(&digest) } else { None };
        let content = match kept {
            Some(kept) => Content::restored(bytes, digest, job.media, kept),
            None => Content::new(bytes, digest, job.media, making.level),
        };
        Ok((job.key, Arc::new(content)))
    };
    let made: Result<Vec<_>, Infallible> = pool::each(jobs.len(), || (), make);
    let Ok(made) = made;
    let made: HashMap<Key, Arc<Content>> = made.into_iter().collect();
    let find = |key: &Key| made.get(key).or_else(|| known.contents.get(key)).cloned();
    wanted.iter().filter_map(|(path, _, digest)| find(&(*digest, own_media(path).essence))).collect()
}

/// The signed list is text and the chain JSON, though their names have no extension.
fn own_media(path: &str) -> &'static Media {
    match path.strip_prefix(OWN) {
        Some("SHA256SUMS" | "SHA256SUMS.sig") => media::of("list.txt"),
        Some("cortes") => media::of("cortes.json"),
        _ => media::of(path),
    }
}
