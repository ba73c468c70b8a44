//! The other verbs of the real binary.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// What a verb said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn difusor(dir: &Path, args: &[&str]) -> Said {
    difusor_with(dir, args, &[])
}

/// With these variables of the environment.
pub fn difusor_with(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_difusor"));
    command.args(args).current_dir(dir).stdin(Stdio::null()).env_remove("RSYNC_EXIT_STATUS");
    for proxy in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    said(command.envs(variables.iter().copied()).output().unwrap())
}

/// What a verb that was started has said, when it is over.
pub fn ended(child: Child) -> Said {
    said(child.wait_with_output().unwrap())
}

fn said(out: Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: out.status.code().unwrap(), out: text(&out.stdout), err: text(&out.stderr) }
}
