//! Floor 3: pages of our own. Every public sentence stands in `words`, in Spanish; `page` gives them their looks.

mod page;
mod told;
pub mod words;

pub use page::{Stamp, page};
pub use told::{Brand, Printed, Told};
pub use words::Notice;
