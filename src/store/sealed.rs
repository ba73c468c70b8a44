//! Small files that tell whether they are what was written: JSON, with the SHA-256 of all else in it as one more member. What
//! another version has written besides is sealed too, and passed over: who goes back to the version before keeps his vault.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::base::digest::Digest;

/// The member that has the SHA-256 of the others, in their order, as JSON without spaces.
const SEAL: &str = "sha256";

#[derive(Serialize)]
struct Sealed<'v, T> {
    #[serde(flatten)]
    value: &'v T,
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
pub(super) fn read<T: DeserializeOwned>(file: &[u8]) -> io::Result<T> {
    let mut members: Map<String, Value> = serde_json::from_slice(file)?;
    let (told, seal) = (members.shift_remove(SEAL), seal(&members)?);
    if told.is_none_or(|told| told != seal) {
        return Err(io::Error::other("is not what was written"));
    }
    Ok(serde_json::from_value(Value::Object(members))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::Entry;
    use crate::store::ledger::tests::entry;

    #[test]
    fn what_a_later_version_has_written_besides_is_passed_over() {
        #[derive(Serialize)]
        struct Later {
            seen_by: Vec<u64>,
            #[serde(flatten)]
            entry: Entry,
            weight: Value,
        }
        let entry = entry("20260607_1830-2", b"x");
        let weight = serde_json::json!({"b": 1, "a": [true, null, "\u{1f5f3}"]});
        let file = write(&Later { seen_by: vec![3, 1, 2], entry: entry.clone(), weight }).unwrap();
        assert_eq!(read::<Entry>(&file).unwrap(), entry);
        let changed = String::from_utf8(file).unwrap().replace("true", "false");
        assert!(read::<Entry>(changed.as_bytes()).is_err(), "but it is under the seal");
    }

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
