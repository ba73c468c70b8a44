//! Whether the kernel believes that its clock is right (adjtimex(2)).

/// Whether something (chrony, ntpd, systemd-timesyncd, the host of a container) keeps the machine's clock right; `None`
/// where the kernel will not say.
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: `timex` is a C struct of integers and one `timeval` of integers: all zeroes are a value of it. libc's
    // definition of it is the kernel's, and `adjtimex` writes no further.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a whole `timex` that lives, and nobody else has, until the call is over. `modes` is 0,
    // so the kernel only fills it in, and needs no privilege.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    match state {
        -1 => None,
        libc::TIME_ERROR => Some(false),
        _ => Some(timex.status & libc::STA_UNSYNC == 0),
    }
}

#[cfg(test)]
mod tests {
    /// Under valgrind too (`valgrind TEST-BINARY base::timex`): of what it finds in a static C library, nothing is here.
    #[test]
    fn the_kernel_says_the_same_twice() {
        assert_eq!(super::is_synchronised(), super::is_synchronised());
    }
}
