//! Why a package is refused: one variant, one stable code and one line of text for each reason.
//!
//! Every text names the file, what was expected, what was found, and what to do. Foreign text in it is
//! `Shown`: escaped and cut.

use std::io;

use super::{CorteId, Tipo};
use crate::base::digest::Digest;
use crate::base::shown::Shown;

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    // Reading
    #[error("{path}: cannot be read: {error}; check that it is there, whole, and readable by this user")]
    Unreadable { path: Shown, error: io::Error },
    #[error("{path}: is no package; expected a directory, .tar, .tar.gz, .tar.zst or .zip")]
    UnknownForm { path: Shown },
    #[error("{archive}: the archive is broken: {why}; make it anew, or send it again")]
    BrokenArchive { archive: Shown, why: Shown },
    #[error("{path}: is a {kind}; a package holds plain files and folders only, so leave it out")]
    NotAPlainFile { path: Shown, kind: &'static str },

    // Limits
    #[error("the package holds more than {limit} bytes once unpacked; raise the limit if that is right")]
    TotalBytes { limit: u64 },
    #[error("the package holds more than {limit} files and folders; raise the limit if that is right")]
    TooManyFiles { limit: usize },
    #[error("{path}: holds more than {limit} bytes; raise the limit if that is right")]
    FileBytes { path: Shown, limit: u64 },
    #[error("{path}: unpacks to more than {limit} times its packed size, as bombs do; pack it without compression")]
    CompressionRatio { path: Shown, limit: u64 },
    #[error("{path}: holds more than {limit} bytes, too much for what it is; make it anew as FORMAT.md says")]
    MetadataBytes { path: Shown, limit: u64 },
    #[error("{path}: the path, or one segment of it, is longer than {limit} bytes; shorten it")]
    PathTooLong { path: Shown, limit: usize },

    // Paths
    #[error("{path}: the path is not UTF-8; rename the file")]
    PathNotUtf8 { path: Shown },
    #[error("{path}: the path is absolute; expected one relative to the package")]
    PathAbsolute { path: Shown },
    #[error("{path}: the path holds `..`; expected one that stays inside the package")]
    PathDotDot { path: Shown },
    #[error("{path}: the path holds an empty segment; expected exactly one `/` between names")]
    PathEmptySegment { path: Shown },
    #[error("{path}: the path holds a `.` segment; write it without")]
    PathDotSegment { path: Shown },
    #[error("{path}: the path holds a backslash; rename the file")]
    PathBackslash { path: Shown },
    #[error("{path}: the path holds a control character; rename the file")]
    PathControlCharacter { path: Shown },
    #[error("{path}: the path occurs twice; expected each once")]
    PathTwice { path: Shown },
    #[error("{path}: the path equals {other} but for upper and lower case; rename one")]
    PathSameFolded { path: Shown, other: Shown },
    #[error("{path}: the path equals {other} but for its Unicode form (NFC); rename one")]
    PathSameNfc { path: Shown, other: Shown },
    #[error("{path}: is a file, and also a folder of {other}; rename one")]
    PathFileAndFolder { path: Shown, other: Shown },

    // The three files that say what the package is
    #[error("corte.json: is missing; expected it at the package's root or under its one top folder")]
    CorteMissing,
    #[error("corte.json: is malformed: {why}; correct it and sign the package again")]
    CorteMalformed { why: Shown },
    #[error("SHA256SUMS: is missing; expected it beside corte.json")]
    SumsMissing,
    #[error("SHA256SUMS: line {line} is malformed: {why}; make it anew as FORMAT.md says")]
    SumsMalformed { line: usize, why: &'static str },
    #[error("SHA256SUMS: lists {path}; expected corte.json and files under sitio/ only, so make it anew")]
    SumsForeign { path: Shown },
    #[error("SHA256SUMS.sig: is missing; sign SHA256SUMS with `ssh-keygen -Y sign -n prep-corte`")]
    SignatureMissing,
    #[error("SHA256SUMS.sig: is malformed: {why}; sign again with `ssh-keygen -Y sign -n prep-corte`")]
    SignatureMalformed { why: Shown },

    // Who signed
    #[error(
        "SHA256SUMS.sig: signed by {fingerprint}, which no line of the signers file has; ask the authority for its fingerprint by \
         telephone, and add the key only if it agrees"
    )]
    KeyUnknown { fingerprint: String },
    #[error("SHA256SUMS.sig: signed for namespace `{found}`, expected `prep-corte`; sign again with -n prep-corte")]
    NamespaceOther { found: Shown },
    #[error("SHA256SUMS.sig: {fingerprint} may not sign `prep-corte` (namespaces, signers file line {line})")]
    KeyNotForNamespace { fingerprint: String, line: usize },
    #[error("SHA256SUMS.sig: {fingerprint} is valid {dates} (signers file line {line}), but it is {now}")]
    KeyOutsideDates { fingerprint: String, dates: String, line: usize, now: jiff::Timestamp },
    #[error("SHA256SUMS.sig: signed by {found} ({fingerprint}), expected {expected}; check who sent the package")]
    IdentityOther { expected: Shown, found: Shown, fingerprint: String },
    #[error("SHA256SUMS.sig: is no signature of this SHA256SUMS by {fingerprint}; the file was changed after signing")]
    SignatureWrong { fingerprint: String },

    // What is inside
    #[error("{path}: is missing ({count} in all), though SHA256SUMS lists it; send the package again, whole")]
    FileMissing { path: Shown, count: usize },
    #[error("{path}: is extra ({count} in all), SHA256SUMS does not list it; remove it, or sum and sign again")]
    FileExtra { path: Shown, count: usize },
    #[error("{path}: its SHA-256 is {found}, expected {expected}; the file was changed or cut, send it again")]
    FileDiffers { path: Shown, expected: Digest, found: Digest },

    // What is expected of it
    #[error("corte.json: eleccion is `{found}`, expected `{expected}`; check who sent the package, and the settings")]
    ElectionOther { found: String, expected: Shown },
    #[error(
        "corte.json: tipo is `{found}`, expected `{expected}`; drills and the election do not mix; `difusor schedule` says which is on"
    )]
    TipoOther { found: Tipo, expected: Tipo },
    #[error("corte.json: corte {id} and fecha_hora {fecha_hora} do not name the same minute; correct one of them")]
    MinuteOther { id: CorteId, fecha_hora: String },
    #[error(
        "corte.json: fecha_hora {fecha_hora} is {minutes} minutes ahead of this clock, more than 5; check this machine's \
         (`timedatectl`), then the authority's"
    )]
    Future { fecha_hora: String, minutes: i64 },

    // The stamp of a bare tree
    #[error("stamp: no file of the tree matches `{pattern}`; send the whole tree, or correct the stamp rule")]
    StampFileMissing { pattern: Shown },
    #[error("stamp: more than {limit} files match `{pattern}`; name fewer of them in the stamp rule")]
    StampFiles { pattern: Shown, limit: usize },
    #[error("{path}: holds no stamp: {why}; check what was sent, and the stamp rule")]
    StampNotFound { path: Shown, why: String },
    #[error("{path}: the stamp `{text}` is no date as `{format}`: {why}; check what was sent, and the stamp rule")]
    StampMalformed { path: Shown, text: Shown, format: Shown, why: String },
}

impl Refusal {
    /// The stable name of the reason, for logs, metrics and manuals. Codes are never used again for something else.
    pub fn code(&self) -> &'static str {
        use Refusal::*;
        match self {
            Unreadable { .. } => "P001",
            UnknownForm { .. } => "P002",
            BrokenArchive { .. } => "P003",
            NotAPlainFile { .. } => "P004",
            TotalBytes { .. } => "P011",
            TooManyFiles { .. } => "P012",
            FileBytes { .. } => "P013",
            CompressionRatio { .. } => "P014",
            MetadataBytes { .. } => "P015",
            PathTooLong { .. } => "P016",
            PathNotUtf8 { .. } => "P021",
            PathAbsolute { .. } => "P022",
            PathDotDot { .. } => "P023",
            PathEmptySegment { .. } => "P024",
            PathDotSegment { .. } => "P025",
            PathBackslash { .. } => "P026",
            PathControlCharacter { .. } => "P027",
            PathTwice { .. } => "P028",
            PathSameFolded { .. } => "P029",
            PathSameNfc { .. } => "P030",
            PathFileAndFolder { .. } => "P031",
            CorteMissing => "P041",
            CorteMalformed { .. } => "P042",
            SumsMissing => "P043",
            SumsMalformed { .. } => "P044",
            SumsForeign { .. } => "P045",
            SignatureMissing => "P046",
            SignatureMalformed { .. } => "P047",
            KeyUnknown { .. } => "P051",
            NamespaceOther { .. } => "P052",
            KeyNotForNamespace { .. } => "P053",
            KeyOutsideDates { .. } => "P054",
            IdentityOther { .. } => "P055",
            SignatureWrong { .. } => "P056",
            FileMissing { .. } => "P061",
            FileExtra { .. } => "P062",
            FileDiffers { .. } => "P063",
            ElectionOther { .. } => "P071",
            TipoOther { .. } => "P072",
            MinuteOther { .. } => "P073",
            Future { .. } => "P074",
            StampFileMissing { .. } => "P101",
            StampFiles { .. } => "P102",
            StampNotFound { .. } => "P103",
            StampMalformed { .. } => "P104",
        }
    }

    /// True where the same bytes may hold later: the clock moves on, a key becomes valid, a disk answers again.
    pub fn may_heal(&self) -> bool {
        matches!(self, Refusal::Future { .. } | Refusal::KeyOutsideDates { .. } | Refusal::Unreadable { .. })
    }

    /// The file or folder at `path` could not be read.
    pub(super) fn unreadable(path: &str, error: io::Error) -> Refusal {
        through(error, |error| Refusal::Unreadable { path: Shown::text(path), error })
    }

    /// The archive, or an entry of it, could not be read.
    pub(super) fn broken(archive: &str, error: io::Error) -> Refusal {
        through(error, |error| Refusal::BrokenArchive {
            archive: Shown::text(archive),
            why: Shown::text(&error.to_string()),
        })
    }
}

/// A refusal that travelled through somebody's `Read` comes out as itself.
fn through(error: io::Error, otherwise: impl FnOnce(io::Error) -> Refusal) -> Refusal {
    error.downcast::<Refusal>().unwrap_or_else(otherwise)
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        io::Error::other(refusal)
    }
}
