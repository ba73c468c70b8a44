//! RFC 7541's own examples, and both halves held against each other and against the h2 crate's.

use proptest::prelude::*;

use super::decoder::Limits;
use super::encoder::{NAMES, field, string};
use super::*;

const ALL: Limits = Limits { bytes: 1 << 20, fields: 1000 };

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn read(decoder: &mut Decoder, coded: &[u8]) -> Result<Vec<(String, String)>, Broken> {
    let mut block = Block::default();
    decoder.read(coded, ALL, &mut block)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(block.iter().map(|(_, name, value)| (text(name), text(value))).collect())
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.trim().split_once(": ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(pair).collect()
}

/// C.3 and C.4: three requests on one connection, without and with the Huffman code.
#[test]
fn requests_of_appendix_c() {
    let fields = [
        ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com",
        ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache",
        ":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value",
    ];
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    for blocks in [plain, coded] {
        let mut decoder = Decoder::default();
        for (block, fields) in blocks.iter().zip(fields) {
            assert_eq!(read(&mut decoder, &bytes(block)).unwrap(), pairs(fields), "{block}");
        }
    }
}

/// C.5 and C.6: three responses and a table of 256 bytes, which has to let entries go.
#[test]
fn responses_of_appendix_c() {
    let date = "date: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com";
    let fields = [
        format!(":status: 302\ncache-control: private\n{date}"),
        format!(":status: 307\ncache-control: private\n{date}"),
        ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n\
         content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
            .to_owned(),
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b \
         97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf \
         cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let mut decoder = Decoder::default();
    // The size of the table is said first.
    assert_eq!(read(&mut decoder, &bytes("3fe101")), Ok(Vec::new()));
    for (block, fields) in coded.iter().zip(fields) {
        assert_eq!(read(&mut decoder, &bytes(block)).unwrap(), pairs(&fields), "{block}");
    }
}

/// C.1
#[test]
fn integers_of_appendix_c() {
    for (n, prefix, hex) in [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")] {
        let mut out = Vec::new();
        integer::write(n, prefix, 0, &mut out);
        assert_eq!(out, bytes(hex));
        assert_eq!(integer::read(&out, prefix), Ok((n, out.len())));
    }
}

#[test]
fn what_is_no_block() {
    for (broken, why) in [
        ("80", "2.3.3: index 0"),
        ("be", "2.3.3: beyond both tables"),
        ("7e", "2.3.3: a name beyond both tables"),
        ("ff8080808010", "5.1: a number without end"),
        ("40", "6.2: no name"),
        ("4001", "5.2: a string that is cut"),
        ("400161", "6.2: no value"),
        ("40018361", "5.2: a string that is longer than the block"),
        ("8220", "4.2: a size behind a field"),
        ("3fe21f", "6.3: a size above what we have set"),
        ("000184ffffffff0161", "5.2: the end of a string within one"),
        ("00016102 61", "5.2: a value that ends short"),
        ("00016182f8ff", "5.2: padding of eight bits"),
        ("000161811c", "5.2: padding that is not the end's beginning"),
    ] {
        assert_eq!(read(&mut Decoder::default(), &bytes(broken)), Err(Broken), "{why}");
    }
}

#[test]
fn what_is_too_large_is_read_and_not_kept() {
    let (mut decoder, mut block) = (Decoder::default(), Block::default());
    let mut coded = bytes("4001610162");
    coded.extend(vec![0xbe; 1000]);
    decoder.read(&coded, Limits { bytes: 340, fields: 1000 }, &mut block).unwrap();
    assert!(block.is_too_large);
    assert_eq!(block.count(), 10);
    decoder.read(&coded, Limits { bytes: 1 << 20, fields: 7 }, &mut block).unwrap();
    assert!(block.is_too_large);
    assert_eq!(block.count(), 7);
    assert_eq!(read(&mut decoder, &[0xbe]), Ok(vec![("a".into(), "b".into())]), "the table is as it was");
}

/// A phrase is said, said again in less, said anew once it has been pushed out, and read alike each time.
#[test]
fn a_phrase_is_a_byte_a_field_once_it_is_known() {
    let fields = [("corte", "20260607_2010"), ("date", "Sun, 07 Jun 2026 20:10:00 GMT"), ("x-largo", "z")];
    let phrase = Phrase::new(9, fields.iter().zip(1..).map(|((n, v), at)| (at, n.as_bytes(), v.as_bytes())));
    let expected: Vec<_> = std::iter::once((":status".to_owned(), "200".to_owned()))
        .chain(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        .collect();
    for table in [0, 60, 128, 256, 4096, 1 << 20] {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        encoder.limit(4096);
        encoder.limit(table);
        let mut lens = Vec::new();
        for _ in 0..4 {
            let mut out = Vec::new();
            encoder.begin(200, &mut out);
            encoder.phrase(&phrase, &mut out);
            assert_eq!(read(&mut decoder, &out).unwrap(), expected, "{table}");
            lens.push(out.len());
        }
        assert!(table < 256 || lens[1..] == [4, 4, 4], "{table}: {lens:?}");
    }
}

/// What only a name is kept of is named by two bytes, until it has been pushed out.
#[test]
fn a_name_is_two_bytes_once_it_is_known() {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
    let mut say = |value: &str| {
        let mut out = Vec::new();
        encoder.begin(200, &mut out);
        encoder.name(1, NAMES[1].len() + value.len() + ENTRY_BYTES, &mut out);
        let name = out.len() - 1;
        string(value.as_bytes(), &mut out);
        let read = read(&mut decoder, &out).unwrap();
        assert_eq!(read[1], ("use-as-dictionary".to_owned(), value.to_owned()));
        name
    };
    let first = say("match=\"a.json\"");
    assert!(first > 10, "{first}");
    assert_eq!((say("match=\"b.json\""), say("match=\"c.json\"")), (2, 2));
    let mut text = Vec::new();
    for number in 1..80 {
        encoder.begin(200, &mut text);
        encoder.phrase(&Phrase::new(number, [(number, &b"x"[..], &[b'v'; 30][..])].into_iter()), &mut text);
        let mut out = std::mem::take(&mut text);
        read(&mut decoder, &out).unwrap();
        out.clear();
    }
    let mut out = Vec::new();
    encoder.begin(200, &mut out);
    encoder.name(1, NAMES[1].len() + ENTRY_BYTES, &mut out);
    assert_eq!(out.len() - 1, first, "pushed out by 63 bytes each");
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![3 => 0x20u8..0x7f, 1 => any::<u8>()], 0..40)
}

proptest! {
    #[test]
    fn strings_come_back(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let (mut coded, mut out) = (Vec::new(), Vec::new());
        huffman::encode(&bytes, &mut coded);
        prop_assert_eq!(coded.len(), huffman::encoded_len(&bytes));
        huffman::decode(&coded, &mut out).unwrap();
        prop_assert_eq!(out, bytes);
    }

    #[test]
    fn numbers_come_back(n in 0usize..1 << 28, prefix in 4u32..8) {
        let mut out = Vec::new();
        integer::write(n, prefix, 0, &mut out);
        prop_assert_eq!(integer::read(&out, prefix), Ok((n, out.len())));
    }

    /// Whatever phrases and fields are written, with whatever tables, is read again.
    #[test]
    fn heads_come_back(
        said in prop::collection::vec(
            (0usize..6, prop::collection::vec(("[a-z-]{1,12}", text()), 0..4), any::<Option<u16>>(), prop::collection::vec((0usize..2, text()), 0..3)),
            0..30,
        ),
    ) {
        let lines = |at: usize| (0..=at).map(|n| (n as u64 + 1, format!("linea-{n}"), "v".repeat(n * 40)));
        let phrases: Vec<_> = (0..6)
            .map(|at| {
                let all: Vec<_> = lines(at).collect();
                Phrase::new(at as u64 + 1, all.iter().map(|(number, name, value)| (*number, name.as_bytes(), value.as_bytes())))
            })
            .collect();
        let (mut encoder, mut decoder, mut block) = (Encoder::default(), Decoder::default(), Block::default());
        for (at, fields, table, own) in said {
            if let Some(table) = table {
                encoder.limit(usize::from(table) / 8);
            }
            let mut out = Vec::new();
            encoder.begin(304, &mut out);
            encoder.phrase(&phrases[at], &mut out);
            for (name, value) in &fields {
                field(name.as_bytes(), value, &mut out);
            }
            for (place, value) in &own {
                encoder.name(*place, NAMES[*place].len() + value.len() + ENTRY_BYTES, &mut out);
                string(value, &mut out);
            }
            decoder.read(&out, ALL, &mut block).unwrap();
            let read: Vec<_> = block.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
            let mut expected = vec![(b":status".to_vec(), b"304".to_vec())];
            expected.extend(lines(at).map(|(_, name, value)| (name.into_bytes(), value.into_bytes())));
            expected.extend(fields.into_iter().map(|(name, value)| (name.into_bytes(), value)));
            expected.extend(own.into_iter().map(|(place, value)| (NAMES[place].to_vec(), value)));
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn never_panics(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let (mut decoder, mut block) = (Decoder::default(), Block::default());
        for coded in blocks {
            let _ = decoder.read(&coded, Limits { bytes: 200, fields: 5 }, &mut block);
        }
    }
}
