//! Polls against a server that is a function, on a disk that is a twin.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use super::document::Pointers;
use super::fake::{Asked, Bench, RESERVE, Said, URL, file, moved, plain, settings};
use super::fetch::Signals;
use super::settings::Settings;
use crate::base::digest::Digest;
use crate::base::disk::{At, Disk};
use crate::ingest::handle::Outcome;

#[test]
fn a_version_comes_once() {
    let version = Arc::new(Mutex::new(("\"1\"", b"one".to_vec())));
    let shown = version.clone();
    let mut bench = Bench::new(settings(URL), move |asked| {
        let (etag, bytes) = shown.lock().unwrap().clone();
        file(asked, etag, &bytes, None)
    });
    assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(bench.poll().unwrap(), None);
    assert_eq!(bench.asked(), [URL.to_owned(), format!("{URL} if-none-match: \"1\"")]);
    *version.lock().unwrap() = ("\"2\"", b"two".to_vec());
    assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"two"[..]));
    *version.lock().unwrap() = ("\"3\"", b"two".to_vec());
    assert_eq!(bench.poll().unwrap(), None, "the same bytes under another tag are nothing new");
    bench.poller.forget();
    assert!(bench.poll().unwrap().is_some());
    assert_eq!(bench.staged(), [""; 0]);
}

#[test]
fn two_versions_of_one_second_are_told_apart() {
    let mut polls = 0;
    let mut bench = Bench::new(settings(URL), move |asked| {
        polls += 1;
        // A tag of size and second, as nginx has them.
        let second = |n| format!("Mon, 08 Jun 2026 02:10:{n:02} GMT");
        let mut said = file(asked, "\"6a2-3\"", if polls == 1 { b"one" } else { b"two" }, None);
        said.fields.extend([("last-modified", second(7)), ("date", second(6 + polls))]);
        said
    });
    assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(bench.poll().unwrap(), None);
    let conditions: Vec<_> = bench.asked().iter().map(|line| line.contains("if-none-match")).collect();
    assert_eq!(conditions, [false, false, true]);
    // Where a page calls itself new each time, a tag that stays is believed.
    let mut bench = Bench::new(settings(URL), |asked| {
        let mut said = file(asked, "\"1\"", b"one", None);
        let now = "Mon, 08 Jun 2026 02:10:07 GMT".to_owned();
        said.fields.extend([("last-modified", now.clone()), ("date", now)]);
        said
    });
    let found: Vec<_> = (0..3).map(|_| bench.poll().unwrap().is_some()).collect();
    let conditions = bench.asked().iter().filter(|line| line.contains("if-none-match")).count();
    assert_eq!((found, conditions), (vec![true, false, false], 1));
}

#[test]
fn what_is_refused_comes_again_only_if_time_may_heal_it() {
    let refused = |heals| Outcome::Refused { code: "P074", why: String::new(), heals };
    let mut bench = Bench::new(settings(URL), |asked| file(asked, "\"1\"", b"one", None));
    assert!(bench.poll_and(&refused(true)).unwrap().is_some());
    assert!(bench.poll_and(&refused(true)).unwrap().is_some());
    assert!(bench.poll_and(&refused(false)).unwrap().is_some());
    assert_eq!(bench.poll().unwrap(), None);
    // Nor without any validator, where the bytes have to come again to be compared.
    let mut bench = Bench::new(settings(URL), |_| plain(b"one"));
    assert!(bench.poll_and(&refused(false)).unwrap().is_some());
    assert_eq!((bench.poll().unwrap(), bench.staged()), (None, vec![]));
}

#[test]
fn a_cut_transfer_goes_on_where_it_was_cut() {
    let mut cuts = vec![Some(4), Some(1), None];
    let mut bench = Bench::new(settings(URL), move |asked| file(asked, "\"1\"", b"0123456789", cuts.remove(0)));
    assert_eq!((bench.code(), bench.code()), ("S007", "S007"));
    assert_eq!(bench.staged(), [".pull-iec.part", ".pull-iec.part.json"]);
    assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"0123456789"[..]));
    let ranges = |n: u8| format!("{URL} range: bytes={n}- if-range: \"1\"");
    assert_eq!(bench.asked(), [URL.to_owned(), ranges(4), ranges(5)]);
}

#[test]
fn a_restart_loses_nothing_that_was_noted() {
    let mut bench = Bench::new(settings(URL), |asked| file(asked, "\"1\"", b"0123456789", Some(4)));
    assert_eq!(bench.code(), "S007");
    let mut after = Bench::on(bench.disk.clone(), settings(URL), |asked| file(asked, "\"1\"", b"0123456789", None));
    assert_eq!(after.poll().unwrap().as_deref(), Some(&b"0123456789"[..]));
    assert_eq!(after.asked(), [format!("{URL} range: bytes=4- if-range: \"1\"")]);
    assert_eq!(after.staged(), [""; 0]);
}

#[test]
fn a_version_that_changes_meanwhile_begins_anew() {
    // Honestly, with a 200; and by a server that takes no notice of If-Range.
    for is_honest in [true, false] {
        let mut polls = 0;
        let mut bench = Bench::new(settings(URL), move |asked| {
            polls += 1;
            match polls {
                1 => file(asked, "\"1\"", b"0123456789", Some(4)),
                2 if !is_honest => Said {
                    status: 206,
                    fields: vec![("etag", "\"2\"".into()), ("content-range", "bytes 4-9/10".into())],
                    body: b"efghij".to_vec(),
                    is_cut: false,
                },
                _ => file(asked, "\"2\"", b"abcdefghij", None),
            }
        });
        assert_eq!(bench.code(), "S007");
        assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"abcdefghij"[..]), "{is_honest}");
        assert_eq!(bench.asked().len(), if is_honest { 2 } else { 3 });
    }
}

#[test]
fn without_a_strong_tag_nothing_is_kept() {
    let mut bench = Bench::new(settings(URL), |asked| file(asked, "W/\"1\"", b"0123456789", Some(4)));
    assert_eq!((bench.code(), bench.staged()), ("S007", vec![]));
    assert_eq!(bench.code(), "S007");
    assert_eq!(bench.asked(), [URL, URL]);
}

#[test]
fn the_limit_holds_whether_it_was_announced_or_not() {
    let announced = Said { fields: vec![("content-length", "101".into())], ..plain(&[0; 101]) };
    let endless = Said { status: 200, body: vec![0; 101], ..Said::default() };
    let just = plain(&[0; 100]);
    let mut all = vec![announced, endless, just];
    let mut bench = Bench::new(settings(URL), move |_| all.remove(0));
    assert_eq!((bench.code(), bench.staged()), ("S006", vec![]));
    assert_eq!((bench.code(), bench.staged()), ("S006", vec![]));
    assert_eq!(bench.poll().unwrap().map(|bytes| bytes.len()), Some(100));
}

#[test]
fn what_the_vault_leaves_free_is_not_taken_by_what_arrives() {
    let (disk, twin) = Disk::twin();
    let mut bench = Bench::on(disk, settings(URL), |_| plain(&[0; 100]));
    twin.has_room_for(RESERVE + 50);
    assert_eq!((bench.code(), bench.staged()), ("S013", vec![]));
    let why = bench.poll().unwrap_err().to_string();
    assert!(why.contains("100 B are to come") && why.contains("vault.reserve"), "{why}");
    twin.has_room_for(RESERVE + 5000);
    assert_eq!(bench.poll().unwrap().map(|bytes| bytes.len()), Some(100));
}

#[test]
fn a_body_without_an_announced_end_is_not_known_for_good() {
    // Some cut it, and nobody could tell: the refusal of one half must not stand for the whole.
    let refused = Outcome::Refused { code: "P003", why: String::new(), heals: false };
    let bodies = [&b"0123"[..], b"0123", b"0123456789", b""];
    let script = |etag: &'static str| {
        let mut n = 0;
        move |asked: &Asked| {
            if asked.0.ends_with(".json") {
                return file(asked, "\"json\"", b"{\"ultimo\": \"a.tar\"}", None);
            }
            n += 1;
            let status = if asked.field("if-none-match").is_some() { 304 } else { 200 };
            let fields = if etag.is_empty() { vec![] } else { vec![("etag", etag.to_owned())] };
            Said { status, fields, body: bodies[n - 1].to_vec(), is_cut: false }
        }
    };
    let mut document = with_document();
    document.pointers.as_mut().unwrap().sha256 = None;
    for (settings, etag) in [(settings(URL), ""), (settings(URL), "\"1\""), (document.clone(), ""), (document, "\"1\"")]
    {
        let mut bench = Bench::new(settings, script(etag));
        assert!(bench.poll_and(&refused).unwrap().is_some());
        assert_eq!(bench.poll_and(&refused).unwrap(), None);
        assert_eq!(bench.poll().unwrap().map(|bytes| bytes.len()), Some(10), "{etag}");
    }
}

#[test]
fn redirects_are_followed_as_far_as_they_may_lead() {
    for (to, code) in [
        ("/otra/b.tar", ""),
        ("https://cdn.example/b.tar", ""),
        ("https://otro.example/b.tar", "S010"),
        ("http://prep.example/b.tar", "S009"),
        ("file:///etc/passwd", "S009"),
        ("/20260607_2010.tar", "S009"),
        ("", "S009"),
    ] {
        let to = to.to_owned();
        let mut bench =
            Bench::new(settings(URL), move |asked| if asked.0.ends_with("b.tar") { plain(b"one") } else { moved(&to) });
        assert_eq!(bench.poll().err().map_or("", |fault| fault.code()), code);
    }
    let mut bench = Bench::new(settings(URL), |_| Said { status: 301, ..Said::default() });
    assert_eq!(bench.code(), "S009");
}

fn with_document() -> Settings {
    let pointers = Pointers { package: "/ultimo".into(), sha256: Some("/sha256".into()) };
    Settings { pointers: Some(pointers), ..settings("https://prep.example/datos/ultimo.json") }
}

/// A document that names a package, and the package.
fn site(asked: &Asked, name: &str, sha256: Digest, bytes: &[u8]) -> Said {
    if asked.0.ends_with(".json") {
        let json = format!("{{\"ultimo\": \"{name}\", \"sha256\": \"{sha256}\"}}");
        file(asked, &format!("\"{name}\""), json.as_bytes(), None)
    } else {
        plain(bytes)
    }
}

#[test]
fn a_document_names_the_package_and_its_sum() {
    let mut bench = Bench::new(with_document(), |asked| site(asked, "a.tar", Digest::of(b"one"), b"one"));
    assert_eq!(bench.poll().unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!((bench.poll().unwrap(), bench.poll().unwrap()), (None, None));
    let document = "https://prep.example/datos/ultimo.json";
    let known = format!("{document} if-none-match: \"a.tar\"");
    assert_eq!(bench.asked(), [document, "https://prep.example/datos/a.tar", &known, &known]);
    // The package under another name, but with the sum that is known, need not come.
    let mut n = 0;
    let mut bench = Bench::new(with_document(), move |asked| {
        n += 1;
        site(asked, if n < 3 { "a.tar" } else { "b.tar" }, Digest::of(b"one"), b"one")
    });
    assert!(bench.poll().unwrap().is_some());
    assert_eq!((bench.poll().unwrap(), bench.asked().len()), (None, 3));
}

#[test]
fn what_differs_from_its_announced_sum_is_thrown_away() {
    let mut bench = Bench::new(with_document(), |asked| site(asked, "a.tar", Digest::of(b"one"), b"two"));
    assert_eq!((bench.code(), bench.staged()), ("S011", vec![]));
    assert_eq!(bench.code(), "S011", "and comes again");
}

#[test]
fn documents_that_name_nothing_are_told_apart() {
    for (json, code) in [
        ("<html>403</html>", "S008"),
        ("{}", "S008"),
        ("{\"ultimo\": \"https://otro.example/a.tar\"}", "S010"),
        ("{\"ultimo\": \"http://prep.example/a.tar\"}", "S010"),
    ] {
        let mut settings = with_document();
        settings.pointers.as_mut().unwrap().sha256 = None;
        let mut bench = Bench::new(settings, move |_| plain(json.as_bytes()));
        assert_eq!(bench.code(), code, "{json}");
    }
    let mut bench = Bench::new(with_document(), |_| plain(&[b' '; 70_000]));
    assert_eq!(bench.code(), "S006");
}

#[test]
fn stopping_keeps_what_has_come() {
    let signals = Arc::new(Signals::default());
    let told = signals.clone();
    let mut bench = Bench::new(settings(URL), move |asked| {
        // Told to stop while the head is read: the first piece is taken for the end of the world.
        told.stop.store(asked.field("range").is_some(), Relaxed);
        file(asked, "\"1\"", b"0123456789", if asked.field("range").is_some() { None } else { Some(4) })
    });
    assert!(bench.poller.poll(&signals).is_err() && bench.poller.poll(&signals).is_err());
    assert_eq!(bench.staged(), [".pull-iec.part", ".pull-iec.part.json"]);
    let mut after = Bench::on(bench.disk.clone(), settings(URL), |asked| file(asked, "\"1\"", b"0123456789", None));
    assert_eq!(after.poll().unwrap().as_deref(), Some(&b"0123456789"[..]));
}

/// Whatever the disk does at any moment, what is handed over in the end is the whole of one version.
#[test]
fn the_disk_may_fail_or_die_at_any_operation() {
    let version = |n: usize| vec![b'0' + u8::try_from(n).unwrap(); 10 + n];
    // A cut in every other answer, and a new version after each third.
    let script = move || {
        let mut n = 0;
        move |asked: &Asked| {
            n += 1;
            let v = n / 3;
            file(asked, &format!("\"{v}\""), &version(v), (n % 2 == 1).then_some(4))
        }
    };
    let night = |bench: &mut Bench| (0..9).filter_map(|_| bench.poll().ok().flatten()).collect::<Vec<_>>();
    let (disk, twin) = Disk::twin();
    let whole = night(&mut Bench::on(disk, settings(URL), script()));
    assert!(whole.len() >= 2, "{whole:?}");
    let is_a_version = |bytes: &Vec<u8>| (0..6).any(|n| version(n) == *bytes);
    for n in 0..twin.operations() {
        let (disk, twin) = Disk::twin();
        twin.at(n, At::Fail(std::io::ErrorKind::StorageFull));
        let mut bench = Bench::on(disk, settings(URL), script());
        let found = night(&mut bench);
        assert!(found.iter().all(is_a_version) && !found.is_empty(), "{n}: {found:?}");
        let (disk, twin) = Disk::twin();
        twin.at(n, At::PowerCut);
        let poller = std::panic::AssertUnwindSafe(|| night(&mut Bench::on(disk, settings(URL), script())));
        // The bench itself cannot read what a dead disk holds.
        let _ = std::panic::catch_unwind(poller);
        for seed in 0..8 {
            let (disk, _twin) = twin.after_power_cut(seed);
            let mut bench = Bench::on(disk, settings(URL), script());
            let found = night(&mut bench);
            assert!(found.iter().all(is_a_version) && !found.is_empty(), "{n} {seed}: {found:?}");
            assert!(bench.staged().iter().all(|name| name.starts_with('.')), "{:?}", bench.staged());
        }
    }
}
