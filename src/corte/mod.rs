//! Floor 1: what a package is (FORMAT.md, format 1) and the proof that it is genuine.
//!
//! `Unverified` (read, hashed) -> `Verified`. Only `Unverified::verify` makes a `Verified`, so whoever
//! holds one knows that signature, sums, paths and stamp have held.

pub mod id;
pub mod meta;
pub mod package;

pub use id::CorteId;
pub use meta::{Actas, Corte, Tipo};
pub use package::{File, Verified};
