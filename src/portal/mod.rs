//! Floor 3: pages of our own, as pure functions. Every public sentence stands in `words`, in Spanish; `web` has their
//! HTML, styles and scripts.

mod contrast;
mod csp;
mod embed;
mod estado;
mod files;
mod fill;
mod looks;
mod notice;
mod offer;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod told;
mod verify;
pub mod words;

pub use contrast::{CONTRAST_MIN, NoColour, contrast};
pub use estado::{estado_json, notice_json};
pub use files::files;
pub use notice::notice_page;
pub use offer::Offer;
pub use told::{Brand, Printed, Stamp, Told};
pub use words::Notice;
