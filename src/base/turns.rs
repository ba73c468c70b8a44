//! Short turns for threads that work on while others serve (sched(7); Linux 6.12 and later). Whoever has the processor keeps it to
//! a tick of the kernel's clock, unless his niceness is far above that of who is woken: an answer that becomes due meanwhile waits for that. With
//! short turns it waits for less on the average, and the share of time that each has stays what it was.

use std::io;
use std::time::Duration;

use rustix::process::Pid;

/// The shortest that the kernel grants.
const TURN: Duration = Duration::from_micros(100);

/// This thread's turns are short from now on, and those of the threads that it starts.
pub fn short() -> io::Result<()> {
    let attributes = get()?;
    set(None, attributes.sched_nice, Turn::Short)
}

/// How long a turn is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// As long as everybody's.
    Usual,
    Short,
}

/// One of this process's threads, or this one, has this niceness and such turns from now on; so have those that it starts then.
/// `PermissionDenied` where the niceness would be lower than it is and the process may not (RLIMIT_NICE, CAP_SYS_NICE).
pub fn set(thread: Option<Pid>, niceness: i32, turn: Turn) -> io::Result<()> {
    let mut attributes = get()?;
    attributes.sched_nice = niceness;
    attributes.sched_runtime = match turn {
        // The kernel then takes its own.
        Turn::Usual => 0,
        Turn::Short => TURN.as_nanos() as u64,
    };
    let thread: libc::pid_t = Pid::as_raw(thread);
    let flags: libc::c_uint = 0;
    // SAFETY: the kernel reads as many bytes as `size` in them says, which are the structure's own, and keeps no pointer. It
    // changes nothing but how that thread (0: this one) is scheduled.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, thread, &raw const attributes, flags) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How this thread is scheduled.
fn get() -> io::Result<libc::sched_attr> {
    let size = size_of::<libc::sched_attr>() as u32;
    let mut attributes = libc::sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    let flags: libc::c_uint = 0;
    // SAFETY: the kernel writes `size` bytes at most to the pointer, which are the structure's own; nobody else has it until the
    // call is over. It keeps nothing.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0 as libc::pid_t, &raw mut attributes, size, flags) };
    if got == 0 { Ok(attributes) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_short_and_nothing_else_changes() {
        let told = |a: &libc::sched_attr| (a.sched_policy, a.sched_nice, a.sched_priority);
        std::thread::spawn(move || {
            rustix::process::setpriority_process(None, 7).unwrap();
            let before = get().unwrap();
            assert_eq!(before.sched_nice, 7);
            short().unwrap();
            let after = get().unwrap();
            assert_eq!(told(&after), told(&before));
            // Kernels before 6.12 give all the same turns, and tell nothing of it.
            if before.sched_runtime != 0 {
                let turn = TURN.as_nanos() as u64;
                let child = std::thread::spawn(|| get().unwrap().sched_runtime).join().unwrap();
                assert_eq!((after.sched_runtime, child), (turn, turn));
            }
        })
        .join()
        .unwrap();
    }
}
