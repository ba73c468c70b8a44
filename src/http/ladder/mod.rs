//! The ladder: what matters least is left out while more is asked for than the link or the processors can send, step by
//! step, so that the page and the totals reach everybody. What is under way is finished: nobody gets half a body.

mod class;
mod climb;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use http::Method;
use prometheus_client::metrics::counter::Counter;

pub use class::{Class, Classes};
pub use climb::{Bounds, Climb, Second, Turn, Why};

use super::answer::{Request, What};
use super::passage::sought;
use super::target::decode;
use crate::portal::Offer;
use crate::record::Metrics;

/// What an answer of an origin is taken to weigh where it is left out, so that nobody knows: a scanned acta.
const UNKNOWN_BYTES: u64 = 128 << 10;

/// What the settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    pub classes: Classes,
    pub bounds: Bounds,
}

impl Rules {
    /// Everything is offered, come what may.
    pub fn never() -> Rules {
        Rules { classes: Classes::default(), bounds: Bounds { link: None, calm_s: 1, least: Offer::Everything } }
    }
}

/// What is offered now, for all threads. Whoever reads the meters tells it by [`Ladder::set`].
pub struct Ladder {
    classes: Classes,
    offer: AtomicU8,
    /// Bytes that were asked for and left out so far, by class.
    left_out: [AtomicU64; Class::COUNT],
    /// Bytes that said so.
    refused: AtomicU64,
    counters: [Counter; Class::COUNT],
}

impl Ladder {
    pub fn new(classes: Classes, metrics: &Metrics) -> Ladder {
        let of = |class: Class| metrics.left_out(class.name());
        // Nobody is ever refused the first: no metric of it.
        let counters = [Counter::default(), of(Class::Ordinary), of(Class::Download), of(Class::Image)];
        Ladder { classes, offer: AtomicU8::new(0), left_out: Default::default(), refused: AtomicU64::new(0), counters }
    }

    pub fn offer(&self) -> Offer {
        Offer::ALL.get(usize::from(self.offer.load(Relaxed))).copied().unwrap_or_default()
    }

    pub fn set(&self, offer: Offer) {
        self.offer.store(offer as u8, Relaxed);
    }

    /// Bytes that were left out so far, by class.
    pub fn left_out(&self) -> [u64; Class::COUNT] {
        self.left_out.each_ref().map(|bytes| bytes.load(Relaxed))
    }

    /// Somebody is told, in so many bytes.
    pub fn refuses(&self, bytes: u64) {
        self.refused.fetch_add(bytes, Relaxed);
    }

    /// Bytes of refusals so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// True where what is asked for has to wait for a calmer hour, which is counted. `what`: the package's answer; `None`
    /// where an origin would have to give it.
    pub fn leaves_out(&self, request: &Request, what: Option<&What>) -> bool {
        let offer = self.offer();
        if offer == Offer::Everything || *request.method == Method::HEAD {
            return false;
        }
        let (whole, bytes) = match what {
            Some(What::Whole(_, chosen)) => (Some(chosen.body.len() as u64), chosen.body.len() as u64),
            Some(What::Part(_, chosen, part)) => (Some(chosen.body.len() as u64), part.len() as u64),
            Some(_) => return false,
            None => (None, UNKNOWN_BYTES),
        };
        let class = self.classes.of(&as_it_is_found(request.path, whole.is_some()), whole);
        if !class.is_left_out(offer) {
            return false;
        }
        self.left_out[class as usize].fetch_add(bytes, Relaxed);
        self.counters[class as usize].inc();
        true
    }
}

/// The path by which it is found, so that no other way of writing it is of another class: in the package it is decoded, and
/// origins may read more into it.
fn as_it_is_found(path: &str, in_package: bool) -> Cow<'_, str> {
    match decode(path) {
        Ok(Cow::Owned(decoded)) if in_package => Cow::Owned(format!("/{decoded}")),
        _ if in_package => Cow::Borrowed(path),
        _ => sought(path),
    }
}

/// One on which everything is offered.
#[cfg(test)]
pub fn idle() -> std::sync::Arc<Ladder> {
    std::sync::Arc::new(Ladder::new(Classes::default(), &Metrics::new()))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::super::answer::{Answer, answer};
    use super::super::fields::Fields;
    use super::super::freshness::Spread;
    use super::*;
    use crate::snapshot::specimen::{showing, snapshot};

    /// Whether `method` for the path is left out at this step.
    fn is_left_out(ladder: &Ladder, method: &Method, path: &str, fields: &HeaderMap) -> bool {
        let showing = showing(snapshot());
        let request = Request {
            method,
            path,
            query: None,
            fields: Fields::of(fields),
            host_is_known: true,
            spread: Spread::default(),
            is_secure: false,
        };
        let Answer { what, .. } = answer(&request, &showing);
        ladder.leaves_out(&request, Some(&what))
    }

    #[test]
    fn only_what_would_have_been_sent_is_left_out() {
        let classes = Classes { downloads: vec!["*.html".into()], large_bytes: 1 << 20, ..Classes::default() };
        let ladder = Ladder::new(classes, &Metrics::new());
        let (none, page) = (HeaderMap::new(), "/index.html");
        let etag = {
            let showing = showing(snapshot());
            let request = Request {
                method: &Method::GET,
                path: page,
                query: None,
                fields: Fields::of(&none),
                host_is_known: true,
                spread: Spread::default(),
                is_secure: false,
            };
            let What::Whole(_, chosen) = answer(&request, &showing).what else { panic!("{page} is there") };
            chosen.etag.clone()
        };
        assert!(!is_left_out(&ladder, &Method::GET, page, &none));
        ladder.set(Offer::WithoutImages);
        assert!(!is_left_out(&ladder, &Method::GET, page, &none));
        ladder.set(Offer::WithoutDownloads);
        assert!(is_left_out(&ladder, &Method::GET, page, &none));
        assert!(is_left_out(&ladder, &Method::GET, "/index%2Ehtml", &none), "it is the same page");
        assert!(!is_left_out(&ladder, &Method::HEAD, page, &none), "it has no body");
        assert!(!is_left_out(&ladder, &Method::GET, "/nada", &none), "an error weighs nothing");
        let held = HeaderMap::from_iter([(http::header::IF_NONE_MATCH, etag)]);
        assert!(!is_left_out(&ladder, &Method::GET, page, &held), "nor does a 304");
        let bytes = ladder.left_out();
        assert!(bytes[Class::Download as usize] > 0 && bytes[Class::Image as usize] == 0);
        ladder.set(Offer::Everything);
        assert!(!is_left_out(&ladder, &Method::GET, page, &none));
    }

    #[test]
    fn what_an_origin_would_give_is_judged_by_its_path() {
        let ladder = Ladder::new(Classes { images: vec!["/actas/*".into()], ..Classes::default() }, &Metrics::new());
        ladder.set(Offer::WithoutImages);
        let (none, get) = (HeaderMap::new(), Method::GET);
        let asked = |path| Request {
            method: &get,
            path,
            query: None,
            fields: Fields::of(&none),
            host_is_known: true,
            spread: Spread::default(),
            is_secure: false,
        };
        for path in ["/actas/1.jpg", "/act%61s/1.jpg", "//actas//1.jpg", "/actas;v=1/1.jpg"] {
            assert!(ladder.leaves_out(&asked(path), None), "{path}");
        }
        assert!(!ladder.leaves_out(&asked("/buscar"), None));
        assert_eq!(ladder.left_out()[Class::Image as usize], 4 * UNKNOWN_BYTES);
    }
}
