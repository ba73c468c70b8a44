#![no_main]

use difusor::proxy::straight;
use difusor::proxy::upstream::own::fuzz;

// A response is the same however it is split on its way: the first byte says where, and of which method. What is read at a look is
// what is read.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let (size, to_head) = (usize::from(first >> 1) + 1, first & 1 == 1);
    straight::fuzz::check(bytes, to_head);
    assert_eq!(fuzz::read(bytes, &[], to_head), fuzz::read(bytes, &[size], to_head));
});
