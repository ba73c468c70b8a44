//! The table as a settings file, for who begins.

use super::rows;

/// Sections that are a fault where they are not needed.
const OPTIONAL: [&str; 6] = ["transport", "source", "window", "proxy", "upstream", "route"];
/// Sections that may occur several times.
const SEVERAL: [&str; 5] = ["certificate", "source", "window", "upstream", "route"];

/// A settings file with every setting in it, at its default or an example, and its meaning above it.
pub fn example() -> String {
    let mut out = String::from("# Settings of difusor. Paths are relative to this file.\n");
    let mut section = "";
    for row in rows() {
        let (name, key) = row.key.rsplit_once('.').unwrap_or(("", row.key));
        // A section that only some need is there to be uncommented as a whole.
        let is_optional = OPTIONAL.contains(&name);
        if name != section {
            section = name;
            let header = if SEVERAL.contains(&name) { format!("[[{name}]]") } else { format!("[{name}]") };
            out += &format!("\n{}{header}\n", if is_optional { "# " } else { "" });
        }
        let (mark, value) = match row.default {
            _ if is_optional => ("# ", row.example),
            None => ("", row.example),
            // Somewhere it has to listen.
            Some("[]") if ["listen.http", "listen.https"].contains(&row.key) => ("", row.example),
            Some("[]") => ("# ", row.example),
            // The default trust needs the one, and the other is the usual way in.
            Some("") if ["signers", "incoming"].contains(&row.key) => ("", row.example),
            Some("") => ("# ", row.example),
            Some(default) => ("# ", default),
        };
        // What is commented out is at its default; the rest has to be given.
        out += &format!("# {}\n{mark}{key} = {value}\n", row.about);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who copies the file and fills in what is not commented out has not let anybody speak for others.
    #[test]
    fn the_example_sets_what_everybody_has_to_set_and_nothing_else() {
        let example = example();
        let set: Vec<_> =
            example.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = ")).collect();
        let keys: Vec<_> = set.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["election", "signers", "incoming", "http", "https", "chain", "key"]);
    }
}
