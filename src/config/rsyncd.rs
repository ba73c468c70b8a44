//! What rsyncd needs, printed from the settings: its configuration, and the unit that runs it beside the service. Pure.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::Rsync;

/// The user that rsyncd runs as, in the group of the service: it may write into the incoming folder, and the service may
/// read what it writes. `systemd/difusor.sysusers` makes it.
const USER: &str = "difusor-rsync";
const GROUP: &str = "difusor";
/// Where Debian and Ubuntu have it.
const RSYNC: &str = "/usr/bin/rsync";
/// In /run: where instances count their transfers together.
const RUN: &str = "difusor-rsyncd";
/// Seconds after which a client that says nothing is let go. One that is slow says something.
const SILENCE_SECONDS: u32 = 300;
/// Tasks of one instance for each transfer: the receiver, its generator, the one that waits for them, and `notify`'s.
const TASKS_EACH: u64 = 8;
/// Tasks besides those: the daemon, and connections that are about to be refused.
const TASKS_MORE: u64 = 32;

/// Options that nothing needs which ends in a package that can be read: copies of what was there, attributes of other
/// systems, rights for more or fewer than the service.
const REFUSED: &str = "acls xattrs fake-super super backup backup-dir";

/// Where everything is; absolute.
#[derive(Clone, Debug)]
pub struct Places {
    /// The settings of the service, and the file that `conf` is kept in.
    pub settings: PathBuf,
    pub conf: PathBuf,
    /// This program.
    pub program: PathBuf,
    pub incoming: PathBuf,
    /// Keys and tokens, which are no business of rsyncd.
    pub hidden: Vec<PathBuf>,
}

/// A path that cannot be written into these files, whatever quotes are put around it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: cannot be written into {into}; choose a path of letters, digits and `/._-`")]
pub struct PathFault {
    path: String,
    into: &'static str,
}

/// rsyncd.conf(5).
pub fn conf(rsync: &Rsync, places: &Places) -> Result<String, PathFault> {
    let path = |path| plain(path, "rsyncd.conf");
    let (settings, program, incoming) = (path(&places.settings)?, path(&places.program)?, path(&places.incoming)?);
    let trusted: Vec<String> = rsync.trusted.iter().map(ToString::to_string).collect();
    let nobody = if trusted.is_empty() { "# Nobody: `rsync.trusted` is empty.\n" } else { "" };
    let login = match &rsync.login {
        Some(login) => format!("auth users = {}\nsecrets file = {}\n", login.user, path(&login.secrets)?),
        None => String::new(),
    };
    Ok(format!(
        "\
# rsyncd.conf of difusor, printed by `difusor config rsyncd`. Do not edit: change [rsync] in {settings}, print it again.

# The unit gives the daemon a user of its own that may do nothing else, so there is no root to change from: no chroot, no
# uid, no gid. Paths are kept inside the module by rsyncd itself, and links that arrive lead nowhere.
use chroot = no
munge symlinks = yes
numeric ids = yes

# By address alone: names are somebody else's word.
{nobody}hosts allow = {trusted}
hosts deny = *
reverse lookup = no
forward lookup = no

max connections = {connections}
lock file = /run/{RUN}/lock
timeout = {SILENCE_SECONDS}
syslog tag = difusor-rsyncd
transfer logging = yes

[{module}]
path = {incoming}
# In and not out: what lies here may be under embargo. --delete, --partial and --inplace work all the same.
read only = no
write only = yes
list = no
# The service reads by the group, nobody else does.
incoming chmod = D2750,F640
refuse options = {REFUSED}
{login}\
# Tells the service, which looks by itself too: this is only sooner.
post-xfer exec = {program} notify --config {settings}
",
        trusted = trusted.join(" "),
        connections = rsync.connections,
        module = rsync.module,
    ))
}

/// A systemd unit, `difusor-rsyncd@.service`: an instance for each port.
pub fn unit(rsync: &Rsync, places: &Places) -> Result<String, PathFault> {
    let path = |path| plain(path, "a unit");
    let (conf, incoming) = (path(&places.conf)?, path(&places.incoming)?);
    let instances: Vec<String> = rsync.ports.iter().map(|port| format!("difusor-rsyncd@{port}")).collect();
    let mut hidden = String::new();
    for file in &places.hidden {
        let _ = writeln!(hidden, "InaccessiblePaths=-{}", path(file)?);
    }
    Ok(format!(
        "\
# rsyncd for difusor, one instance a port. Printed by `difusor config rsyncd --unit`; goes to
# /etc/systemd/system/difusor-rsyncd@.service, then: systemctl enable --now {instances}
#
# Change nothing here: `systemctl edit difusor-rsyncd@` keeps changes of yours apart from ours.

[Unit]
Description=rsync daemon that takes PREP packages in, port %i
# Not bound to difusor.service: what arrives while that one restarts is there when it is back.
Wants=network-online.target
After=network-online.target
# Started again for ever, as the service is.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={RSYNC} --daemon --no-detach --config={conf} --port=%i
Restart=always
RestartSec=1s

# A user of its own, with nothing but the right to listen below 1024; its group is the service's.
User={USER}
Group={GROUP}
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
UMask=0027

# The instances count their transfers together in a file there (`lock file`).
RuntimeDirectory={RUN}
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=yes
# Nothing else is writable (ProtectSystem=strict).
ReadWritePaths={incoming}
# Keys and tokens, which the group may read, are no business of this one.
{hidden}\
# Whatever somebody manages to run through it: not many at a time.
TasksMax={tasks}
MemoryMax=1G

# What follows takes from the process everything that it does not need; difusor.service says what each line is for.
# Not RestrictSUIDSGID=: folders that arrive belong to the group, and what is in them too (`incoming chmod`).
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectProc=invisible
ProcSubset=pid
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
MemoryDenyWriteExecute=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
# chown(2) and its kin are among the privileged, and rsync asks for them even where they change nothing.
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
",
        instances = instances.join(" "),
        tasks = rsync.connections * TASKS_EACH + TASKS_MORE,
    ))
}

/// A path that needs no quotes: rsyncd.conf has none, takes `%` and `\\` for its own, and gives commands to a shell.
fn plain<'p>(path: &'p Path, into: &'static str) -> Result<&'p str, PathFault> {
    let fits = |c: char| c.is_alphanumeric() || "/._-+@,=:".contains(c);
    let text = path.to_str().filter(|text| text.starts_with('/') && text.chars().all(fits));
    text.ok_or_else(|| PathFault { path: path.display().to_string(), into })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Login;
    use proptest::prelude::*;

    fn places() -> Places {
        Places {
            settings: "/etc/difusor/difusor.toml".into(),
            conf: "/etc/difusor/rsyncd.conf".into(),
            program: "/usr/local/bin/difusor".into(),
            incoming: "/var/lib/difusor/incoming".into(),
            hidden: vec!["/etc/difusor/privkey.pem".into()],
        }
    }

    fn lines(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect()
    }

    #[test]
    fn where_nobody_is_named_nobody_is_let_in() {
        let text = conf(&Rsync::default(), &places()).unwrap();
        let lines = lines(&text);
        for line in ["hosts allow = ", "hosts deny = *", "[cortes]", "write only = yes", "max connections = 8"] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
        assert!(text.contains("# Nobody:") && !text.contains("auth users") && !text.contains("secrets"), "{text}");
        let notify = "post-xfer exec = /usr/local/bin/difusor notify --config /etc/difusor/difusor.toml";
        assert!(lines.contains(&notify), "{text}");
        let at = |line| lines.iter().position(|other| *other == line).unwrap();
        assert!(at("hosts deny = *") < at("[cortes]") && at("path = /var/lib/difusor/incoming") > at("[cortes]"));
    }

    #[test]
    fn who_may_push_and_by_which_name() {
        let login = Some(Login { user: "iec".into(), secrets: "/etc/difusor/rsyncd.secrets".into() });
        let trusted = ["203.0.113.10", "2001:db8::/32"].map(|text| text.parse().unwrap()).to_vec();
        let rsync = Rsync { trusted, login, module: "prep".into(), connections: 3, ..Rsync::default() };
        let text = conf(&rsync, &places()).unwrap();
        let lines = lines(&text);
        for line in [
            "hosts allow = 203.0.113.10 2001:db8::/32",
            "[prep]",
            "auth users = iec",
            "secrets file = /etc/difusor/rsyncd.secrets",
            "max connections = 3",
        ] {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
        assert!(!text.contains("Nobody:"));
    }

    #[test]
    fn an_instance_for_each_port_and_no_keys() {
        let text = unit(&Rsync { ports: vec![873, 8873], ..Rsync::default() }, &places()).unwrap();
        assert!(text.contains("enable --now difusor-rsyncd@873 difusor-rsyncd@8873\n"), "{text}");
        assert!(lines(&text).contains(&"InaccessiblePaths=-/etc/difusor/privkey.pem"));
        assert!(lines(&text).contains(&"ReadWritePaths=/var/lib/difusor/incoming"));
    }

    #[test]
    fn paths_that_would_mean_something_else_are_told() {
        for bad in ["/a b", "/a%HOME%", "/a\\", "/a\n[x]", "/a'", "/$(x)", "relative", "/a#", "/a;b", "/\u{7f}"] {
            let spoilt = Places { incoming: bad.into(), ..places() };
            let fault = conf(&Rsync::default(), &spoilt).unwrap_err().to_string();
            assert!(fault.contains("rsyncd.conf"), "{fault}");
            assert!(unit(&Rsync::default(), &spoilt).is_err());
            let spoilt = Places { settings: bad.into(), conf: bad.into(), ..places() };
            assert!(conf(&Rsync::default(), &spoilt).is_err() && unit(&Rsync::default(), &spoilt).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_path_is_one_line_and_one_word(path in "/.{0,20}") {
            let spoilt = Places { incoming: path.clone().into(), ..places() };
            if let Ok(text) = conf(&Rsync::default(), &spoilt) {
                let line = format!("path = {path}");
                prop_assert!(text.lines().any(|other| other == line));
                prop_assert_eq!(path.split_whitespace().count(), 1);
                prop_assert_eq!(text.lines().count(), conf(&Rsync::default(), &places()).unwrap().lines().count());
            }
        }
    }
}
