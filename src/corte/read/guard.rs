//! Holds a decompressor to the limits: what goes in is counted, and what comes out judged against it.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::corte::limits::Meter;
use crate::corte::{Limits, Refusal};

/// Counts the packed bytes that pass.
pub(super) struct Packed<R> {
    pub from: R,
    pub count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

/// The unpacked stream. Fails with a `Refusal` inside the `io::Error` once it is out of proportion, or
/// longer than any package within the limits can be.
pub(super) struct Unpacked<'a, R> {
    from: R,
    name: &'a str,
    packed: Rc<Cell<u64>>,
    meter: &'a Meter<'a>,
    count: u64,
    most: u64,
}

impl<'a, R: Read> Unpacked<'a, R> {
    pub fn new(from: R, name: &'a str, packed: Rc<Cell<u64>>, meter: &'a Meter<'a>, limits: &Limits) -> Self {
        Unpacked { from, name, packed, meter, count: 0, most: limits.archive_bytes() }
    }
}

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.count += n as u64;
        self.meter.ratio(self.name, self.packed.get(), self.count)?;
        if self.count > self.most {
            return Err(Refusal::TotalBytes { limit: self.most }.into());
        }
        Ok(n)
    }
}
