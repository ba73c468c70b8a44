//! Templates: text with `{{HOLES}}`, and what goes into them.

use serde_json::Value;

/// What goes into a hole.
pub(super) enum Hole<'a> {
    /// Text that others may have written: it is escaped, for element content and quoted attributes alike.
    Text(&'a str),
    /// Our own HTML, CSS or JavaScript, as it is.
    Ours(String),
    /// For a `<script>`: as a block of data, or as an expression in one of our scripts.
    Json(Value),
}

/// `template` with each hole filled; what comes out of a hole is not looked at again. A hole without a name in `holes` is a
/// fault of ours that the tests find; it stays empty.
pub(super) fn fill(template: &str, holes: &[(&str, Hole)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else { break };
        match holes.iter().find(|(known, _)| *known == name) {
            Some((_, Hole::Text(text))) => out.push_str(&escaped(text)),
            Some((_, Hole::Ours(text))) => out.push_str(text),
            Some((_, Hole::Json(value))) => out.push_str(&in_script(value)),
            None => debug_assert!(false, "nothing fills {name}"),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Text for an element or a quoted attribute (HTML, 13.1.2.3 and 13.1.2.4).
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // NUL is an error in HTML whatever stands around it.
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// JSON that can neither end a `<script>` nor a line of it: in JSON, `<` and the two line ends stand in strings only.
fn in_script(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// A style or script as it is sent: without indentation, empty lines and lines that are a comment.
pub(super) fn lean(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    let kept = lines.filter(|l| !(l.is_empty() || l.starts_with("//") || l.starts_with("/*") && l.ends_with("*/")));
    kept.flat_map(|line| [line, "\n"]).collect()
}

/// A style likewise, without the spaces that only readers need.
pub(super) fn lean_css(source: &str) -> String {
    let tight = [("; ", ";"), (": ", ":"), (", ", ","), (" {", "{"), ("{ ", "{"), (" }", "}"), (";}", "}")];
    tight.iter().fold(lean(source), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn holes_are_filled_once() {
        let holes =
            [("A", Hole::Text("<{{B}}>")), ("B", Hole::Ours("<b>".into())), ("C", Hole::Json(json!("</script>")))];
        assert_eq!(fill("x {{A}} {{B}} {{C}}", &holes), "x &lt;{{B}}&gt; <b> \"\\u003c/script>\"");
    }

    #[test]
    fn scripts_lose_what_only_readers_need() {
        assert_eq!(lean_css("a, b {\n  color: #fff; font: 1rem/1 x;\n}\n"), "a,b{\ncolor:#fff;font:1rem/1 x;\n}\n");
        assert_eq!(lean("// why\n  a();\n\n  /* so */\n  b(); // here\n"), "a();\nb(); // here\n");
    }

    proptest! {
        #[test]
        fn foreign_text_stays_text(text in any::<String>()) {
            let out = escaped(&text);
            prop_assert!(!out.contains(['<', '>', '"', '\'', '\0']));
            let back = out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            prop_assert_eq!(back.replace("&amp;", "&"), text.replace('\0', "\u{fffd}"));
        }

        #[test]
        fn json_in_a_script_is_the_same_json(text in any::<String>()) {
            let out = in_script(&json!({ "a": text }));
            let ends = ['<', '\n', '\u{2028}', '\u{2029}'];
            prop_assert!(!out.contains(ends));
            prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!({ "a": text }));
        }
    }
}
