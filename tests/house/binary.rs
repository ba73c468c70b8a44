//! The binary is static: its ELF headers ask for no interpreter and no library (`ldd` can be fooled, they cannot).

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;

/// What an ELF file asks the system for, besides the kernel. 64 bits, little-endian (elf(5)).
fn asks_for(elf: &[u8]) -> Vec<&'static str> {
    let u16_at = |at: usize| u16::from_le_bytes(elf[at..at + 2].try_into().unwrap());
    let u32_at = |at: usize| u32::from_le_bytes(elf[at..at + 4].try_into().unwrap());
    let u64_at = |at: usize| u64::from_le_bytes(elf[at..at + 8].try_into().unwrap());
    assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "ELF of 64 bits, little-endian");
    let (table, size, count) = (u64_at(32) as usize, usize::from(u16_at(54)), usize::from(u16_at(56)));
    let headers: Vec<usize> = (0..count).map(|n| table + n * size).collect();
    assert!(headers.iter().any(|at| u32_at(*at) == PT_LOAD), "program headers are found");
    let mut asked = Vec::new();
    for at in headers {
        match u32_at(at) {
            PT_INTERP => asked.push("an interpreter (PT_INTERP)"),
            PT_DYNAMIC => {
                let (start, len) = (u64_at(at + 8) as usize, u64_at(at + 32) as usize);
                let entries = (start..start + len).step_by(16).map(u64_at);
                asked.extend(entries.filter(|tag| *tag == DT_NEEDED).map(|_| "a library (DT_NEEDED)"));
            }
            _ => {}
        }
    }
    asked
}

/// The binary of this build, and the released ones if there are any.
fn binaries() -> Vec<PathBuf> {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_difusor"));
    // target[/TRIPLE]/PROFILE/difusor
    let target = built.ancestors().find(|dir| dir.ends_with("target")).map(Path::to_owned);
    let target = target.unwrap_or_else(|| root().join("target"));
    let triples = fs::read_dir(&target).into_iter().flatten().map(|entry| entry.unwrap().path());
    let released = triples.chain([target.clone()]).map(|dir| dir.join("release/difusor"));
    std::iter::once(built).chain(released.filter(|file| file.is_file())).collect()
}

#[test]
fn it_needs_nothing_but_a_kernel() {
    for path in binaries() {
        assert_eq!(asks_for(&fs::read(&path).unwrap()), [""; 0], "{}", path.display());
        eprintln!("static: {}", path.display());
    }
}

#[test]
fn a_binary_that_needs_something_is_told_apart() {
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let asked = asks_for(&fs::read(&shell).unwrap());
    // A static shell (busybox) asks for nothing, and then this says nothing.
    assert!(asked.is_empty() || asked.iter().any(|what| what.contains("DT_NEEDED")), "{asked:?}");
}
