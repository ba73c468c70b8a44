//! Small files that tell whether they are what was written: JSON, with the SHA-256 of all else in it as one more member.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::base::digest::Digest;

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    #[serde(flatten)]
    value: T,
    /// Of the value as JSON without spaces.
    sha256: String,
}

fn seal<T: Serialize>(value: &T) -> io::Result<String> {
    Ok(Digest::of(&serde_json::to_vec(value)?).to_string())
}

/// The file.
pub(super) fn write<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(&Sealed { value, sha256: seal(value)? })?)
}

/// Reads the file; what is not as it was written is an error.
pub(super) fn read<T: Serialize + DeserializeOwned>(file: &[u8]) -> io::Result<T> {
    let Sealed { value, sha256 } = serde_json::from_slice::<Sealed<T>>(file)?;
    if seal(&value)? == sha256 { Ok(value) } else { Err(io::Error::other("is not what was written")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::Entry;
    use crate::store::ledger::tests::entry;

    #[test]
    fn written_and_read_back_and_no_bit_of_it_may_change() {
        let entry = entry("20260607_1830-2", b"x");
        let file = write(&entry).unwrap();
        assert_eq!(read::<Entry>(&file).unwrap(), entry);
        for bit in 0..file.len() * 8 {
            let mut changed = file.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            // Spaces, and digits of the seal in capitals: whatever is still read is the same.
            assert!(read::<Entry>(&changed).ok().is_none_or(|read| read == entry), "bit {bit}");
        }
        assert!(read::<Entry>(&serde_json::to_vec(&entry).unwrap()).is_err(), "without a seal");
    }
}
