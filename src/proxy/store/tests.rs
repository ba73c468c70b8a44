//! What a store finds, what it forgets, and what reaches what it has let go of.

use bytes::Bytes;
use http::StatusCode;

use super::super::failure::Failure;
use super::super::freshness::Kept;
use super::super::purge::Which;
use super::super::vary::Vary;
use super::*;

fn head(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
}

fn stored(fields: &[(&'static str, &'static str)], asked: &HeaderMap, body: &'static str) -> Arc<Stored> {
    let fields = head(fields);
    let vary = Vary::read(&fields);
    let selects = vary.key(asked).unwrap();
    let kept = Kept::of(StatusCode::OK, &fields, 0, 0, None);
    Arc::new(Stored::new(StatusCode::OK, fields, body.into(), kept, vary, selects))
}

fn body(found: (Option<Arc<Stored>>, bool)) -> Option<Bytes> {
    found.0.map(|one| one.body.clone())
}

#[test]
fn vary_selects_among_several() {
    let (store, key) = (Store::new(1 << 20), Key::from("http://a/"));
    let (es, en, none) = (head(&[("a", "es")]), head(&[("a", "en")]), head(&[]));
    assert!(!store.find(&key, &none).1);
    store.put(&key, stored(&[("vary", "a")], &es, "hola"), 0);
    store.put(&key, stored(&[("vary", "a")], &en, "hello"), 0);
    assert_eq!(body(store.find(&key, &es)), Some("hola".into()));
    assert_eq!(body(store.find(&key, &en)), Some("hello".into()));
    let (found, is_known) = store.find(&key, &none);
    assert!(found.is_none() && is_known);
    store.put(&key, stored(&[("vary", "a")], &es, "buenas"), 0);
    assert_eq!(body(store.find(&key, &es)), Some("buenas".into()));
    // The newest that is selected counts, whatever an older one varies by (RFC 9111, 4.1).
    store.put(&key, stored(&[], &none, "all"), 0);
    assert_eq!(body(store.find(&key, &es)), Some("all".into()));
}

#[test]
fn an_attack_of_keys_and_variants_stays_within_the_memory() {
    let store = Store::new(1 << 20);
    for n in 0..20_000 {
        store.put(&format!("http://a/{n}").into(), stored(&[], &head(&[]), "x"), 0);
    }
    let key = Key::from("http://a/v");
    for n in 0..2_000 {
        let mut asked = HeaderMap::new();
        asked.insert("a", n.into());
        store.put(&key, stored(&[("vary", "a")], &asked, "x"), 0);
    }
    let (keys, bytes) = store.held();
    assert!(bytes <= 1 << 20, "{bytes}");
    assert!(keys > 100, "{keys}");
}

#[test]
fn what_is_written_to_is_asked_for_again() {
    let store = Store::new(1 << 20);
    let (plain, by_corte) = (Key::from("http://a/b"), Key::from("http://a/b\ncorte c"));
    let other = Key::from("http://a/bc");
    for key in [&plain, &by_corte, &other] {
        store.put(key, stored(&[], &head(&[]), "x"), 0);
    }
    store.outdate("http://a/b", true);
    assert!(store.find(&plain, &head(&[])).0.unwrap().outdated);
    assert!(store.find(&by_corte, &head(&[])).0.is_none());
    assert!(!store.find(&other, &head(&[])).0.unwrap().outdated);
}

#[test]
fn a_purge_reaches_what_is_on_its_way_too() {
    let store = Store::new(1 << 20);
    let (a, b) = (Key::from("http://a/b/1"), Key::from("http://a/c"));
    for key in [&a, &b] {
        store.put(key, stored(&[("cache-tag", "t")], &head(&[]), "x"), 0);
    }
    let before = store.purges();
    let purge = |which, soft| store.purge(&Purge { which, soft });
    assert_eq!(purge(Which::Prefix("/b/".into()), false), 1);
    assert!(store.find(&a, &head(&[])).0.is_none() && !store.find(&b, &head(&[])).0.unwrap().outdated);
    assert_eq!(purge(Which::Tag("t".into()), true), 1);
    assert!(store.find(&b, &head(&[])).0.unwrap().outdated);
    assert_eq!(purge(Which::Tag("u".into()), false), 0);
    store.put(&a, stored(&[], &head(&[]), "x"), before);
    assert!(store.find(&a, &head(&[])).0.unwrap().outdated, "asked for before the purge");
    store.put(&a, stored(&[], &head(&[]), "x"), store.purges());
    assert!(!store.find(&a, &head(&[])).0.unwrap().outdated);
}

#[test]
fn what_was_seen_in_this_second_is_purged_and_outdated_too() {
    let (store, key) = (Store::new(1 << 20), Key::from("http://a/b"));
    let purge = |soft| store.purge(&Purge { which: Which::Prefix("/b".into()), soft });
    let see = || {
        store.put(&key, stored(&[], &head(&[]), "x"), store.purges());
        store.only(&key, 7).unwrap()
    };
    let _reader = see();
    assert_eq!(purge(false), 1);
    assert!(store.only(&key, 7).is_none());
    let _reader = see();
    assert_eq!(purge(true), 1);
    assert!(store.only(&key, 7).unwrap().outdated);
    // Let go of for want of room, while somebody reads it.
    let nothing_held = |soft| assert_eq!(purge(soft), 0);
    let change: [&dyn Fn(); 3] =
        [&|| nothing_held(false), &|| nothing_held(true), &|| store.outdate("http://a/b", false)];
    for change in change {
        let reader = see();
        store.held.invalidate(&key);
        assert!(Arc::ptr_eq(&store.only(&key, 7).unwrap(), &reader));
        change();
        assert!(store.only(&key, 7).is_none());
    }
}

#[test]
fn a_part_counts_and_goes_like_all_else() {
    let (store, key) = (Store::new(1 << 20), Key::from("http://a/b"));
    let asked = head(&[("a", "es")]);
    let fields = [("etag", "\"a\""), ("vary", "a"), ("cache-tag", "t")];
    let keep = || {
        let mut one = Stored::clone(&stored(&fields, &asked, ""));
        one.body = vec![0; 1 << 10].into();
        store.keep_part(&key, Partial::of(one, Some(1 << 11)).unwrap(), 0);
        store.part(&key, &asked).is_some()
    };
    assert!(keep() && store.part(&key, &head(&[])).is_none());
    assert!(store.find(&key, &asked).0.is_none(), "it is no whole one");
    assert!(store.held().1 > 1 << 10, "{:?}", store.held());
    store.outdate("http://a/b", false);
    assert!(store.part(&key, &asked).is_none() && keep());
    store.put(&key, stored(&[], &asked, "x"), 0);
    assert!(store.part(&key, &asked).is_none(), "there is a newer one");
    assert!(keep());
    assert_eq!(store.purge(&Purge { which: Which::Tag("t".into()), soft: true }), 1);
    assert!(store.part(&key, &asked).is_none() && !keep(), "asked for before the purge");
    assert!(!store.find(&key, &asked).0.unwrap().outdated, "another's tag");
}

fn refused(cookie: &'static str, refusal: Refusal) -> Refused {
    let route = super::super::route::specimen("/");
    Refused { voice: Voice::of(&head(&[("cookie", cookie)]), &route), refusal, until: 100 }
}

#[test]
fn what_is_refused_is_remembered_for_a_while() {
    let (store, key) = (Store::new(1 << 20), Key::from("http://a/"));
    let [one, other] = ["1", "2"].map(|cookie| refused(cookie, Refusal::Alone));
    let is_alone = |one: Refused, now| store.against(&key, Some(one.voice), now).is_alone;
    assert!(!store.refuse(&key, one, false));
    assert!(is_alone(one, 99) && !is_alone(one, 100) && !is_alone(other, 99), "it is his own");
    assert!(!store.is_alone_and_no_more(&key, 99));
    assert!(store.refuse(&key, one, true));
    assert!(is_alone(other, 99) && !is_alone(other, 100) && store.is_alone_and_no_more(&key, 99));
    store.put(&key, stored(&[], &head(&[]), "x"), 0);
    assert_eq!(store.against(&key, Some(one.voice), 99), Against::default());
    let failed = Refusal::Failed(Failure::Reset);
    let told = ["1", "2", "3"].map(|cookie| store.refuse(&key, refused(cookie, failed), false));
    assert_eq!(told, [false, false, true]);
    let against = store.against(&key, Some(refused("4", failed).voice), 99);
    assert_eq!(against, Against { failed: Some(Failure::Reset), ..Against::default() });
}

#[test]
fn what_is_gone_leaves_nothing_behind() {
    let (store, key) = (Store::new(1 << 20), Key::from("http://a/"));
    let one = stored(&[], &head(&[]), "x");
    store.put(&key, one.clone(), 0);
    assert_eq!(store.held().0, 1);
    store.purge(&Purge { which: Which::Everything, soft: false });
    assert_eq!(store.held(), (0, 0));
    // Whoever comes with news of it comes too late.
    store.replace(&key, &one, one.clone());
    store.told(&key, &head(&[]), Stored::old);
    assert_eq!(store.held(), (0, 0));
}

#[test]
fn what_a_response_varies_by_counts_too() {
    let names: Vec<String> = (0..30).map(|n| format!("{n}{}", "x".repeat(500))).collect();
    let with = |fields: &HeaderMap| {
        let vary = Vary::read(fields);
        let selects = vary.key(&HeaderMap::new()).unwrap();
        let kept = Kept::of(StatusCode::OK, fields, 0, 0, None);
        Stored::new(StatusCode::OK, fields.clone(), Bytes::new(), kept, vary, selects)
    };
    let mut fields = HeaderMap::new();
    let alone = with(&fields).bytes();
    fields.insert("vary", names.join(",").parse().unwrap());
    // Its line, its names, and what the request has in them.
    let least = 3 * names.iter().map(String::len).sum::<usize>();
    assert!(with(&fields).bytes() >= alone + least);
}

#[test]
fn a_write_reaches_all_keys_of_its_address() {
    let (store, none, one) = (Store::new(1 << 20), head(&[]), refused("1", Refusal::Alone));
    let keys = ["http://a/b", "http://a/b\ncorte 1", "http://a/b\nx:1\ncorte 2"].map(Key::from);
    for key in &keys {
        store.put(key, stored(&[], &none, "viejo"), 0);
    }
    store.refuse(&keys[1], one, true);
    store.outdate("http://a/b", true);
    assert!(store.find(&keys[0], &none).0.unwrap().outdated);
    for key in &keys[1..] {
        assert!(!store.find(key, &none).1 && store.only(key, 1).is_none() && !store.against(key, None, 1).is_alone);
        store.told(key, &none, |one| panic!("{one:?} is gone"));
        store.put(key, stored(&[], &none, "nuevo"), 0);
        assert_eq!(body(store.find(key, &none)), Some("nuevo".into()));
    }
    store.outdate("http://a/b", false);
    assert!(store.only(&keys[1], 1).is_some(), "its route has no such keys");
}

#[test]
fn what_was_found_is_sent_later_unless_it_was_purged_or_written_to_since() {
    let (store, none) = (Store::new(1 << 20), head(&[]));
    let key: Key = "http://a/x".into();
    let then = stored(&[], &none, "uno");
    store.put(&key, then.clone(), store.purges());
    let era = store.era(&key);
    let sent = || store.still(&key, &none, &then, era).map(|one| one.body.clone());
    assert_eq!(sent(), Some("uno".into()));
    store.put(&key, stored(&[], &none, "dos"), store.purges());
    assert_eq!(sent(), Some("dos".into()), "the newest");
    store.held.invalidate(&key);
    assert_eq!(sent(), Some("uno".into()), "there was no room");
    store.purge(&Purge { which: Which::Everything, soft: false });
    assert_eq!(sent(), None, "purged, though it was held no longer");
    let (era, now) = (store.era(&key), stored(&[], &none, "tres"));
    store.put(&key, now.clone(), store.purges());
    store.outdate("http://a/x", false);
    assert!(store.still(&key, &none, &now, era).is_none(), "written to");
}
