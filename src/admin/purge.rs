//! What an operator wants forgotten of an origin's answers: `{"path": "/actas/1.jpg", "soft": true}`.

use std::sync::Arc;

use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::answer::json;
use super::problem::Problem;
use super::service::Shared;
use super::who::Who;
use crate::http::Body;
use crate::proxy::purge::{Purge, Which};
use crate::record::incidents::note;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    path: Option<String>,
    prefix: Option<String>,
    host: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    soft: bool,
}

/// Exactly one choice.
pub fn read(body: &[u8]) -> Result<Purge, Problem> {
    let malformed = |why: String| Problem::Malformed(why);
    let typed: Typed = serde_json::from_slice(body).map_err(|error| malformed(format!("the body: {error}")))?;
    let soft = typed.soft;
    let given = [
        typed.path.map(Which::Path),
        typed.prefix.map(Which::Prefix),
        typed.host.map(Which::Host),
        typed.tag.map(Which::Tag),
        typed.all.then_some(Which::Everything),
    ];
    let mut given = given.into_iter().flatten();
    let expected = "expected one of `path`, `prefix` (both from `/` on), `host`, `tag` and `all`";
    match (given.next(), given.next()) {
        (Some(which), None) if is_sound(&which) => Ok(Purge { which, soft }),
        _ => Err(malformed(format!("the body: {expected}"))),
    }
}

fn is_sound(which: &Which) -> bool {
    match which {
        Which::Path(path) | Which::Prefix(path) => path.starts_with('/'),
        Which::Host(text) | Which::Tag(text) => !text.is_empty(),
        Which::Everything => true,
    }
}

/// Forgets, and writes down who wanted it.
pub async fn purge(shared: &Arc<Shared>, purge: Purge, who: &Who) -> Result<Response<Body>, Problem> {
    let Some(corridor) = shared.corridor.clone() else {
        return Err(Problem::Conflict("nothing is cached: the settings have no `[[route]]`".into()));
    };
    let (journal, source) = (shared.journal.clone(), who.to_string());
    let work = move || {
        let count = corridor.purge(&purge);
        let (what, how) = (&purge.which, if purge.soft { "to be validated" } else { "forgotten" });
        journal.note(&note("A007", &format!("{what:?}: {count} {how}")).source(&source));
        format!("{count} {how}")
    };
    let sentence = shared.blocking(work).await?;
    Ok(json(StatusCode::OK, &json!({"sentence": sentence})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_choice_and_no_more() {
        let purge = |which, soft| Ok(Purge { which, soft });
        assert_eq!(read(br#"{"path":"/a?b"}"#), purge(Which::Path("/a?b".into()), false));
        assert_eq!(read(br#"{"tag":"t","soft":true}"#), purge(Which::Tag("t".into()), true));
        assert_eq!(read(br#"{"all":true}"#), purge(Which::Everything, false));
        for bad in [
            "",
            "{}",
            r#"{"all":false}"#,
            r#"{"path":"a"}"#,
            r#"{"tag":""}"#,
            r#"{"path":"/a","tag":"t"}"#,
            r#"{"x":1}"#,
        ] {
            assert!(matches!(read(bad.as_bytes()), Err(Problem::Malformed(_))), "{bad}");
        }
    }
}
