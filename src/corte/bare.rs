//! A bare tree on its way to a `Verified`: all that the authority sent is its site.

use bytes::Bytes;

use super::File;

/// A bare tree that was read within limits, its paths checked, every file hashed. Made by `read_bare`.
#[derive(Clone, Debug)]
pub struct Bare<B = Bytes> {
    /// Sorted by path.
    pub(super) files: Vec<File<B>>,
}

impl<B> Bare<B> {
    /// Sorted by path.
    pub fn files(&self) -> &[File<B>] {
        &self.files
    }
}
