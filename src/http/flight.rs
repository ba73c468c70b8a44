//! What a client says while hands are shaken: whether he has instructions for AES, and his records one after the other. No I/O.

use bytes::BufMut;

use super::records;

/// Of a record that begins with a ClientHello (RFC 8446, 5.1, 4 and 4.1.2): where its kind is, and its session's ID.
const KIND_AT: usize = 5;
const ID_AT: usize = KIND_AT + 4 + 2 + 32;
const CLIENT_HELLO: u8 = 1;

/// ChaCha20-Poly1305 of TLS 1.3, and of 1.2 with RSA and with ECDSA (RFC 8446, B.4; RFC 7905, 2).
const CHACHA: [u16; 3] = [0x1303, 0xcca8, 0xcca9];
/// AES-GCM of TLS 1.3, and of 1.2 with either (RFC 5289, 3.2).
const AES: [u16; 6] = [0x1301, 0x1302, 0xc02b, 0xc02c, 0xc02f, 0xc030];

/// Who chooses the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// We do.
    Ours,
    /// The client: he names ChaCha20-Poly1305 before AES, as those do who have no instructions for AES.
    Clients,
}

/// By the first suite of a ClientHello that we have too: what nobody has, such as the values that keep servers tolerant
/// (RFC 8701), is passed over. `None` while too little has come. Of what is no hello, or a broken one, rustls makes what it will.
pub fn choice(came: &[u8]) -> Option<Choice> {
    if *came.first()? != records::HANDSHAKE {
        return Some(Choice::Ours);
    }
    let Ok(len) = records::length(came) else { return Some(Choice::Ours) };
    let record = came.get(..len?);
    first(record.unwrap_or(came)).or(record.map(|_| Choice::Ours))
}

fn first(record: &[u8]) -> Option<Choice> {
    if *record.get(KIND_AT)? != CLIENT_HELLO {
        return Some(Choice::Ours);
    }
    let (id, rest) = record.get(ID_AT..)?.split_first()?;
    let (len, rest) = rest.get(usize::from(*id)..)?.split_first_chunk()?;
    let suites = rest.get(..usize::from(u16::from_be_bytes(*len))).unwrap_or(rest);
    suites.as_chunks().0.iter().find_map(|suite| match u16::from_be_bytes(*suite) {
        suite if CHACHA.contains(&suite) => Some(Choice::Clients),
        suite if AES.contains(&suite) => Some(Choice::Ours),
        _ => None,
    })
}

/// Bytes of a client, shown to rustls a record at a time: those behind the end of the handshake are not for it.
#[derive(Default)]
pub struct Flight {
    came: Vec<u8>,
    /// Whole records that have been shown.
    whole: usize,
    /// All that has been shown: the beginning of a record among it, of which something may be said.
    shown: usize,
}

impl Flight {
    /// All that is not done with.
    pub fn bytes(&self) -> &[u8] {
        &self.came
    }

    /// Room for `bytes` more, and no more.
    pub fn room(&mut self, bytes: usize) -> impl BufMut {
        self.came.reserve(bytes);
        (&mut self.came).limit(bytes)
    }

    pub fn shown(&mut self) -> &mut [u8] {
        &mut self.came[..self.shown]
    }

    /// Shows the next record, or what there is of it; whether that is anything new.
    pub fn show(&mut self) -> bool {
        let before = self.shown;
        let next = &self.came[self.whole..];
        match records::length(next) {
            Ok(Some(len)) if len <= next.len() => {
                self.whole += len;
                self.shown = self.whole;
            }
            _ => self.shown = self.came.len(),
        }
        self.shown > before
    }

    /// Lets go of `bytes` that were shown.
    pub fn done(&mut self, bytes: usize) {
        self.came.drain(..bytes);
        self.whole = self.whole.saturating_sub(bytes);
        self.shown = self.shown.saturating_sub(bytes);
    }

    /// What is left.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.came.shrink_to_fit();
        self.came
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A ClientHello that names `suites`, up to where they end, and a few bytes of what follows.
    fn hello(id: u8, suites: &[u16]) -> Vec<u8> {
        let mut hello = vec![CLIENT_HELLO, 0, 0, 0, 3, 3];
        hello.extend([7; 32]);
        hello.push(id);
        hello.extend(std::iter::repeat_n(0x13, id.into()));
        hello.extend((2 * suites.len() as u16).to_be_bytes());
        hello.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
        hello.extend([1, 0, 0x13, 3]);
        let [high, low] = (hello.len() as u16).to_be_bytes();
        [&[records::HANDSHAKE, 3, 1, high, low], &hello[..]].concat()
    }

    #[test]
    fn the_first_suite_that_both_have_says_who_chooses() {
        for (suites, chosen) in [
            (&[0x1302, 0x1303, 0x1301][..], Choice::Ours),
            (&[0x1301, 0x1303], Choice::Ours),
            (&[0x1303, 0x1301, 0x1302], Choice::Clients),
            (&[0x1303], Choice::Clients),
            (&[0x1302], Choice::Ours),
            // RFC 8701, and a suite that is none of ours
            (&[0x3a3a, 0xc00a, 0x1303, 0x1301], Choice::Clients),
            (&[0x3a3a, 0xc00a, 0x1301, 0x1303], Choice::Ours),
            (&[0xcca9, 0xcca8, 0xc02b], Choice::Clients),
            (&[0xcca8, 0xc02f], Choice::Clients),
            (&[0xc030, 0xcca8], Choice::Ours),
            (&[0x3a3a], Choice::Ours),
            (&[], Choice::Ours),
        ] {
            for id in [0, 32] {
                let hello = hello(id, suites);
                assert_eq!(choice(&hello), Some(chosen), "{suites:x?}");
                // Byte by byte it is the same, as soon as it is anything.
                let known = (0..hello.len()).filter_map(|len| choice(&hello[..len]));
                assert!(known.into_iter().all(|known| known == chosen), "{suites:x?}");
            }
        }
        assert_eq!(choice(b""), None);
        assert_eq!(choice(b"GET / HTTP/1.1\r\n"), Some(Choice::Ours));
        assert_eq!(choice(&[22, 3, 1, 0xff, 0xff]), Some(Choice::Ours), "too long");
        assert_eq!(choice(&[22, 3, 1, 0, 0]), Some(Choice::Ours), "nothing in it");
    }

    #[test]
    fn records_are_shown_one_at_a_time_and_what_is_none_at_once() {
        let mut flight = Flight::default();
        flight.room(64).put_slice(&[20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 2, 5, 6, 22, 3]);
        assert!(flight.show());
        assert_eq!(flight.shown(), [20, 3, 3, 0, 1, 1]);
        flight.done(6);
        assert!(flight.shown().is_empty() && flight.show());
        // Not done with: it is shown with the next.
        assert_eq!(flight.shown(), [23, 3, 3, 0, 2, 5, 6]);
        assert!(flight.show());
        assert_eq!(flight.shown().len(), 9);
        assert!(!flight.show());
        flight.room(64).put_slice(&[3, 0, 1, 9, 9]);
        assert!(flight.show());
        assert_eq!(flight.shown(), [23, 3, 3, 0, 2, 5, 6, 22, 3, 3, 0, 1, 9]);
        flight.done(13);
        assert_eq!(flight.into_bytes(), [9]);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_soon_decided(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let bytes = [&[records::HANDSHAKE, 3, 1, 2], &bytes[..]].concat();
            prop_assert!(bytes.len() < 5 + 0x2ff || choice(&bytes).is_some());
        }
    }
}
