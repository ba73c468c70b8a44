//! The fields of a stored response as HTTP/1.1 writes them: one allocation in place of a map's many, and ready to be sent.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Fields that an answer gets on its way out, so that the map need not grow.
const MORE: usize = 6;

/// `name: value`, each with its line end; names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines(Bytes);

impl Lines {
    pub fn of(fields: &HeaderMap) -> Lines {
        let len = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let mut bytes = Vec::with_capacity(len);
        for (name, value) in fields {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        Lines(bytes.into())
    }

    /// The memory that they are in.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Name, value, and the whole line.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8], &[u8])> {
        // No value holds a line end, no name a colon: `HeaderMap` takes neither.
        self.0.split_inclusive(|byte| *byte == b'\n').filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line.get(colon + 2..line.len().checked_sub(2)?)?, line))
        })
    }

    /// The value of the first line of this name.
    pub fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        self.iter().find(|(known, ..)| *known == name.as_str().as_bytes()).map(|(_, value, _)| value)
    }

    /// Its values are parts of these bytes, not copies.
    pub fn to_map(&self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(self.iter().count() + MORE);
        for (name, value, _) in self.iter() {
            let value = HeaderValue::from_maybe_shared(self.0.slice_ref(value));
            if let (Ok(name), Ok(value)) = (HeaderName::from_lowercase(name), value) {
                fields.append(name, value);
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_map_comes_back_as_it_was(all in proptest::collection::vec(("[a-zA-Z-]{1,9}", "[!-~\u{80}-\u{ff}]([ -~\t]{0,20}[!-~])?|"), 0..12)) {
            let mut fields = HeaderMap::new();
            for (name, value) in &all {
                let bytes: Vec<u8> = value.chars().map(|c| c as u8).collect();
                fields.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(&bytes).unwrap());
            }
            let lines = Lines::of(&fields);
            prop_assert_eq!(lines.to_map(), fields.clone());
            for name in fields.keys() {
                prop_assert_eq!(lines.get(name), fields.get(name).map(HeaderValue::as_bytes));
            }
        }
    }
}
