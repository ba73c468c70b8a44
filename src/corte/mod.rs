//! Floor 1: what a package is (FORMAT.md, format 1) and the proof that it is genuine.
//!
//! `read` -> `Unverified` (read, hashed) -> `Verified`. Only `Unverified::verify` makes a `Verified`, so
//! whoever holds one knows that sums, paths and stamp have held, and the signature where the configured `Trust` asks for
//! one. `preamble` reads the three files that
//! say what a package is, and no other: what fails there costs nothing more.

pub mod bare;
pub mod id;
pub mod limits;
pub mod meta;
pub mod pack;
pub mod package;
mod path;
mod pattern;
pub mod preamble;
pub mod read;
pub mod refusal;
pub mod signature;
pub mod signers;
pub mod stamp;
pub mod sums;
pub mod trust;

pub use bare::{About, Bare};
pub use id::CorteId;
pub use limits::Limits;
pub use meta::{Actas, Corte, Tipo};
pub use package::{AHEAD_AT_MOST, Expectations, File, Unverified, Verified, restore};
pub use preamble::{Announced, Preamble, Proven};
pub use read::{InMemory, Keep, Nothing, preamble, read, read_bare};
pub use refusal::Refusal;
pub use signers::{Signers, SignersFault};
pub use stamp::{RuleFault, Stamp, StampRule};
pub use sums::Sums;
pub use trust::{Proof, Trust};
