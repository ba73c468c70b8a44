//! Whether a genuine package may go live. Pure: what it says of itself and what the ledger has go in, a verdict comes out.
//!
//! | the ledger has its ID | its sums | besides | verdict |
//! | --- | --- | --- | --- |
//! | no  |       | it is later than all that were accepted | `Admit` |
//! | no  |       | it is not | `Refuse(NotLater)`, P081 |
//! | yes | other |  | `Refuse(SameIdOtherSums)`, P082: a correction needs a revision |
//! | yes | same  | what the vault has of it is damaged | `Admit`: it mends the vault |
//! | it cannot be read | | | `Admit`, too |
//! | yes | same  | an operator has withdrawn it | `Refuse(Withdrawn)`, P087 |
//! | yes | same  | it is shown, or was, or is held back | `Same`: nothing happens |
//! | yes | same  | it was kept, but never announced | `Admit` |
//!
//! What is judged before (signature, sums, election, kind, stamp ahead of the clock, limits) is refused by `corte`.
//! Whatever is admitted is then looked at: an empty site, paths that are ours, files that contradict their types; and
//! there must be room for it on the disk.

use crate::base::digest::Digest;
use crate::base::shown::Shown;
use crate::corte::{CorteId, File};
use crate::snapshot::{OWN, media};

/// What to do about a file that contradicts its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCheck {
    Refuse,
    Warn,
    Off,
}

/// The verdict.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Admit,
    /// A package that was accepted before: nothing happens.
    Same,
    Refuse(NotAdmitted),
}

/// What the ledger says about an ID and around it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// The digest of the SHA256SUMS under which this ID was accepted.
    pub accepted: Option<Digest>,
    pub is_damaged: bool,
    pub is_withdrawn: bool,
    /// The latest that was ever accepted.
    pub highest: Option<CorteId>,
    pub shown: Option<CorteId>,
    /// Nothing that is shown is to change.
    pub is_held: bool,
}

/// Why a genuine package does not go live. The codes go on where those of `corte::Refusal` end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    #[error(
        "corte {found} is not later than {highest}, which was accepted; cortes never go back, so check what was sent"
    )]
    NotLater { found: CorteId, highest: CorteId },
    #[error(
        "corte {id} came again with another SHA256SUMS (accepted {accepted}, found {found}); a correction needs a \
         revision, such as {id}-1"
    )]
    SameIdOtherSums { id: CorteId, accepted: Digest, found: Digest },
    #[error("corte {id} was withdrawn by an operator; `difusor rollback {id}` shows it again")]
    Withdrawn { id: CorteId },
    #[error("corte {id} is not for the window that opens at {opens}; check its date, or the windows in the settings")]
    OtherWindow { id: CorteId, opens: String },
    #[error(
        "the disk has {free} bytes left, and the vault would need {needed}; the old cortes that may go are not enough for \
         that, so free some, or lower vault.at_least"
    )]
    DiskFull { free: u64, needed: u64 },
    #[error("the tree changed while it was read; it is read again once it is quiet")]
    Changing,
    #[error("{why}; nothing is shown that would be lost at a restart, so mend the disk")]
    NotKept { why: String },
    #[error("sitio/: is empty; a corte without files would take down what is published")]
    Empty,
    #[error("sitio/{path}: lies where this server has files of its own (/.prep/); ask the authority to rename it")]
    Reserved { path: Shown },
    #[error("this server failed while it took the package in; its log says where, please report it")]
    OurFault,
    #[error("sitio/{path}: {why} ({count} in all); ask the authority, or set content_check = \"warn\"")]
    Contradiction { path: Shown, why: String, count: usize },
}

impl NotAdmitted {
    /// The stable name of the reason.
    pub fn code(&self) -> &'static str {
        match self {
            NotAdmitted::NotLater { .. } => "P081",
            NotAdmitted::SameIdOtherSums { .. } => "P082",
            NotAdmitted::Empty => "P083",
            NotAdmitted::Contradiction { .. } => "P084",
            NotAdmitted::Reserved { .. } => "P085",
            NotAdmitted::OurFault => "P086",
            NotAdmitted::Withdrawn { .. } => "P087",
            NotAdmitted::DiskFull { .. } => "P088",
            NotAdmitted::NotKept { .. } => "P089",
            NotAdmitted::Changing => "P090",
            NotAdmitted::OtherWindow { .. } => "P092",
        }
    }

    /// True where the same package may be admitted later.
    pub fn may_heal(&self) -> bool {
        matches!(self, NotAdmitted::DiskFull { .. } | NotAdmitted::NotKept { .. } | NotAdmitted::Changing)
    }
}

/// Judges a package by its stamp and the digest of its SHA256SUMS.
pub fn admit(id: CorteId, sums: Digest, standing: &Standing) -> Verdict {
    match (standing.accepted, standing.highest) {
        (Some(accepted), _) if accepted != sums => {
            Verdict::Refuse(NotAdmitted::SameIdOtherSums { id, accepted, found: sums })
        }
        _ if standing.is_damaged => Verdict::Admit,
        (Some(_), _) if standing.is_withdrawn => Verdict::Refuse(NotAdmitted::Withdrawn { id }),
        (Some(_), _) if standing.is_held || standing.shown.is_some_and(|shown| id <= shown) => Verdict::Same,
        (None, Some(highest)) if id < highest => Verdict::Refuse(NotAdmitted::NotLater { found: id, highest }),
        _ => Verdict::Admit,
    }
}

/// Judges the files as a whole.
pub fn site(files: &[File]) -> Result<(), NotAdmitted> {
    if files.is_empty() {
        return Err(NotAdmitted::Empty);
    }
    match files.iter().find(|file| file.path.starts_with(OWN)) {
        Some(file) => Err(NotAdmitted::Reserved { path: Shown::text(&file.path) }),
        None => Ok(()),
    }
}

/// The first file that contradicts its media type, and how many there are.
pub fn contradiction(files: &[File]) -> Option<NotAdmitted> {
    let mut all = files.iter().filter_map(|f| Some((f, media::contradiction(&f.path, &f.bytes)?)));
    let (file, why) = all.next()?;
    Some(NotAdmitted::Contradiction { path: Shown::text(&file.path), why, count: 1 + all.count() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn file(path: &str, bytes: &'static [u8]) -> File {
        File { path: path.into(), digest: Digest::of(bytes), bytes: Bytes::from_static(bytes) }
    }

    fn id(text: &str) -> CorteId {
        text.parse().unwrap()
    }

    fn told(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Admit => "admit",
            Verdict::Same => "same",
            Verdict::Refuse(why) => why.code(),
        }
    }

    #[test]
    fn the_table() {
        let (mine, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let ten = Some(id("20260607_2010"));
        let usual = Standing { highest: ten, shown: ten, ..Standing::default() };
        let known = Standing { accepted: Some(mine), ..usual };
        let (earlier, later) = (Some(id("20260607_2000")), Some(id("20260607_2020")));
        let cases = [
            ("20260607_2010", Standing::default(), "admit"),
            ("20260607_2020", usual, "admit"),
            ("20260607_2010-1", usual, "admit"),
            ("20260607_2000", usual, "P081"),
            ("20260607_2000", Standing { shown: None, ..usual }, "P081"),
            ("20260607_2010", Standing { accepted: Some(other), ..usual }, "P082"),
            ("20260607_2010", Standing { accepted: Some(other), is_damaged: true, ..usual }, "P082"),
            ("20260607_2010", known, "same"),
            ("20260607_2010", Standing { highest: later, shown: later, ..known }, "same"),
            ("20260607_2010", Standing { shown: earlier, ..known }, "admit"),
            ("20260607_2010", Standing { shown: earlier, is_held: true, ..known }, "same"),
            ("20260607_2010", Standing { shown: earlier, is_withdrawn: true, ..known }, "P087"),
            ("20260607_2010", Standing { is_damaged: true, highest: later, shown: later, ..known }, "admit"),
            ("20260607_2000", Standing { is_damaged: true, ..usual }, "admit"),
            ("20260607_2020", Standing { shown: earlier, is_withdrawn: true, ..usual }, "admit"),
        ];
        for (n, (corte, standing, expected)) in cases.into_iter().enumerate() {
            assert_eq!(told(admit(id(corte), mine, &standing)), expected, "row {n}");
        }
    }

    #[test]
    fn a_site_has_files_and_none_of_ours() {
        assert_eq!(site(&[]), Err(NotAdmitted::Empty));
        let own = [file("index.html", b"<p>"), file(".prep/corte.json", b"{}")];
        assert_eq!(site(&own).unwrap_err().code(), "P085");
        assert_eq!(site(&own[..1]), Ok(()));
    }

    #[test]
    fn a_403_page_among_the_data_is_named() {
        let files = [file("a.json", b"{}"), file("b.json", b"<html>403"), file("c.json", b"")];
        let why = contradiction(&files).unwrap();
        assert_eq!(why.code(), "P084");
        assert!(why.to_string().contains("sitio/b.json") && why.to_string().contains("2 in all"), "{why}");
        assert_eq!(contradiction(&files[..1]), None);
    }
}
