//! The inner parts, each by itself, timed by criterion: `cargo bench --bench inner`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use difusor::base::digest::Digest;

/// Every byte of a package passes through here once: it must keep up with the disk and the network by far.
fn sha256(c: &mut Criterion) {
    let mut group = c.benchmark_group("sha256");
    for (name, size) in [("64 KB", 64 << 10), ("1 MB", 1 << 20)] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| (i ^ i >> 8) as u8).collect();
        group.throughput(Throughput::Bytes(size.into()));
        group.bench_with_input(BenchmarkId::from_parameter(name), &bytes, |b, bytes| {
            b.iter(|| Digest::of(black_box(bytes)));
        });
    }
    group.finish();
}

criterion_group!(inner, sha256);
criterion_main!(inner);
