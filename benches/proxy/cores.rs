//! Which core has whom: the server one, and all others the next. Whoever answers or floods gives way to whoever measures.

use std::process::{Child, Command, Stdio};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The server's.
pub const SERVER: usize = 0;
/// Everybody else's; where there is but one core, the server's.
const OTHERS: usize = 1;
/// A tenth of what others have (nice(1)).
const LOW: &str = "10";

/// From now on this process, with what it starts, is not where the server is.
pub fn leave_to_the_server() {
    let mine = sched_getaffinity(None).expect("the kernel tells which cores are ours");
    if mine.is_set(OTHERS) {
        let mut others = CpuSet::new();
        others.set(OTHERS);
        sched_setaffinity(None, &others).expect("a core of our own");
    }
}

/// A process that is ended with this, and by the kernel if we are killed.
pub struct Guard(pub Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command that ends with us.
pub fn tied(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program).stdin(Stdio::null());
    command
}

/// This program as a child of itself, which gives way to us.
pub fn lowly(args: &[&str]) -> Guard {
    let mut command = tied("nice");
    command.args(["-n", LOW]).arg(std::env::current_exe().expect("this program has a path")).args(args);
    Guard(command.stdout(Stdio::piped()).spawn().expect("setpriv and nice (Debian packages util-linux, coreutils)"))
}
