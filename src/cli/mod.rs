//! Floor 11: one thin file a verb.

pub mod pack;
pub mod verify;
