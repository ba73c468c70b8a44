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

/// What an answer of an origin is taken to weigh where it is left out, so that nobody knows, and none of its class has been seen: a
/// scanned acta.
const UNKNOWN_BYTES: u64 = 128 << 10;
/// The last so many answers of a class, about, say what the next would weigh.
const SEEN_ANSWERS: u64 = 32;
/// What the head of a refusal takes of a link, about: in HTTP/1.1, and in HTTP/2, where most of its fields are an index.
const REFUSED_HEAD_BYTES: u64 = 800;
const REFUSED_FRAMES_BYTES: u64 = 120;

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
    /// Bytes that an answer of an origin had, in the mean, by the class of its path; 0 before the first.
    seen: [AtomicU64; Class::COUNT],
    counters: [Counter; Class::COUNT],
}

/// How a connection says that something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusing {
    /// HTTP/1.1: a head and its body leave together.
    AtOnce,
    /// HTTP/2: the head does, the body as the client gives room.
    ByFrames,
}

impl Refusing {
    /// Bytes that surely leave, and are taken off what left: who gives no room must not have pages counted that stay here, or a full
    /// link would be thought idle. What is short counts all the same: so few streams are open at once that little of it stays.
    fn bytes(self, is_json: bool, body_bytes: usize) -> u64 {
        let body = body_bytes as u64;
        match self {
            Refusing::AtOnce => REFUSED_HEAD_BYTES + body,
            Refusing::ByFrames if is_json => REFUSED_FRAMES_BYTES + body,
            Refusing::ByFrames => REFUSED_FRAMES_BYTES,
        }
    }
}

impl Ladder {
    pub fn new(classes: Classes, metrics: &Metrics) -> Ladder {
        let of = |class: Class| metrics.left_out(class.name());
        // Nobody is ever refused the first: no metric of it.
        let counters = [Counter::default(), of(Class::Ordinary), of(Class::Download), of(Class::Image)];
        let (offer, refused) = (AtomicU8::new(0), AtomicU64::new(0));
        Ladder { classes, offer, left_out: Default::default(), refused, seen: Default::default(), counters }
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

    /// Somebody is told, with a body of so many bytes.
    pub fn refuses(&self, how: Refusing, is_json: bool, body_bytes: usize) {
        self.refused.fetch_add(how.bytes(is_json, body_bytes), Relaxed);
    }

    /// Bytes of refusals so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// True where the package's answer has to wait for a calmer hour, which is counted.
    pub fn leaves_out(&self, request: &Request, what: &What) -> bool {
        let (whole, bytes) = match what {
            What::Whole(_, chosen) => (chosen.body.len(), chosen.body.len()),
            What::Part(_, chosen, part) => (chosen.body.len(), part.len()),
            _ => return false,
        };
        match self.scarce(request.method, || as_it_is_found(request.path), Some(whole as u64)) {
            Some(class) => self.count(class, bytes as u64),
            None => false,
        }
    }

    /// True where an origin's answer would have to wait, unless it is stored and turns out to weigh less than one thinks.
    pub fn is_scarce(&self, request: &Request) -> bool {
        self.scarce(request.method, || sought(request.path), None).is_some()
    }

    /// The same once it has been looked for, which is counted. `stored`: bytes of the body that lies ready, none for 304; `None` where
    /// the origin would have to be asked.
    pub fn leaves_out_of_corridor(&self, method: &Method, path: &str, stored: Option<usize>) -> bool {
        let stored = stored.map(|bytes| bytes as u64);
        match self.scarce(method, || sought(path), stored) {
            Some(class) => self.count(class, stored.unwrap_or_else(|| self.expected(class))),
            None => false,
        }
    }

    /// The class of what an origin is asked for, by its path alone.
    pub fn class(&self, path: &str) -> Class {
        self.classes.of(&sought(path), None)
    }

    /// An origin has answered with a body of so many bytes. Two threads at once may forget one of theirs.
    pub fn passes(&self, class: Class, bytes: u64) {
        let seen = &self.seen[class as usize];
        let mean = match seen.load(Relaxed) {
            0 => bytes,
            mean => {
                ((u128::from(mean) * u128::from(SEEN_ANSWERS - 1) + u128::from(bytes)) / u128::from(SEEN_ANSWERS))
                    as u64
            }
        };
        seen.store(mean.max(1), Relaxed);
    }

    /// What an answer would weigh that nobody has asked the origin for.
    fn expected(&self, class: Class) -> u64 {
        match self.seen[class as usize].load(Relaxed) {
            0 => UNKNOWN_BYTES,
            mean => mean,
        }
    }

    /// The class of what is left out now.
    fn scarce<'p>(&self, method: &Method, path: impl Fn() -> Cow<'p, str>, bytes: Option<u64>) -> Option<Class> {
        let offer = self.offer();
        // Neither has a body that would weigh anything.
        if offer == Offer::Everything || matches!(*method, Method::HEAD | Method::OPTIONS) || bytes == Some(0) {
            return None;
        }
        Some(self.classes.of(&path(), bytes)).filter(|class| class.is_left_out(offer))
    }

    fn count(&self, class: Class, bytes: u64) -> bool {
        self.left_out[class as usize].fetch_add(bytes, Relaxed);
        self.counters[class as usize].inc();
        true
    }
}

/// The path by which it is found in the package, so that no other way of writing it is of another class. Origins may read more into
/// one: see `sought`.
fn as_it_is_found(path: &str) -> Cow<'_, str> {
    match decode(path) {
        Ok(Cow::Owned(decoded)) => Cow::Owned(format!("/{decoded}")),
        _ => Cow::Borrowed(path),
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
        ladder.leaves_out(&request, &what)
    }

    #[test]
    fn of_a_refusal_counts_what_surely_leaves() {
        let ladder = Ladder::new(Classes::default(), &Metrics::new());
        let counted = |how, is_json| {
            let before = ladder.refused();
            ladder.refuses(how, is_json, 4_000);
            ladder.refused() - before
        };
        assert_eq!(counted(Refusing::AtOnce, false), REFUSED_HEAD_BYTES + 4_000);
        assert_eq!(counted(Refusing::ByFrames, true), REFUSED_FRAMES_BYTES + 4_000);
        assert_eq!(counted(Refusing::ByFrames, false), REFUSED_FRAMES_BYTES, "a page waits for the client's window");
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
        let ladder = Ladder::new(
            Classes { images: vec!["/actas/*".into()], small_bytes: 2_000, ..Classes::default() },
            &Metrics::new(),
        );
        ladder.set(Offer::WithoutImages);
        let (none, get) = (HeaderMap::new(), Method::GET);
        let asked = |method, path| Request {
            method,
            path,
            query: None,
            fields: Fields::of(&none),
            host_is_known: true,
            spread: Spread::default(),
            is_secure: false,
        };
        for path in ["/actas/1.jpg", "/act%61s/1.jpg", "//actas//1.jpg", "/actas;v=1/1.jpg"] {
            assert!(ladder.is_scarce(&asked(&get, path)), "{path}");
            assert!(ladder.leaves_out_of_corridor(&get, path, None), "{path}");
        }
        assert!(!ladder.is_scarce(&asked(&get, "/buscar")));
        assert!(!ladder.is_scarce(&asked(&Method::OPTIONS, "/actas/1.jpg")), "what may be asked is no image");
        // What lies ready is weighed.
        for (bytes, is_left_out) in [(0, false), (2_000, false), (2_001, true)] {
            assert_eq!(ladder.leaves_out_of_corridor(&get, "/actas/1.jpg", Some(bytes)), is_left_out, "{bytes}");
        }
        assert_eq!(ladder.left_out()[Class::Image as usize], 4 * UNKNOWN_BYTES + 2_001);
    }

    #[test]
    fn what_nobody_has_weighed_is_taken_for_what_its_class_weighed_before() {
        let ladder = Ladder::new(Classes { images: vec!["*.jpg".into()], ..Classes::default() }, &Metrics::new());
        ladder.set(Offer::WithoutImages);
        let left_out = || {
            let before = ladder.left_out()[Class::Image as usize];
            assert!(ladder.leaves_out_of_corridor(&Method::GET, "/1.jpg", None));
            ladder.left_out()[Class::Image as usize] - before
        };
        assert_eq!(left_out(), UNKNOWN_BYTES);
        ladder.passes(ladder.class("/datos.json"), 10);
        assert_eq!(left_out(), UNKNOWN_BYTES, "of another class");
        ladder.passes(ladder.class("/a%2Ejpg"), 900_000);
        assert_eq!(left_out(), 900_000);
        ladder.passes(Class::Image, 100_000);
        assert_eq!(left_out(), 875_000);
        (0..1000).for_each(|_| ladder.passes(Class::Image, 100_000));
        assert!((100_000..101_000).contains(&left_out()));
        ladder.passes(Class::Image, u64::MAX);
        (0..3000).for_each(|_| ladder.passes(Class::Image, 0));
        assert!((1..100).contains(&left_out()), "what was empty is not unknown");
    }
}
