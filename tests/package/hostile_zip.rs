//! Zip archives that are made to be read in two ways. What two readers may read differently is refused.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use difusor::corte::{Limits, Nothing, read};
use proptest::prelude::*;

use crate::common::{CORTE, Tree, code, expecting, key, signers_of};
use crate::raw::{Item, crc, deflate, end, ending, items, le, zip};

fn package() -> Tree {
    Tree::new(CORTE, &["index.html", "datos/total.json"])
}

/// The code under which these bytes are refused; "" where they are a package.
fn refused(bytes: &[u8]) -> &'static str {
    code(read::zip_from(Cursor::new(bytes), &Limits::default(), &Nothing))
}

/// The package, of which one item is changed.
fn with(change: impl FnOnce(&mut Item)) -> &'static str {
    let mut items = items(&package());
    change(&mut items[1]);
    refused(&zip(&items))
}

/// The package with one item more.
fn and(item: Item) -> &'static str {
    refused(&zip(&[items(&package()), vec![item]].concat()))
}

/// A ZIP64 field.
fn long(values: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    [&[1, 0, values.len() as u8, 0][..], &values].concat()
}

#[test]
fn nothing_is_wrong_with_the_archives_that_are_spoilt_here() {
    assert_eq!(with(|_| ()), "");
    assert_eq!(with(|item| *item = item.clone().streamed()), "");
    let bare = |item: &mut Item| {
        *item = item.clone().streamed();
        item.descriptor.drain(..4);
    };
    assert_eq!(with(bare), "", "a descriptor needs no signature");
    let zip64 = |item: &mut Item| {
        item.listed.extra = long(&[item.listed.unpacked.into()]);
        item.listed.unpacked = u32::MAX;
        item.header.extra = long(&[item.header.unpacked.into(), item.header.packed.into()]);
        (item.header.unpacked, item.header.packed) = (u32::MAX, u32::MAX);
    };
    assert_eq!(with(zip64), "");
    let mut folder = Item::stored(b"sitio/datos/", b"");
    folder.mode = 0o040_755;
    assert_eq!(and(folder), "");
    let mut whole = zip(&items(&package()));
    let comment = b"un comentario";
    let len = whole.len();
    whole[len - 2] = comment.len() as u8;
    assert_eq!(refused(&[&whole[..], comment].concat()), "");
}

#[test]
fn something_around_the_archive() {
    let whole = zip(&items(&package()));
    assert_eq!(refused(&[b"#!/bin/sh\n", &whole[..]].concat()), "P003", "before it, as in what unpacks itself");
    assert_eq!(refused(&[&whole[..], b"x"].concat()), "P003", "behind it");
    assert_eq!(refused(&[&whole[..], &whole].concat()), "P003", "two archives");
    for cut in [1, 22, 23, 100, whole.len() - 1] {
        assert_eq!(refused(&whole[..whole.len() - cut]), "P003", "{cut} bytes less");
    }
    // Moved as a whole, with offsets that agree: the first file is not at the beginning all the same.
    let mut placed = Vec::new();
    let mut out = b"stub".to_vec();
    for item in items(&package()) {
        placed.push((item.clone(), out.len()));
        out.extend(item.bytes());
    }
    let ending = ending(&placed, out.len());
    assert_eq!(refused(&[out, ending].concat()), "P003");
}

#[test]
fn two_lists_or_two_ends() {
    let (a, b) = (items(&package()), items(&Tree::new(CORTE, &["otro.html"])));
    let files: Vec<u8> = a.iter().chain(&b).flat_map(Item::bytes).collect();
    let place = |items: &[Item], mut at: usize| -> Vec<(Item, usize)> {
        let mut place = |item: &Item| {
            at += item.bytes().len();
            (item.clone(), at - item.bytes().len())
        };
        items.iter().map(&mut place).collect()
    };
    let first_len: usize = a.iter().map(|item| item.bytes().len()).sum();
    let (first, second) = (place(&a, 0), place(&b, first_len));
    let one = ending(&first, files.len());
    let two = ending(&second, files.len() + one.len());
    assert_eq!(refused(&[&files[..], &one, &two].concat()), "P003", "each end record with a list of its own");
    // The end record of one archive as the comment of another, so that both end where the file does.
    let both = ending(&place(&[a.clone(), b.clone()].concat(), 0), files.len());
    let (list, _) = both.split_at(both.len() - 22);
    let hidden = end(1, 46, 0, b"");
    let outer = end((a.len() + b.len()) as u16, list.len() as u32, files.len() as u32, &hidden);
    assert_eq!(refused(&[&files[..], list, &outer].concat()), "P003", "an end record within a comment");
    let none = end(0, 0, 0, b"");
    assert_eq!(refused(&[&files[..], list, &outer[..22], &none].concat()), "P003");
    assert_eq!(refused(&none), "P041", "an archive of nothing is an archive");
}

#[test]
fn an_end_record_that_lies() {
    let items = items(&package());
    let files: Vec<u8> = items.iter().flat_map(Item::bytes).collect();
    let whole = zip(&items);
    let (list, n) = (&whole[files.len()..whole.len() - 22], items.len() as u16);
    let lie =
        |n: u16, len: usize, at: usize| refused(&[&files[..], list, &end(n, len as u32, at as u32, b"")].concat());
    let (len, at) = (list.len(), files.len());
    assert_eq!(lie(n, len, at), "");
    assert_eq!(lie(n - 1, len, at), "P003", "fewer files than the list has");
    assert_eq!(lie(n + 1, len, at), "P003", "more");
    assert_eq!(lie(n, len - 1, at + 1), "P003");
    assert_eq!(lie(n, len, at - 1), "P003");
    assert_eq!(lie(n, len, 0), "P003");
    assert_eq!(lie(n, u32::MAX as usize, at), "P003");
    assert_eq!(lie(u16::MAX, len, at), "P003");
    let mut parts = whole.clone();
    parts[whole.len() - 18] = 1;
    assert_eq!(refused(&parts), "P003", "a second disk");
}

#[test]
fn zip64_records_that_lie() {
    let items = items(&package());
    let files: Vec<u8> = items.iter().flat_map(Item::bytes).collect();
    let whole = zip(&items);
    let (list, n) = (&whole[files.len()..whole.len() - 22], items.len() as u64);
    let long = |n: u64, len: usize, at: usize, record_at: usize| {
        let fields = [n, n, len as u64, at as u64].map(u64::to_le_bytes).concat();
        let record = [&b"PK\x06\x06"[..], &44u64.to_le_bytes(), &[45, 3, 45, 0], &[0; 8], &fields].concat();
        let locator = [&b"PK\x06\x07\0\0\0\0"[..], &(record_at as u64).to_le_bytes(), &[1, 0, 0, 0]].concat();
        [record, locator].concat()
    };
    let (len, at) = (list.len(), files.len());
    let record_at = at + len;
    let archive = |long: &[u8], end: &[u8]| refused(&[&files[..], list, long, end].concat());
    let right = long(n, len, at, record_at);
    let elsewhere = end(u16::MAX, u32::MAX, u32::MAX, b"");
    assert_eq!(archive(&right, &elsewhere), "");
    assert_eq!(archive(&right, &end(n as u16, len as u32, at as u32, b"")), "", "both say the same");
    assert_eq!(archive(&right, &end(n as u16 - 1, len as u32, at as u32, b"")), "P003", "they do not");
    assert_eq!(archive(&right, &end(n as u16, len as u32, at as u32 - 7, b"")), "P003");
    for (n, len, at, record_at) in [
        (n - 1, len, at, record_at),
        (n, usize::MAX, at, record_at),
        (n, len, usize::MAX, record_at),
        (n, len, at, record_at - 1),
        (n, len, at, usize::MAX),
    ] {
        assert_eq!(archive(&long(n, len, at, record_at), &elsewhere), "P003", "{n} {len} {at} {record_at}");
    }
    assert_eq!(archive(&long(u64::MAX, len, at, record_at), &elsewhere), "P012");
    assert_eq!(archive(&[], &elsewhere), "P003", "no record, though the end record points to one");
}

#[test]
fn sizes_that_lie() {
    for change in [
        (|item| item.header.packed += 1) as fn(&mut Item),
        |item| item.header.unpacked -= 1,
        |item| item.header.crc ^= 1,
        |item| item.listed.crc ^= 1,
        |item| item.listed.unpacked += 1,
        |item| item.listed.packed -= 1,
        |item| item.listed.packed = u32::MAX - 1,
        // Both agree, and the data do not.
        |item| (item.header.unpacked, item.listed.unpacked) = (5, 5),
        |item| (item.header.crc, item.listed.crc) = (7, 7),
        // The ZIP64 field of the list has another size than that of the header.
        |item| {
            item.listed.extra = long(&[item.listed.unpacked.into()]);
            item.listed.unpacked = u32::MAX;
            item.header.extra = long(&[u64::from(item.header.unpacked) + 1, item.header.packed.into()]);
            (item.header.unpacked, item.header.packed) = (u32::MAX, u32::MAX);
        },
        // A ZIP64 field though nothing is missing; or none though something is; or two.
        |item| item.listed.extra = long(&[1]),
        |item| item.header.extra = long(&[1, 2]),
        |item| item.listed.unpacked = u32::MAX,
        |item| {
            item.listed.extra = [long(&[item.listed.unpacked.into()]), long(&[1])].concat();
            item.listed.unpacked = u32::MAX;
        },
        |item| {
            item.listed.extra = long(&[u64::MAX]);
            item.listed.packed = u32::MAX;
        },
    ] {
        assert_eq!(with(change), "P003");
    }
    // 2^63 bytes announced: refused before one is read.
    let mut huge = Item::stored(b"sitio/x", b"x");
    huge.listed.extra = long(&[1 << 63]);
    huge.listed.unpacked = u32::MAX;
    huge.header.extra = long(&[1 << 63, 1]);
    (huge.header.unpacked, huge.header.packed) = (u32::MAX, u32::MAX);
    assert_eq!(and(huge), "P013");
}

#[test]
fn descriptors_that_lie() {
    for spoil in [
        (|bytes| bytes[4] ^= 1) as fn(&mut Vec<u8>),
        |bytes| bytes[8] ^= 1,
        |bytes| bytes[12] ^= 1,
        |bytes| bytes[0] = b'p',
        |bytes| bytes.push(0),
        |bytes| bytes.truncate(8),
        |bytes| bytes.clear(),
    ] {
        let spoilt = |item: &mut Item| {
            *item = item.clone().streamed();
            spoil(&mut item.descriptor);
        };
        assert_eq!(with(spoilt), "P003");
    }
    assert_eq!(with(|item| item.descriptor = vec![0; 16]), "P003", "none was announced");
}

#[test]
fn headers_that_name_something_else() {
    assert_eq!(with(|item| item.header.name = b"sitio/otro.htm".to_vec()), "P003");
    assert_eq!(with(|item| item.header.name = b"../../../etc/cron.d/x".to_vec()), "P003");
    assert_eq!(with(|item| item.header.method = 0), "P003");
    assert_eq!(with(|item| item.header.flags = 1), "P003", "encrypted here and not there");
    assert_eq!(with(|item| item.header.flags = 1 << 11), "P003", "UTF-8 here and not there");
    assert_eq!(with(|item| item.listed.flags = 8), "P003", "a descriptor there and none here");
    let unicode = |name: &[u8]| {
        let field = [&[1][..], &le(crc(b"sitio/index.html")), name].concat();
        [&b"up"[..], &(field.len() as u16).to_le_bytes(), &field].concat()
    };
    assert_eq!(with(|item| item.listed.extra = unicode(b"sitio/index.html")), "");
    assert_eq!(with(|item| item.listed.extra = unicode(b"sitio/otro.html")), "P003", "a second name");
    assert_eq!(with(|item| item.header.extra = unicode(b"sitio/otro.html")), "P003");
    assert_eq!(with(|item| item.listed.extra = b"UT\xff\xff".to_vec()), "P003", "a field longer than all fields");
    for method in [1, 9, 12, 14, 93, 95, 99] {
        assert_eq!(with(|item| (item.header.method, item.listed.method) = (method, method)), "P003", "{method}");
    }
}

#[test]
fn something_between_the_files() {
    let hidden = Item::stored(b"sitio/escondido", b"x").bytes();
    let items = items(&package());
    let mut out = items[0].bytes();
    let mut placed = vec![(items[0].clone(), 0)];
    out.extend(hidden);
    for item in &items[1..] {
        placed.push((item.clone(), out.len()));
        out.extend(item.bytes());
    }
    let ends = ending(&placed, out.len());
    assert_eq!(refused(&[&out[..], &ends].concat()), "P003", "a file that no list has");
    // The list in another order than the files: nothing is hidden, but nobody writes so.
    placed.swap(0, 1);
    assert_eq!(refused(&[&out[..], &ending(&placed, out.len())].concat()), "P003");
    // Within the packed bytes, behind the end of what they unpack to.
    let after = |item: &mut Item| {
        item.data.extend(Item::stored(b"sitio/escondido", b"x").bytes());
        let len = item.data.len() as u32;
        (item.header.packed, item.listed.packed) = (len, len);
    };
    assert_eq!(with(after), "P003");
}

/// One kernel that many files share, so that a small archive unpacks to a large tree (D. Fifield, A better zip bomb, 2019).
#[test]
fn files_that_overlap() {
    let kernel = vec![0u8; 4096];
    // All lines of the list point to one file.
    let one = Item::deflated(b"sitio/a", &kernel);
    let same: Vec<(Item, usize)> = (0..50).map(|_| (one.clone(), 0)).collect();
    let len = one.bytes().len();
    assert_eq!(refused(&[one.bytes(), ending(&same, len)].concat()), "P003");
    // Each file begins with a stored block that quotes the header of the next: all headers are right, all data too.
    let mut last = Item::deflated(b"sitio/00", &kernel);
    let (mut unpacked, mut tail) = (kernel, last.bytes());
    let mut backwards = vec![(last.clone(), tail.len())];
    for n in 1..20 {
        let header = tail[..tail.len() - last.data.len()].to_vec();
        let header = header[..30 + last.header.name.len()].to_vec();
        let len = (header.len() as u16).to_le_bytes();
        let quote = [&[0][..], &len, &len.map(|byte| !byte), &header].concat();
        unpacked = [header.clone(), unpacked].concat();
        let packed = [quote, last.data.clone()].concat();
        last = Item::packed(format!("sitio/{n:02}").as_bytes(), 8, packed, &unpacked);
        // What is new stands before the header that it quotes.
        let new = last.bytes()[..last.bytes().len() - last.data.len() + 5].to_vec();
        tail = [new, tail].concat();
        backwards.push((last.clone(), tail.len()));
    }
    let whole = tail.len();
    let placed: Vec<(Item, usize)> = backwards.into_iter().rev().map(|(item, from)| (item, whole - from)).collect();
    let bomb = [tail, ending(&placed, whole)].concat();
    assert!(reads_of_another(&bomb).is_some_and(|files| files.len() == 20), "another reader takes all of them");
    assert_eq!(refused(&bomb), "P003");
}

#[test]
fn what_is_no_file() {
    let of = |name: &[u8], mode: u16, system: u8| {
        let mut item = Item::stored(name, if name.ends_with(b"/") { b"" } else { b"/etc/passwd" });
        (item.mode, item.system) = (mode, system);
        and(item)
    };
    for system in [0, 3, 7, 19] {
        assert_eq!(of(b"sitio/x", 0o120_777, system), "P004", "a link, from system {system}");
        assert_eq!(of(b"sitio/x", 0o020_666, system), "P004", "a device");
        assert_eq!(of(b"sitio/x", 0o010_666, system), "P004", "a pipe");
        assert_eq!(of(b"sitio/x", 0o140_666, system), "P004", "a socket");
        assert_eq!(of(b"sitio/x", 0o040_755, system), "P004", "a folder without its slash");
        assert_eq!(of(b"sitio/x/", 0o100_644, system), "P004", "a file with a slash");
        assert_eq!(of(b"sitio/x/", 0o120_777, system), "P004", "a link with a slash");
        assert_eq!(of(b"sitio/x/", 0, system), "");
    }
    let mut folder = Item::stored(b"sitio/x/", b"contents");
    folder.mode = 0o040_755;
    assert_eq!(and(folder), "P004");
}

#[test]
fn names() {
    let named = |name: &[u8]| and(Item::stored(name, b""));
    assert_eq!(named(b"/sitio/x"), "P022");
    assert_eq!(named(b"sitio/../../x"), "P023");
    assert_eq!(named(b"sitio/./x"), "P025");
    assert_eq!(named(b"././sitio/x"), "P025");
    assert_eq!(named(b"sitio//x"), "P024");
    assert_eq!(named(b""), "P024");
    assert_eq!(named(b"C:\\sitio\\x"), "P026");
    assert_eq!(named(b"sitio/a\0.html"), "P027");
    assert_eq!(named(b"sitio/a\nb"), "P027");
    assert_eq!(named("sitio/\u{202e}lmth.x".as_bytes()), "P027");
    assert_eq!(named(b"sitio/\xf1"), "P021");
    assert_eq!(named(&[b'x'; 1100]), "P016");
    assert_eq!(named(&[b'x'; 0xffff]), "P016");
    assert_eq!(named(b"sitio/index.html"), "P028");
    assert_eq!(named(b"./sitio/index.html"), "P028");
    assert_eq!(named(b"sitio/INDEX.html"), "P029");
    assert_eq!(named(b"sitio/index.html/x"), "P031");
    let twins = ["sitio/\u{e1}", "sitio/a\u{301}"].map(|name| Item::stored(name.as_bytes(), b""));
    assert_eq!(refused(&zip(&[items(&package()), twins.to_vec()].concat())), "P030");
    let mut folder = Item::stored(b"sitio/index.html/", b"");
    folder.mode = 0o040_755;
    assert_eq!(and(folder), "P031", "a folder with the name of a file");
}

#[test]
fn a_zip_in_a_zip_is_a_file() {
    let mut inner = zip(&items(&package()));
    for _ in 0..5 {
        inner = zip(&[Item::stored(b"descargas/base.zip", &inner)]);
    }
    let outer = package().with("sitio/descargas/base.zip", inner).sealed();
    let stored: Vec<Item> = outer.0.iter().map(|(path, bytes)| Item::stored(path, bytes)).collect();
    assert_eq!(refused(&zip(&stored)), "", "end records within its data are not its own");
    assert_eq!(refused(&zip(&items(&outer))), "");
}

#[test]
fn data_that_do_not_unpack() {
    assert_eq!(with(|item| item.data[0] = 0xff), "P003", "no deflate");
    let endless = |item: &mut Item| {
        // Stored blocks of which none is the last.
        item.data = [0, 1, 0, 0xfe, 0xff, b'x'].repeat(4);
        let len = item.data.len() as u32;
        (item.header.packed, item.listed.packed) = (len, len);
    };
    assert_eq!(with(endless), "P003");
    let empty = deflate(b"");
    assert_eq!(and(Item::packed(b"sitio/x", 8, empty, b"")), "P062", "whole, but not listed in SHA256SUMS");
}

/// What another reader finds: paths and bytes.
fn reads_of_another(bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut archive = ::zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut files = BTreeMap::new();
    for n in 0..archive.len() {
        let mut file = archive.by_index(n).ok()?;
        let (name, mut body) = (file.name().ok()?.into_owned(), Vec::new());
        file.read_to_end(&mut body).ok()?;
        files.insert(name.trim_start_matches("./").to_owned(), body);
    }
    files.retain(|name, _| !name.ends_with('/'));
    Some(files)
}

/// What a reader finds that goes through the archive from its beginning.
fn reads_from_the_front(bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let (mut from, mut files) = (bytes, BTreeMap::new());
    while let Some(mut file) = ::zip::read::read_zipfile_from_stream(&mut from).ok()? {
        let (name, mut body) = (file.name().ok()?.into_owned(), Vec::new());
        file.read_to_end(&mut body).ok()?;
        files.insert(name.trim_start_matches("./").to_owned(), body);
    }
    files.retain(|name, _| !name.ends_with('/'));
    Some(files)
}

/// What an attacker changes: bytes, ranges that are repeated, left out or put elsewhere.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Copy(usize, usize, usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let magic =
        prop::sample::select(vec!["PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "PK\x06\x06", "PK\x07\x08", "\0\0"]);
    prop_oneof![
        4 => (any::<usize>(), prop_oneof![any::<u8>(), 0..4u8, Just(0xff)]).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (any::<usize>(), any::<usize>(), 1..120usize).prop_map(|(from, to, len)| Change::Copy(from, to, len)),
        1 => (any::<usize>(), 1..60usize).prop_map(|(at, len)| Change::Remove(at, len)),
        1 => (any::<usize>(), magic).prop_map(|(at, magic)| Change::Insert(at, magic.into())),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: Change) {
    let place = |at: usize, len: usize| at % (len + 1);
    let len = bytes.len();
    match change {
        Change::Set(at, byte) => bytes[at % len] = byte,
        Change::Copy(from, to, n) => {
            let from = place(from, len.saturating_sub(n));
            let part = bytes[from..(from + n).min(len)].to_vec();
            let to = place(to, len);
            bytes.splice(to..to, part);
        }
        Change::Remove(at, n) => {
            let at = place(at, len.saturating_sub(n + 1));
            bytes.drain(at..(at + n).min(len - 1));
        }
        Change::Insert(at, part) => {
            let at = place(at, len);
            bytes.splice(at..at, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    /// What is verified holds the files of the package by its sums; whoever reads it otherwise must not find other ones.
    #[test]
    fn what_is_taken_is_the_same_for_every_reader(changes in prop::collection::vec(change(), 1..4), streamed: bool) {
        let package = package();
        let items = items(&package).into_iter().map(|item| if streamed { item.streamed() } else { item });
        let mut bytes = zip(&items.collect::<Vec<_>>());
        changes.into_iter().for_each(|change| apply(&mut bytes, change));
        if quietly(&bytes) {
            let expected: BTreeMap<String, Vec<u8>> =
                package.0.iter().map(|(path, bytes)| (String::from_utf8(path.clone()).unwrap(), bytes.clone())).collect();
            prop_assert!(reads_of_another(&bytes).is_none_or(|found| found == expected));
            prop_assert!(reads_from_the_front(&bytes).is_none_or(|found| found == expected));
        }
    }
}

/// Whether these bytes are taken.
fn quietly(bytes: &[u8]) -> bool {
    let read = read::zip_from(Cursor::new(bytes), &Limits::default(), &Nothing);
    let signers = signers_of(&key());
    read.is_ok_and(|package| package.verify(&expecting(&signers)).is_ok())
}
