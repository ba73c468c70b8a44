//! What a tar archive must hold to, so that every reader finds the same files in it: one way to write a size and a name,
//! and an end that is the end.

use std::io::{self, Read};

use tar::Header;

/// Bytes of zeros after the end at most: tar fills up to a whole record, and the largest that anybody uses is 1 MiB.
const PADDING_MAX: usize = 4 << 20;
/// Where the field is that is a part of the name in POSIX headers, and other things or nothing in older ones.
const PREFIX: std::ops::Range<usize> = 345..500;
const MAGIC: std::ops::Range<usize> = 257..265;
/// Mode, owner, group, time, and the numbers of a device.
const NUMBERS: [std::ops::Range<usize>; 6] = [100..108, 108..116, 116..124, 136..148, 329..337, 337..345];

/// Why tar(1), Python and others might not read this header as it is read here; `None` if all agree.
pub(super) fn fault(header: &Header) -> Option<&'static str> {
    let bytes = header.as_bytes();
    let is_posix = &bytes[MAGIC] == b"ustar\x0000";
    let is_known = is_posix || &bytes[MAGIC] == b"ustar  \x00" || bytes[MAGIC] == [0; 8];
    if !is_known {
        return Some("a header in it is of no known kind");
    }
    if !is_posix && bytes[PREFIX].iter().any(|b| *b != 0) {
        return Some("a header in it has a name that readers differ on");
    }
    // Where one of the others is no number, some readers take the archive to end there.
    if !is_octal(&header.as_old().cksum) || !NUMBERS.iter().all(|field| is_number(&bytes[field.clone()])) {
        return Some("a number in a header in it is none");
    }
    // 2^63 bytes would fit in base 256, as GNU writes what octal cannot hold: 8 GiB and more, which no package holds.
    if !is_octal(&header.as_old().size) {
        return Some("a size in it is not written in octal");
    }
    // POSIX reserves a folder's size for other uses: some readers skip so many bytes, some do not.
    let is_large = header.entry_size().is_ok_and(|size| size > 0);
    (header.entry_type().is_dir() && is_large).then_some("a folder in it has contents")
}

/// Octal, nothing at all, or base 256 as GNU writes it.
fn is_number(field: &[u8]) -> bool {
    is_octal(field) || field.iter().all(|b| matches!(b, b' ' | 0)) || matches!(field.first(), Some(0x80 | 0xff))
}

/// Digits, with blanks before and blanks or NULs behind.
fn is_octal(field: &[u8]) -> bool {
    let blanks = field.iter().take_while(|b| **b == b' ').count();
    let field = &field[blanks..];
    let digits = field.iter().take_while(|b| (b'0'..=b'7').contains(*b)).count();
    digits > 0 && field[digits..].iter().all(|b| matches!(b, b' ' | 0))
}

/// Passes an archive on, and knows whether its last byte has passed.
pub(super) struct ToTheEnd<R> {
    from: R,
    has_ended: bool,
}

impl<R: Read> ToTheEnd<R> {
    pub fn of(from: R) -> ToTheEnd<R> {
        ToTheEnd { from, has_ended: false }
    }

    /// What is wrong with the end of an archive of which everything up to the block that marks it has been read.
    pub fn fault(mut self) -> io::Result<Option<&'static str>> {
        if self.has_ended {
            return Ok(Some("it is cut short: nothing marks its end"));
        }
        let (mut chunk, mut len) = ([0; 4096], 0);
        loop {
            let n = match self.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            len += n;
            if len > PADDING_MAX || chunk[..n].iter().any(|b| *b != 0) {
                return Ok(Some("something follows its end"));
            }
        }
    }
}

impl<R: Read> Read for ToTheEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.has_ended |= n == 0 && !buf.is_empty();
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_octal() {
        for good in [
            "00000001750\0",
            "00000001750 ",
            "       1750 ",
            "1750\0\0\0\0\0\0\0\0",
            "0\0\0 \0 \0\0\0\0\0\0",
            "777777777777",
        ] {
            assert!(is_octal(good.as_bytes()), "{good:?}");
        }
        for bad in [
            b"\x80\0\0\0\0\0\0\0\0\0\0\x01",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            &[0; 12],
            &[b' '; 12],
        ] {
            assert!(!is_octal(bad), "{bad:?}");
        }
        for bad in [
            b"0000000175+\0",
            b"+0000000175\0",
            b"-0000000001\0",
            b"00000001758\0",
            b"17\x0050\0\0\0\0\0\0\0",
            b"\t0000000175\0",
        ] {
            assert!(!is_octal(bad), "{bad:?}");
        }
    }

    #[test]
    fn only_zeros_follow_the_end() {
        let after = |bytes: Vec<u8>, skip: usize| {
            let mut whole = ToTheEnd::of(io::Cursor::new(bytes));
            io::copy(&mut whole.by_ref().take(skip as u64), &mut io::sink()).unwrap();
            whole.fault().unwrap()
        };
        assert_eq!(after(vec![0; 1024], 512), None);
        assert_eq!(after(vec![0; 512], 512), None, "one block is enough, as for tar(1)");
        assert!(after(vec![0; 512], 600).is_some_and(|why| why.contains("cut short")));
        assert!(after([vec![0; 5000], vec![1]].concat(), 512).is_some_and(|why| why.contains("follows")));
        assert!(after(vec![0; PADDING_MAX + 513], 512).is_some());
    }
}
