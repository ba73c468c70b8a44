//! The extra fields of a zip archive's headers, as far as they change what readers see: longer sizes, other names.

/// Whole numbers of a header that the ZIP64 field has taken over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Long(Vec<u64>);

impl Long {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Iterator for Long {
    type Item = u64;

    /// The first that is left.
    fn next(&mut self) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

/// APPNOTE 4.5.3, 4.6.9.
const ZIP64: u64 = 0x0001;
const UNICODE_PATH: u64 = 0x7075;
/// Sizes, place and part: what the ZIP64 field can have.
const ZIP64_MAX: usize = 28;

/// What the extra fields of a header hold.
#[derive(Debug)]
pub(super) struct Extra {
    pub long: Option<Long>,
}

impl Extra {
    /// Reads `LL ID bytes` over and over. A second name must be the same as the first.
    pub fn read(mut bytes: &[u8], name: &[u8]) -> Result<Extra, &'static str> {
        let mut extra = Extra { long: None };
        while !bytes.is_empty() {
            let Some((head, rest)) = bytes.split_at_checked(4) else { return Err("a header in it is broken") };
            let (id, len) = (number(head, 0, 2), number(head, 2, 2));
            let Some((field, rest)) = rest.split_at_checked(len as usize) else {
                return Err("a header in it is broken");
            };
            match id {
                ZIP64 if extra.long.is_some() || field.len() > ZIP64_MAX => return Err("a size in it is given twice"),
                // Only whole ones; the part's number, of four bytes, comes last.
                ZIP64 => extra.long = Some(Long(field.chunks_exact(8).map(|eight| number(eight, 0, 8)).collect())),
                // Version and sum, then the name.
                UNICODE_PATH if field.get(5..) != Some(name) => return Err("a file in it has two names"),
                _ => {}
            }
            bytes = rest;
        }
        Ok(extra)
    }
}

/// A little-endian number of up to eight bytes.
pub(super) fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes.iter().skip(at).take(len).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sizes_and_other_names() {
        let read = |bytes: &[u8]| Extra::read(bytes, b"a").map(|extra| extra.long.map(|long| long.0));
        assert_eq!(read(b""), Ok(None));
        assert_eq!(read(b"UT\x01\0x"), Ok(None));
        let long = [&b"\x01\0\x10\0"[..], &7u64.to_le_bytes(), &8u64.to_le_bytes()].concat();
        assert_eq!(read(&long), Ok(Some(vec![7, 8])));
        assert!(read(&[&long[..], &long].concat()).is_err());
        assert_eq!(read(b"up\x06\0\x01\0\0\0\0a"), Ok(None));
        for bad in [&b"up\x06\0\x01\0\0\0\0b"[..], b"up\x02\0\x01\0", b"U", b"UT\x02\0x", b"UT\x01\0xy"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
