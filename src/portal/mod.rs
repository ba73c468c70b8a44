//! Floor 3: pages of our own. Every public sentence stands in `words`, in Spanish; `page` gives them their looks.

mod page;
pub mod words;

pub use page::{Stamp, page};
pub use words::Notice;
