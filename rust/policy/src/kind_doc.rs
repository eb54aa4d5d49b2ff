use serde::Serialize;

/// The doc comments of the kinds by file name, taken from their sources by `build.rs`.
static DOCS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kind_docs.rs"));

/// What the doc comment of a kind says under its four headings; Markdown.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct KindDoc {
    /// What it does.
    pub what: &'static str,
    /// When one wants it.
    pub when: &'static str,
    /// Policies as a document holds them, YAML.
    pub example: &'static str,
    /// What callers see when it refuses, and what else one must know.
    pub failure: &'static str,
}

impl KindDoc {
    /// The doc comment of the kind called `name`; `None` when it has not exactly the four headings, in their order.
    pub fn of(name: &str) -> Option<Self> {
        let (_, doc) = DOCS.iter().find(|(kind, _)| *kind == name)?;
        Self::read(doc)
    }

    fn read(doc: &'static str) -> Option<Self> {
        let (what, rest) = doc
            .strip_prefix("# What it does\n")?
            .split_once("\n# When to use\n")?;
        let (when, rest) = rest.split_once("\n# Example\n")?;
        let (example, failure) = rest.split_once("\n# On failure\n")?;
        let example = example
            .trim()
            .strip_prefix("```yaml\n")?
            .strip_suffix("\n```")?;
        let parts = [what, when, example, failure].map(str::trim);
        let whole = parts
            .iter()
            .all(|part| !part.is_empty() && !part.lines().any(|line| line.starts_with("# ")));
        let [what, when, example, failure] = parts;
        whole.then_some(Self {
            what,
            when,
            example,
            failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::KindDoc;
    use crate::KINDS;

    #[test]
    fn every_kind_says_what_it_does_when_to_use_it_an_example_and_what_callers_see() {
        for kind in KINDS {
            assert!(
                KindDoc::of(kind.name).is_some(),
                "the doc comment of src/kinds/{}.rs has not the headings of the others",
                kind.name
            );
        }
    }

    #[test]
    fn a_missing_or_empty_heading_is_no_doc() {
        let whole = "# What it does\na\n\n# When to use\nb\n\n# Example\n```yaml\nc\n```\n\n# On failure\nd\n\ne";
        let doc = KindDoc::read(whole).unwrap();
        assert_eq!(
            (doc.what, doc.when, doc.example, doc.failure),
            ("a", "b", "c", "d\n\ne")
        );
        for broken in [
            "# What it does\na\n\n# Example\n```yaml\nc\n```\n\n# On failure\nd",
            "# What it does\n\n# When to use\nb\n\n# Example\n```yaml\nc\n```\n\n# On failure\nd",
            "# What it does\na\n\n# When to use\nb\n\n# Example\nc\n\n# On failure\nd",
            "# What it does\na\n\n# When to use\nb\n\n# Example\n```yaml\nc\n```\n\n# On failure\nd\n# More\ne",
        ] {
            assert_eq!(KindDoc::read(broken), None, "{broken}");
        }
    }
}
