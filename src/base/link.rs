//! How fast the link to everybody else is, by the kernel's word.

use std::fs;

/// The most that is read of a file of the kernel's.
const FILE_MAX_BYTES: usize = 64 << 10;

/// Bytes a second that the interface of the default route carries; `None` where the kernel does not know, as of most
/// virtual ones. The provider may sell less of it.
pub fn speed() -> Option<u64> {
    let name = default_interface(&fs::read_to_string("/proc/net/route").ok()?)?;
    megabits(&fs::read_to_string(format!("/sys/class/net/{name}/speed")).ok()?)
}

/// The name in the first line of /proc/net/route that leads everywhere (proc(5)).
fn default_interface(table: &str) -> Option<String> {
    let table = table.get(..FILE_MAX_BYTES).unwrap_or(table);
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (name, to) = (fields.next()?, fields.next()?);
        (to == "00000000" && !name.contains(['/', '.'])).then(|| name.to_owned())
    })
}

/// Mbit/s as the kernel writes them; -1 where it does not know.
fn megabits(text: &str) -> Option<u64> {
    let megabits: u64 = text.trim().parse().ok().filter(|n| *n > 0)?;
    megabits.checked_mul(1_000_000 / 8).filter(|_| megabits < u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes() {
        let table = "Iface\tDestination\tGateway\nens4\t0000A8C0\t0\nens5\t00000000\t0101A8C0\n";
        assert_eq!(default_interface(table).as_deref(), Some("ens5"));
        assert_eq!(default_interface("Iface\tDestination\n"), None);
        assert_eq!(default_interface("Iface\n../x\t00000000\n"), None);
        assert_eq!(megabits("1000\n"), Some(125_000_000));
        for unknown in ["-1\n", "0\n", "4294967295\n", "", "x"] {
            assert_eq!(megabits(unknown), None, "{unknown}");
        }
    }
}
