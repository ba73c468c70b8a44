//! What is wrong with a settings file, all of it at once.

use std::fmt;
use std::ops::Range;

/// One fault, where it stands, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Line and column, both from 1 on; `None` for what is missing altogether.
    pub at: Option<(usize, usize)>,
    pub message: String,
}

/// All faults of a file, in the order of its lines.
#[derive(Debug)]
pub struct Faults {
    pub file: String,
    pub list: Vec<Fault>,
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.list.iter().enumerate() {
            let end = if n + 1 == self.list.len() { "" } else { "\n" };
            match fault.at {
                Some((line, column)) => write!(f, "{}:{line}:{column}: {}{end}", self.file, fault.message)?,
                None => write!(f, "{}: {}{end}", self.file, fault.message)?,
            }
        }
        Ok(())
    }
}

/// Collects faults while a text is read.
pub struct Notes<'t> {
    text: &'t str,
    list: Vec<(usize, Fault)>,
}

impl<'t> Notes<'t> {
    pub fn new(text: &'t str) -> Notes<'t> {
        Notes { text, list: Vec::new() }
    }

    /// A fault at a place in the text.
    pub fn at(&mut self, span: Range<usize>, message: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.list.push((span.start, Fault { at: Some((line, column)), message }));
    }

    /// Something that should be there and is not.
    pub fn missing(&mut self, message: String) {
        self.list.push((usize::MAX, Fault { at: None, message }));
    }

    pub fn into_faults(mut self, file: &str) -> Result<(), Faults> {
        if self.list.is_empty() {
            return Ok(());
        }
        self.list.sort_by_key(|(place, _)| *place);
        // A section that is read in two places tells its faults twice.
        self.list.dedup();
        Err(Faults { file: file.to_owned(), list: self.list.into_iter().map(|(_, fault)| fault).collect() })
    }
}
