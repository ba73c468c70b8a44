//! What is asked for. Pure: method, path and door go in.

use http::Method;

use super::problem::Problem;

/// Characters of a package's name: long enough for any stamp and state, short enough for any file system.
const NAME_MAX: usize = 128;
/// Forms of a package that can be sent as one body.
const ARCHIVES: [&str; 4] = [".tar", ".tar.gz", ".tar.zst", ".zip"];

/// How somebody came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The socket on this machine, opened by the service's own user or root, who may do everything.
    Socket,
    /// The socket, opened by somebody else of its group, who delivers packages: a notice, and no more.
    Neighbour,
    /// HTTPS: packages and metrics.
    Network,
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Notify,
    Rollback,
    Hold,
    Release,
    Final,
    Resume,
    Purge,
    Metrics,
    State,
    Upload(Name),
}

/// The name of a package as it is sent: one that means nothing to a shell or a file system, and tells the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub fn parse(text: &str) -> Result<Name, Problem> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_name = (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(['.', '-']);
        if !is_name {
            let expected = "expected 1 to 128 of A-Z, a-z, 0-9, `.`, `_` and `-`, not starting with `.` or `-`";
            return Err(Problem::Malformed(format!("the package's name does not fit: {expected}")));
        }
        if !ARCHIVES.iter().any(|end| text.ends_with(end)) {
            let forms = ARCHIVES.join(", ");
            return Err(Problem::Form(format!("{text}: is no package's name; it has to end in one of {forms}")));
        }
        Ok(Name(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who has come through `door` may ask for this, or not.
pub fn route(method: &Method, path: &str, door: Door) -> Result<What, Problem> {
    let (what, allowed) = match path {
        "/notify" => (What::Notify, "POST"),
        "/rollback" => (What::Rollback, "POST"),
        "/hold" => (What::Hold, "POST"),
        "/release" => (What::Release, "POST"),
        "/final" => (What::Final, "POST"),
        "/resume" => (What::Resume, "POST"),
        "/purge" => (What::Purge, "POST"),
        "/metrics" => (What::Metrics, "GET"),
        "/state" => (What::State, "GET"),
        _ => match path.strip_prefix("/packages/") {
            Some(name) => (What::Upload(Name::parse(name)?), "PUT"),
            None => return Err(Problem::NotFound),
        },
    };
    let may = match door {
        Door::Socket => true,
        Door::Neighbour => what == What::Notify,
        Door::Network => matches!(what, What::Metrics | What::Upload(_)),
    };
    if !may {
        return Err(Problem::NotThroughThisDoor);
    }
    if method.as_str() != allowed {
        return Err(Problem::Method(allowed));
    }
    Ok(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(method: Method, path: &str, door: Door) -> u16 {
        route(&method, path, door).map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[test]
    fn the_network_may_push_and_measure_and_no_more() {
        for path in ["/notify", "/rollback", "/hold", "/release", "/purge"] {
            assert_eq!(status(Method::POST, path, Door::Socket), 200, "{path}");
            assert_eq!(status(Method::GET, path, Door::Socket), 405, "{path}");
            assert_eq!(status(Method::POST, path, Door::Network), 403, "{path}");
        }
        assert_eq!(status(Method::GET, "/state", Door::Network), 403);
        for door in [Door::Socket, Door::Network] {
            assert_eq!(status(Method::PUT, "/packages/20260607_2010.tar.zst", door), 200);
            assert_eq!(status(Method::POST, "/packages/a.zip", door), 405);
            assert_eq!(status(Method::GET, "/metrics", door), 200);
            assert_eq!(status(Method::GET, "/", door), 404);
        }
    }

    #[test]
    fn whoever_delivers_may_say_that_he_has_and_no_more() {
        assert_eq!(status(Method::POST, "/notify", Door::Neighbour), 200);
        for path in ["/rollback", "/hold", "/release"] {
            assert_eq!(status(Method::POST, path, Door::Neighbour), 403, "{path}");
        }
        assert_eq!(status(Method::PUT, "/packages/a.zip", Door::Neighbour), 403);
        assert_eq!(status(Method::GET, "/metrics", Door::Neighbour), 403);
        assert_eq!(status(Method::GET, "/state", Door::Neighbour), 403);
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for bad in
            ["", ".a.zip", "-a.zip", "..", "a/b.zip", "a%2Fb.zip", "á.zip", "a b.zip", &"a".repeat(125).add(".zip")]
        {
            assert_eq!(status(Method::PUT, &format!("/packages/{bad}"), Door::Network), 400, "{bad}");
        }
        for bad in ["a", "a.rar", "a.tar.bz2", "zip", "a.ZIP"] {
            assert_eq!(status(Method::PUT, &format!("/packages/{bad}"), Door::Network), 415, "{bad}");
        }
    }

    use std::ops::Add;

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_one_file_in_the_folder(text in ".{0,140}") {
            if let Ok(name) = Name::parse(&text) {
                let path = std::path::Path::new("/staging").join(name.as_str());
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("/staging")));
                prop_assert!(path.file_name().is_some());
            }
        }
    }
}
