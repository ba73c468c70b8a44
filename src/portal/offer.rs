//! How much of the site is offered while more is asked for than can be sent: the public words for it.

/// What is offered. What matters least is left out first, and comes back last.
///
/// ```text
/// Everything <-> WithoutImages <-> WithoutDownloads <-> Essentials
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offer {
    #[default]
    Everything,
    /// No images of actas.
    WithoutImages,
    /// Nor bulk downloads: ZIP, CSV.
    WithoutDownloads,
    /// The page and the totals alone.
    Essentials,
}

impl Offer {
    pub const ALL: [Offer; 4] = [Offer::Everything, Offer::WithoutImages, Offer::WithoutDownloads, Offer::Essentials];

    /// Its name for programs, as `/.prep/corte.json` and `/.prep/estado.json` have it.
    pub fn token(self) -> &'static str {
        match self {
            Offer::Everything => "completo",
            Offer::WithoutImages => "sin-imagenes",
            Offer::WithoutDownloads => "sin-descargas",
            Offer::Essentials => "esencial",
        }
    }

    /// One step less; `None` where there is none.
    pub fn less(self) -> Option<Offer> {
        Offer::ALL.get(self as usize + 1).copied()
    }

    /// One step more.
    pub fn more(self) -> Option<Offer> {
        (self as usize).checked_sub(1).and_then(|at| Offer::ALL.get(at).copied())
    }
}
