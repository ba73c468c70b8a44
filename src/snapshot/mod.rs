//! Floor 4: a complete edition of the results in memory, and the one atomic swap.
//!
//! `Verified` -> `Snapshot` (every file, every coding, every header value) -> `Edition` (the live snapshot and
//! the ones just before) -> `Showing` (what of it the public may see now) -> `Public` (one `ArcSwap`). A snapshot never changes; a better-compressed one replaces it.

mod build;
mod compress;
mod content;
mod difference;
mod edition;
mod encode;
mod kind;
mod lineage;
pub mod media;
pub mod negotiate;
mod own;
mod showing;
#[cfg(test)]
pub mod specimen;

pub use build::{CorteFields, Entry, Known, Making, OWN, Resource, Snapshot};
pub use compress::{Level, compress};
pub use content::{CODINGS, Coding, Content, DICTIONARY_CODINGS, Representation, TAG_CONTENT_LEN};
pub use difference::{Difference, Differences, decode};
pub use edition::{Edition, Live};
pub use encode::{ALWAYS, Still};
pub use lineage::{Lineage, VARY, Wanted};
pub use own::{Accepted, Decision, Occasion};
pub use showing::{Looks, Page, Public, Showing, Signs, Timing};
