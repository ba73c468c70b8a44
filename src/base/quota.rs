//! How much processor time this process may have at most (cgroups(7)), where somebody has bounded it: a container's limit, or
//! `CPUQuota` of a unit.

use std::fs;

/// Where version 2 of control groups is mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// Groups above each other that are looked at.
const GROUPS_MAX: usize = 32;

/// Processors' worth of time; `None` where there is no bound that is known.
pub fn processors() -> Option<f64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    least(group(&own)?, |path| fs::read_to_string(format!("{ROOT}{path}/cpu.max")).ok())
}

/// The path of the group in version 2's hierarchy, which has no number and no name.
fn group(own: &str) -> Option<&str> {
    own.lines().find_map(|line| line.strip_prefix("0::")).filter(|path| path.starts_with('/') && !path.contains(".."))
}

/// What binds most, of the group and of those above it.
fn least(group: &str, read: impl Fn(&str) -> Option<String>) -> Option<f64> {
    let mut path = group.trim_end_matches('/');
    let mut least: Option<f64> = None;
    for _ in 0..GROUPS_MAX {
        let own = read(path).and_then(|text| bound(&text));
        least = match (least, own) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        match path.rfind('/') {
            Some(at) => path = &path[..at],
            None => break,
        }
    }
    least
}

/// `QUOTA PERIOD`, both in microseconds; `max` is no bound.
fn bound(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (u32, u32) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0 && period > 0).then(|| f64::from(quota) / f64::from(period))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_binds_most_holds() {
        assert_eq!(
            group("9:name=systemd:/a\n1:cpu:/b\n0::/system.slice/difusor.service\n"),
            Some("/system.slice/difusor.service")
        );
        assert_eq!([group("1:cpu:/\n"), group("0::/../x\n")], [None, None]);
        let read = |path: &str| match path {
            "/a/b" => Some("150000 100000\n".to_owned()),
            "/a" => Some("50000 100000\n".to_owned()),
            "" => Some("max 100000\n".to_owned()),
            _ => None,
        };
        for (path, expected) in
            [("/a/b", Some(0.5)), ("/a/b/c", Some(0.5)), ("/a", Some(0.5)), ("/", None), ("/x", None)]
        {
            assert_eq!(least(path, read), expected, "{path}");
        }
        for none in ["", "max 100000", "0 100000", "1 0", "x 1", "1"] {
            assert_eq!(bound(none), None, "{none}");
        }
    }
}
