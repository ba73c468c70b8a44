//! Floor 3: pages of our own. Every public sentence stands in `words`, in Spanish; `page` gives them their looks.

mod interim;
mod told;
pub mod words;

pub use interim::{files, notice_json, notice_page};
pub use told::{Brand, Printed, Stamp, Told};
pub use words::Notice;
