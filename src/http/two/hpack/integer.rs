//! Integers with a prefix (RFC 7541, 5.1).

use super::Broken;

/// Octets that a number may go on for: 2^28 and more is nothing that any length or index here can be.
const MORE_OCTETS_MAX: usize = 4;

/// The number that begins in the low `prefix` bits of the first byte, and the bytes that it takes.
pub fn read(bytes: &[u8], prefix: u32) -> Result<(usize, usize), Broken> {
    let mask = (1usize << prefix) - 1;
    let first = usize::from(*bytes.first().ok_or(Broken)?) & mask;
    if first < mask {
        return Ok((first, 1));
    }
    let mut n = first;
    for at in 1..=MORE_OCTETS_MAX {
        let byte = usize::from(*bytes.get(at).ok_or(Broken)?);
        n += (byte & 0x7f) << (7 * (at - 1));
        if byte & 0x80 == 0 {
            return Ok((n, at + 1));
        }
    }
    Err(Broken)
}

/// Writes `n` behind the bits of `pattern`.
pub fn write(mut n: usize, prefix: u32, pattern: u8, out: &mut Vec<u8>) {
    let mask = (1usize << prefix) - 1;
    if n < mask {
        return out.push(pattern | n as u8);
    }
    out.push(pattern | mask as u8);
    n -= mask;
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
