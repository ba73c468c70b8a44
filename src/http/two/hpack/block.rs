//! A decoded block: its fields in one buffer that is used again and again.

use super::token::Token;

/// A field; its bytes are the block's.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub token: Token,
    begin: u32,
    name_end: u32,
    end: u32,
}

/// The fields of one head, in their order.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    places: Vec<Place>,
    /// What they count (RFC 9113, 10.5.1).
    size: usize,
    /// There were more than are kept.
    pub is_too_large: bool,
    /// A name or a value that no field may have (RFC 9113, 8.2.1).
    pub is_malformed: bool,
}

/// Where a field that is being written begins.
pub struct Begun(usize);

impl Block {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        (self.size, self.is_too_large, self.is_malformed) = (0, false, false);
    }

    /// Token, name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (Token, &[u8], &[u8])> {
        self.places.iter().map(|place| (place.token, self.name(place), self.value(place)))
    }

    pub fn count(&self) -> usize {
        self.places.len()
    }

    fn name(&self, place: &Place) -> &[u8] {
        &self.bytes[place.begin as usize..place.name_end as usize]
    }

    fn value(&self, place: &Place) -> &[u8] {
        &self.bytes[place.name_end as usize..place.end as usize]
    }

    pub(super) fn begin(&self) -> Begun {
        Begun(self.bytes.len())
    }

    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What has been written since.
    pub(super) fn since(&self, begun: &Begun) -> &[u8] {
        &self.bytes[begun.0..]
    }

    /// Keeps what has been written since `begun`, `name_len` bytes of it the name; or forgets it, where there is no room.
    pub(super) fn end(&mut self, begun: Begun, name_len: usize, token: Token, limits: super::decoder::Limits) {
        let (begin, end) = (begun.0, self.bytes.len());
        self.size = self.size.saturating_add(end - begin + super::ENTRY_BYTES);
        self.is_too_large |= self.size > limits.bytes || self.places.len() >= limits.fields;
        if self.is_too_large {
            return self.bytes.truncate(begin);
        }
        let place = Place { token, begin: begin as u32, name_end: (begin + name_len) as u32, end: end as u32 };
        self.places.push(place);
    }
}
