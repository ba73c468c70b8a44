//! What a stored answer takes of the process, beside its own bytes and beside what the store believes.

use std::fs;

use crate::cores::leave_to_the_server;
use crate::corridor;
use crate::origin::{self, BODY_BYTES};

pub const HEADER: &str = "\
| keys | body, head and key | as the store weighs them | as the process grows | beyond their own bytes |
| ---: | ---: | ---: | ---: | ---: |";

/// Under way at once.
const CLIENTS: usize = 16;
/// Before anything is measured, for connections, pools and the allocator.
const WARM_UP: usize = 1_000;

/// Fetches so many answers through the corridor, and prints a row: bytes for each of them.
pub fn one(keys: usize) {
    leave_to_the_server();
    let (_origin, behind) = origin::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let corridor = corridor::open(behind);
    let fetch = |from: usize, to: usize| {
        let clients = (0..CLIENTS).map(|one| {
            let corridor = corridor.clone();
            async move {
                for n in (from + one..to).step_by(CLIENTS) {
                    assert_eq!(corridor::fetch(&corridor, &corridor::request(&path(n))).await, BODY_BYTES);
                }
            }
        });
        runtime.block_on(async {
            let clients: Vec<_> = clients.map(tokio::spawn).collect();
            for client in clients {
                client.await.expect("no client fails");
            }
        });
        corridor.held()
    };
    let (_, weighed_before) = fetch(0, WARM_UP);
    let before = resident();
    let (held, weighed) = fetch(WARM_UP, WARM_UP + keys);
    let grown = resident() - before;
    assert_eq!(held, (WARM_UP + keys) as u64, "everything is held");
    let own = BODY_BYTES + head_bytes() + format!("http://{behind}{}", path(WARM_UP)).len();
    let of_each = |bytes: u64| bytes as f64 / keys as f64;
    let (weighed, grown) = (of_each(weighed - weighed_before), of_each(grown));
    println!("| {keys} | {own} B | {weighed:.0} B | {grown:.0} B | {:.0} B |", grown - own as f64);
}

/// Each of the same length.
fn path(n: usize) -> String {
    format!("/actas/{n:08}.jpg")
}

/// Names and values of the fields that are stored.
fn head_bytes() -> usize {
    let fields = origin::fields();
    let fields = fields.lines().filter_map(|line| line.split_once(": "));
    fields.map(|(name, value)| name.len() + value.len()).sum()
}

/// Bytes of this process in memory, by the kernel's count (proc(5), VmRSS).
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc(5)");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}
