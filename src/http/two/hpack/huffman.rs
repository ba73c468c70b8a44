//! The Huffman code of header fields (RFC 7541, 5.2 and B). It is canonical, so the lengths of its codes tell everything.

use super::Broken;

/// Bits of each octet's code; the last one is the end of a string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const EOS: u16 = 256;
const LONGEST: usize = 30;
/// Codes that are found with one look: all of ASCII that names and values are mostly made of.
const FAST_BITS: u32 = 9;

/// What decoding and encoding look up.
struct Tables {
    codes: [u32; 257],
    /// Symbols in the order of their codes.
    symbols: [u16; 257],
    /// For each length the first code, aligned to 32 bits, of the next longer one: below it the code ends here.
    limits: [u64; LONGEST + 1],
    first_codes: [u32; LONGEST + 1],
    first_symbols: [u16; LONGEST + 1],
    /// Symbol and length of the code that these bits begin with; length 0 where it is longer.
    fast: [(u8, u8); 1 << FAST_BITS],
}

static TABLES: Tables = tables();

const fn tables() -> Tables {
    let mut t = Tables {
        codes: [0; 257],
        symbols: [0; 257],
        limits: [0; LONGEST + 1],
        first_codes: [0; LONGEST + 1],
        first_symbols: [0; LONGEST + 1],
        fast: [(0, 0); 1 << FAST_BITS],
    };
    let (mut code, mut placed, mut length) = (0u32, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        t.first_codes[length] = code;
        t.first_symbols[length] = placed as u16;
        let mut symbol = 0;
        while symbol < 257 {
            if LENGTHS[symbol] as usize == length {
                t.codes[symbol] = code;
                t.symbols[placed] = symbol as u16;
                placed += 1;
                if length <= FAST_BITS as usize {
                    let shift = FAST_BITS - length as u32;
                    let (mut at, end) = ((code << shift) as usize, ((code + 1) << shift) as usize);
                    while at < end {
                        t.fast[at] = (symbol as u8, length as u8);
                        at += 1;
                    }
                }
                code += 1;
            }
            symbol += 1;
        }
        t.limits[length] = (code as u64) << (32 - length);
        length += 1;
    }
    t
}

/// Appends what `coded` stands for.
pub fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Broken> {
    let (mut bits, mut have, mut rest) = (0u64, 0u32, coded);
    loop {
        while have <= 56
            && let [byte, more @ ..] = rest
        {
            bits |= u64::from(*byte) << (56 - have);
            (have, rest) = (have + 8, more);
        }
        let (symbol, length) = TABLES.fast[(bits >> (64 - FAST_BITS)) as usize];
        let (symbol, length) = match length {
            0 => long(bits),
            length => (u16::from(symbol), u32::from(length)),
        };
        if length > have {
            // What is left is the beginning of the code for the end, and no whole octet (RFC 7541, 5.2).
            let is_padding = have < 8 && bits >> (64 - have.max(1)) == (1 << have.max(1)) - 1;
            return if have == 0 || is_padding { Ok(()) } else { Err(Broken) };
        }
        if symbol == EOS {
            return Err(Broken);
        }
        out.push(symbol as u8);
        (bits, have) = (bits << length, have - length);
    }
}

/// A code that is longer than [`FAST_BITS`].
fn long(bits: u64) -> (u16, u32) {
    let top = bits >> 32;
    let mut length = FAST_BITS as usize + 1;
    while length < LONGEST && top >= TABLES.limits[length] {
        length += 1;
    }
    let code = (top >> (32 - length)) as u32;
    let place = usize::from(TABLES.first_symbols[length]) + (code - TABLES.first_codes[length]) as usize;
    (TABLES.symbols[place.min(256)], length as u32)
}

/// Bytes that `text` takes once it is coded.
pub fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|byte| usize::from(LENGTHS[usize::from(*byte)])).sum();
    bits.div_ceil(8)
}

/// Appends `text`, coded.
pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut have) = (0u64, 0u32);
    for byte in text {
        let length = u32::from(LENGTHS[usize::from(*byte)]);
        bits = bits << length | u64::from(TABLES.codes[usize::from(*byte)]);
        have += length;
        if have >= 32 {
            have -= 32;
            out.extend_from_slice(&((bits >> have) as u32).to_be_bytes());
        }
    }
    while have >= 8 {
        have -= 8;
        out.push((bits >> have) as u8);
    }
    if have > 0 {
        out.push((bits << (8 - have)) as u8 | (0xff >> have));
    }
}
