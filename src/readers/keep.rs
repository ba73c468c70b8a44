//! What a browser's cache would do (RFC 9111, RFC 5861, RFC 9842), as pure functions. Times are microseconds of the run.

use std::sync::Arc;

use super::bodies::Stored;
use crate::proxy::{directives, list};

/// Microseconds in a second.
pub const SECOND_US: u64 = 1_000_000;

/// What `Cache-Control` and `Age` of a response let a browser do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetime {
    pub max_age_s: u32,
    /// Seconds beyond it during which it is shown while it is asked for again (RFC 5861, section 3).
    pub stale_s: u32,
    pub no_store: bool,
    /// Kept, and asked for again each time (RFC 9111, 5.2.2.4).
    pub no_cache: bool,
}

impl Lifetime {
    /// Of the lines of a response. `Age` is what the response has spent in caches on its way (RFC 9111, 5.1).
    pub fn read(cache_control: Option<&[u8]>, age: Option<&[u8]>) -> Lifetime {
        let mut found = Lifetime::default();
        let members = list::split(cache_control.unwrap_or_default());
        for member in &members.members {
            let (name, argument) = directives::parts(member);
            let number = argument.value().and_then(list::seconds);
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            if is(b"max-age") {
                found.max_age_s = number.unwrap_or(0);
            } else if is(b"stale-while-revalidate") {
                found.stale_s = number.unwrap_or(0);
            } else if is(b"no-store") {
                found.no_store = true;
            } else if is(b"no-cache") {
                found.no_cache = true;
            }
        }
        if members.unclosed {
            (found.max_age_s, found.stale_s) = (0, 0);
        }
        found.max_age_s = found.max_age_s.saturating_sub(age.and_then(list::seconds).unwrap_or(0));
        found
    }
}

/// How a page asks: Fetch's cache modes (Fetch, 2.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// What is fresh needs no request.
    Default,
    /// Always asked for, with the validator that is there.
    NoCache,
}

/// What is to be done for one look at a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Shown as it is; nobody is asked.
    Fresh,
    /// Shown as it is, and asked for behind the reader's back.
    Stale,
    /// Asked for, with `If-None-Match` where there is a validator.
    Ask,
}

/// One response in a reader's cache.
#[derive(Clone, Debug)]
pub struct Kept {
    /// When it came, or was found to be still good.
    pub at_us: u64,
    pub lifetime: Lifetime,
    /// The place of the corte that it was said to be of.
    pub corte: u16,
    pub stored: Arc<Stored>,
}

/// What a browser does with what it has.
pub fn look(kept: Option<&Kept>, mode: Mode, now_us: u64) -> Use {
    let Some(kept) = kept.filter(|kept| mode == Mode::Default && !kept.lifetime.no_cache) else { return Use::Ask };
    match age_s(kept, now_us) {
        age if age < u64::from(kept.lifetime.max_age_s) => Use::Fresh,
        age if age < usable_s(&kept.lifetime) => Use::Stale,
        _ => Use::Ask,
    }
}

/// Whether it may serve as a dictionary: as long as it could be shown (measured in Chromium 156: its
/// lifetime is max-age and stale-while-revalidate; with `no-cache` it never is one).
pub fn is_dictionary(kept: &Kept, now_us: u64) -> bool {
    let is_kept = !kept.lifetime.no_cache && !kept.lifetime.no_store;
    kept.stored.is_dictionary && is_kept && age_s(kept, now_us) < usable_s(&kept.lifetime)
}

fn age_s(kept: &Kept, now_us: u64) -> u64 {
    now_us.saturating_sub(kept.at_us) / SECOND_US
}

fn usable_s(lifetime: &Lifetime) -> u64 {
    u64::from(lifetime.max_age_s) + u64::from(lifetime.stale_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(lifetime: Lifetime, at_s: u64, is_dictionary: bool) -> Kept {
        let stored = Arc::new(Stored { is_dictionary, ..Stored::plain(b"cuerpo") });
        Kept { at_us: at_s * SECOND_US, lifetime, corte: 0, stored }
    }

    #[test]
    fn lifetimes_as_servers_write_them() {
        let plain = |max_age_s, stale_s| Lifetime { max_age_s, stale_s, ..Lifetime::default() };
        for (line, age, found) in [
            ("public, max-age=600, stale-while-revalidate=15, stale-if-error=1260", None, plain(600, 15)),
            ("MAX-AGE=\"7\"", None, plain(7, 0)),
            ("max-age=600", Some("90"), plain(510, 0)),
            ("max-age=60", Some("90"), plain(0, 0)),
            ("max-age=600", Some("soon"), plain(600, 0)),
            ("max-age=-1, stale-while-revalidate", None, plain(0, 0)),
            ("x=\"max-age=600", None, plain(0, 0)),
            ("no-cache", None, Lifetime { no_cache: true, ..Lifetime::default() }),
            ("no-store, max-age=5", None, Lifetime { no_store: true, ..plain(5, 0) }),
            ("", None, Lifetime::default()),
        ] {
            let read = Lifetime::read(Some(line.as_bytes()), age.map(str::as_bytes));
            assert_eq!(read, found, "{line}");
        }
        assert_eq!(Lifetime::read(None, None), Lifetime::default());
    }

    #[test]
    fn shown_then_shown_stale_then_asked_for() {
        let lifetime = Lifetime { max_age_s: 10, stale_s: 5, ..Lifetime::default() };
        let one = kept(lifetime, 100, true);
        for (second, used, dictionary) in [
            (100, Use::Fresh, true),
            (109, Use::Fresh, true),
            (110, Use::Stale, true),
            (114, Use::Stale, true),
            (115, Use::Ask, false),
            (3, Use::Fresh, true),
        ] {
            assert_eq!(look(Some(&one), Mode::Default, second * SECOND_US), used, "{second}");
            assert_eq!(look(Some(&one), Mode::NoCache, second * SECOND_US), Use::Ask, "{second}");
            assert_eq!(is_dictionary(&one, second * SECOND_US), dictionary, "{second}");
        }
        assert_eq!(look(None, Mode::Default, 0), Use::Ask);
        let never = kept(Lifetime { no_cache: true, ..lifetime }, 100, true);
        assert_eq!(look(Some(&never), Mode::Default, 100 * SECOND_US), Use::Ask);
        assert!(!is_dictionary(&never, 100 * SECOND_US) && !is_dictionary(&kept(lifetime, 100, false), 0));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line: Vec<u8>, age: Vec<u8>) {
            let _ = Lifetime::read(Some(&line), Some(&age));
        }

        #[test]
        fn time_only_makes_it_worse(max_age_s in 0u32..20, stale_s in 0u32..20, a in 0u64..60, b in 0u64..60) {
            let one = kept(Lifetime { max_age_s, stale_s, ..Lifetime::default() }, 0, true);
            let rank = |second: u64| look(Some(&one), Mode::Default, second * SECOND_US) as u8;
            prop_assert!(rank(a.min(b)) <= rank(a.max(b)));
        }
    }
}
