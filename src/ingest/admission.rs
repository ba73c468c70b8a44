//! Whether a verified package may go live. Pure: the package and what is live go in, a verdict comes out.

use crate::base::digest::Digest;
use crate::base::shown::Shown;
use crate::corte::{Corte, CorteId, File};
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
    /// The very package that is live: nothing happens.
    Same,
    Refuse(NotAdmitted),
}

/// Why a genuine package does not go live. The codes go on where those of `corte::Refusal` end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    #[error("corte {found} is not later than {live}, which is live; cortes never go back, so check what was sent")]
    NotLater { found: CorteId, live: CorteId },
    #[error(
        "corte {id} came again with another SHA256SUMS (live {live}, found {found}); a correction needs a revision, such \
         as {id}-1"
    )]
    SameIdOtherSums { id: CorteId, live: Digest, found: Digest },
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
        }
    }
}

/// Judges a package by its stamp; `live` is the corte that is published and the digest of its SHA256SUMS.
pub fn admit(corte: &Corte, sums: Digest, files: &[File], live: Option<(&Corte, Digest)>) -> Verdict {
    if let Some((live, live_sums)) = live {
        if corte.id == live.id && sums == live_sums {
            return Verdict::Same;
        }
        if corte.id == live.id {
            return Verdict::Refuse(NotAdmitted::SameIdOtherSums { id: corte.id, live: live_sums, found: sums });
        }
        if corte.id < live.id {
            return Verdict::Refuse(NotAdmitted::NotLater { found: corte.id, live: live.id });
        }
    }
    if files.is_empty() {
        return Verdict::Refuse(NotAdmitted::Empty);
    }
    match files.iter().find(|file| file.path.starts_with(OWN)) {
        Some(file) => Verdict::Refuse(NotAdmitted::Reserved { path: Shown::text(&file.path) }),
        None => Verdict::Admit,
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
    use crate::corte::Tipo;
    use bytes::Bytes;

    fn corte(id: &str) -> Corte {
        Corte {
            eleccion: "coahuila-2026-diputaciones".into(),
            id: id.parse().unwrap(),
            fecha_hora: "2026-06-07T20:10:00-06:00".into(),
            instant: "2026-06-08T02:10:00Z".parse().unwrap(),
            tipo: Tipo::Oficial,
            is_final: false,
            actas: None,
        }
    }

    fn file(path: &str, bytes: &'static [u8]) -> File {
        File { path: path.into(), digest: Digest::of(bytes), bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn only_what_is_later_goes_live() {
        let live = corte("20260607_2010");
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let files = [file("index.html", b"<p>")];
        let verdict = |id: &str, sums| admit(&corte(id), sums, &files, Some((&live, a)));
        assert_eq!(verdict("20260607_2020", b), Verdict::Admit);
        assert_eq!(verdict("20260607_2010-1", b), Verdict::Admit, "a revision is later");
        assert_eq!(verdict("20260607_2010", a), Verdict::Same);
        let codes = [("20260607_2010", b, "P082"), ("20260607_2000", b, "P081"), ("20260607_2000", a, "P081")];
        for (id, sums, code) in codes {
            assert!(matches!(verdict(id, sums), Verdict::Refuse(why) if why.code() == code), "{id}");
        }
        assert_eq!(admit(&live, a, &files, None), Verdict::Admit);
        assert!(matches!(admit(&live, a, &[], None), Verdict::Refuse(NotAdmitted::Empty)));
        let own = [file("index.html", b"<p>"), file(".prep/corte.json", b"{}")];
        assert!(matches!(admit(&live, a, &own, None), Verdict::Refuse(why) if why.code() == "P085"));
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
