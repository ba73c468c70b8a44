//! Packages: made and checked with the stock tools and with ours, both ways; and all that is refused.

mod common;
#[path = "package/memory.rs"]
mod memory;
#[path = "package/refusals.rs"]
mod refusals;
#[path = "package/signatures.rs"]
mod signatures;
#[path = "package/tools.rs"]
mod tools;
