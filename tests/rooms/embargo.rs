//! The embargo as a property: for any request whatever, a server that holds a corte before the opening answers as one that
//! holds none.

use std::sync::{Arc, LazyLock};

use difusor::base::clock::Clock;
use difusor::corte::Tipo;
use difusor::http::Spread;
use difusor::http::answer::{Request, What, answer};
use difusor::http::fields::Fields;
use difusor::ingest::{Gate, Plan};
use difusor::schedule::{Calendar, Window};
use difusor::snapshot::{Edition, Live, Looks, Public};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::answer::{fields, method, path};
use crate::common::always::always;
use crate::common::{ELECTION, now};
use crate::night::snapshot;

/// The cortes of these tests may be older than the opening.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

/// A server a second before its opening, with and without a corte.
fn public(edition: Option<Edition>) -> Arc<Public> {
    let opens = now() + SignedDuration::from_secs(1);
    let always = always(Tipo::Oficial);
    let window = Window { opens, ends: opens + SignedDuration::from_hours(24), ..always.windows()[0].clone() };
    let calendar = Arc::new(Calendar::new(vec![window], TimeZone::UTC, LONG_AGO).unwrap());
    let live = Arc::new(Live::default());
    let plan = Plan { election: ELECTION.into(), calendar, looks: Looks::default() };
    let gate = Gate::new(plan, live.clone(), Clock::scripted(now()).0, Arc::new(|_| {}));
    edition.into_iter().for_each(|edition| live.publish(edition));
    gate.public()
}

/// With a corte and without. Pages say in which second of the machine they were printed: both in the same one.
static BOTH: LazyLock<[Arc<Public>; 2]> = LazyLock::new(|| {
    let edition = Edition::first(snapshot(0)).next(snapshot(1), 6);
    let second = |public: &Arc<Public>| public.load().told().printed.machine_s;
    loop {
        let both = [public(Some(edition.clone())), public(None)];
        if second(&both[0]) == second(&both[1]) {
            return both;
        }
    }
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_corte_makes_no_difference(
        method in method(), path in path(), query in prop::option::of("[ -~]{0,10}"), headers in fields(), host_is_known: bool
    ) {
        let request = Request { method: &method, path: &path, query: query.as_deref(), fields: Fields::of(&headers), host_is_known, is_secure: true, spread: Spread::default() };
        let [full, empty] = BOTH.each_ref().map(|public| public.load());
        let (one, other) = (answer(&request, &full), answer(&request, &empty));
        prop_assert!(one.corte.is_none());
        prop_assert_eq!(one.freshness, other.freshness);
        prop_assert_eq!(one.wants_json, other.wants_json);
        match (one.what, other.what) {
            (What::Notice(a, notice), What::Notice(b, same)) => {
                prop_assert_eq!((a, notice), (b, same));
                prop_assert!(full.page(notice) == empty.page(notice));
            }
            (What::Whole(_, a), What::Whole(_, b)) => prop_assert!(a.body == b.body && a.head == b.head),
            (What::Part(_, a, part), What::Part(_, b, same)) => prop_assert!(a.body == b.body && part == same),
            (What::NotModified(_, a), What::NotModified(_, b)) => prop_assert_eq!(a, b),
            (What::Options, What::Options) => {}
            (What::Unsatisfiable(a), What::Unsatisfiable(b)) => prop_assert_eq!(a, b),
            (a, b) => prop_assert!(false, "{:?} and {:?}", a, b),
        }
    }
}
