//! Packages: made and checked with the stock tools and with ours, both ways; and all that is refused.

#[path = "package/bombs.rs"]
mod bombs;
#[path = "package/cli.rs"]
mod cli;
mod common;
#[path = "package/hostile_tar.rs"]
mod hostile_tar;
#[path = "package/hostile_zip.rs"]
mod hostile_zip;
#[path = "package/memory.rs"]
mod memory;
#[path = "package/preamble.rs"]
mod preamble;
#[path = "package/raw.rs"]
mod raw;
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
