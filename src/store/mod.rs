//! Floor 3: the vault. Every accepted corte on disk, so that nothing is lost whatever fails.
//!
//! ```text
//! vault/ELECTION/TIPO/
//!   lock                     held by the one process that may write
//!   blobs/ab/abcd...         the bytes of every file, named by their SHA-256
//!   coded/ab/abcd...         what was compressed of them, or a second copy; can be made again
//!   cortes/20260607_2010/    corte.json, SHA256SUMS, SHA256SUMS.sig as they came, entry.json
//!   cortes/head              which one is shown, and why; head.copy in case it is damaged
//!   cortes/history.jsonl     what was shown when, and what operators decided; the head is made again from it if it must
//! ```
//!
//! A corte exists once its folder has its name, and by then everything it refers to is durable. It is announced once
//! `head` has been renamed. Whatever is read back is hashed again; what does not hold is never handed out.

mod chain;
mod coded;
mod head;
mod ledger;
mod restore;
mod retention;
mod retold;
mod room;
mod sealed;
mod shelf;
mod texts;
mod vault;

pub use chain::{Link, NONE_BEFORE, link};
pub use coded::{Coded, Codings};
pub use head::{Head, Hold, Rollback, Statement};
pub use ledger::{Entry, Facts, Ledger, Moment, Shown};
pub use restore::{Restored, Unusable};
pub use retention::{Policy, Retained};
pub use shelf::Shelf;
pub use vault::{OpenFault, StoreFault, Vault};
