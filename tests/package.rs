//! Packages: made and checked with the stock tools and with ours, both ways; and all that is refused.

#[path = "package/cli.rs"]
mod cli;
mod common;
#[path = "package/memory.rs"]
mod memory;
#[path = "package/preamble.rs"]
mod preamble;
#[path = "package/refusals.rs"]
mod refusals;
#[path = "package/signatures.rs"]
mod signatures;
#[path = "package/stamp.rs"]
mod stamp;
#[path = "package/tools.rs"]
mod tools;
#[path = "package/trust.rs"]
mod trust;
