//! How much a response matters on a night when not everything can be sent: by its path, and by what it weighs. Pure.

use crate::base::pattern::matches_any_case;
use crate::portal::Offer;
use crate::snapshot::OWN;

/// What matters most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The page, the totals, and whatever weighs next to nothing.
    Essential,
    Ordinary,
    /// Bulk: ZIP, CSV.
    Download,
    /// Images of actas.
    Image,
}

impl Class {
    pub const COUNT: usize = 4;

    /// True where `offer` has no room for it.
    pub fn is_left_out(self, offer: Offer) -> bool {
        let last = match offer {
            Offer::Everything => Class::Image,
            Offer::WithoutImages => Class::Download,
            Offer::WithoutDownloads => Class::Ordinary,
            Offer::Essentials => Class::Essential,
        };
        self > last
    }

    /// What comes back when `offer` gives way to one step more; `None` where nothing is missing.
    pub fn returning(offer: Offer) -> Option<Class> {
        match offer {
            Offer::Everything => None,
            Offer::WithoutImages => Some(Class::Image),
            Offer::WithoutDownloads => Some(Class::Download),
            Offer::Essentials => Some(Class::Ordinary),
        }
    }

    /// As metrics have it.
    pub fn name(self) -> &'static str {
        match self {
            Class::Essential => "essential",
            Class::Ordinary => "ordinary",
            Class::Download => "download",
            Class::Image => "image",
        }
    }
}

/// What belongs where; patterns of `*` and `?` for whole paths, whatever their case: scanners write `.JPG`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    pub essential: Vec<String>,
    pub downloads: Vec<String>,
    pub images: Vec<String>,
    /// Whatever is larger as it would be sent is a download.
    pub large_bytes: u64,
    /// Whatever is no larger as it would be sent is essential: to leave it out would save nothing.
    pub small_bytes: u64,
}

impl Classes {
    /// `path` without its query; `bytes` of the body as it would be sent, `None` where nobody knows yet.
    pub fn of(&self, path: &str, bytes: Option<u64>) -> Class {
        let path = match path.strip_prefix('/').and_then(|path| path.strip_prefix(OWN)) {
            // The corte's own files by another name: `c/20260607_2010/index.html`.
            Some(own) => match own.strip_prefix("c/").and_then(|rest| rest.find('/').map(|at| &rest[at..])) {
                Some(path) => path,
                None => return Class::Essential,
            },
            None => path,
        };
        let is = |patterns: &[String]| patterns.iter().any(|pattern| matches_any_case(pattern, path));
        if bytes.is_some_and(|bytes| bytes <= self.small_bytes) {
            Class::Essential
        } else if is(&self.images) {
            Class::Image
        } else if is(&self.downloads) || bytes.is_some_and(|bytes| bytes > self.large_bytes) {
            Class::Download
        } else if is(&self.essential) {
            Class::Essential
        } else {
            Class::Ordinary
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes() -> Classes {
        let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        Classes {
            essential: list(&["*/", "*.html", "*.js"]),
            downloads: list(&["*.zip", "*.csv"]),
            images: list(&["*.jpg"]),
            large_bytes: 1 << 20,
            small_bytes: 1 << 14,
        }
    }

    #[test]
    fn by_path_and_weight() {
        use Class::{Download, Essential, Image, Ordinary};
        for (path, bytes, expected) in [
            ("/", Some(50_000), Essential),
            ("/index.html", Some(50_000), Essential),
            ("/app.js", Some(300_000), Essential),
            ("/app.js", Some(2_000_000), Download),
            ("/datos/total.json", Some(8_000), Essential),
            ("/datos/distrito.json", Some(60_000), Ordinary),
            ("/datos/distrito.json", None, Ordinary),
            ("/actas.csv", Some(120_000), Download),
            // A difference from the corte before.
            ("/actas.csv", Some(3_000), Essential),
            ("/actas.csv", None, Download),
            ("/actas/1.jpg", None, Image),
            ("/actas/1.jpg", Some(120_000), Image),
            ("/logo.jpg", Some(9_000), Essential),
            ("/actas/ACTA_001.JPG", Some(120_000), Image),
            ("/INDEX.HTML", Some(50_000), Essential),
            ("/video.mp4", Some(5_000_000), Download),
            ("/.prep/embed", Some(30_000), Essential),
            ("/.prep/SHA256SUMS", Some(5_000_000), Essential),
            ("/.prep/c/20260607_2010/actas.csv", Some(120_000), Download),
            ("/.prep/c/20260607_2010/", Some(120_000), Essential),
            ("/.prep/c/20260607_2010", None, Essential),
        ] {
            assert_eq!(classes().of(path, bytes), expected, "{path} {bytes:?}");
        }
    }

    #[test]
    fn each_step_leaves_out_one_class_more() {
        let all = [Class::Essential, Class::Ordinary, Class::Download, Class::Image];
        for (n, offer) in Offer::ALL.into_iter().enumerate() {
            let left = all.into_iter().filter(|class| class.is_left_out(offer)).count();
            assert_eq!(left, n, "{offer:?}");
            assert!(!Class::Essential.is_left_out(offer));
            let returning = Class::returning(offer);
            let more = offer.more();
            assert_eq!(returning.is_some(), more.is_some());
            if let (Some(class), Some(more)) = (returning, more) {
                assert!(class.is_left_out(offer) && !class.is_left_out(more), "{offer:?}");
            }
        }
    }
}
