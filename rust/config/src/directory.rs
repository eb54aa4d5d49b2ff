//! A directory apart from the document: applications that change at once, without a new revision.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::decode::{Entries, decode, decode_with_empty};
use crate::document::Application;
use crate::node::Node;
use crate::problem::Problem;
use crate::yaml;

/// The version of directory documents that this build reads.
const VERSION: u64 = 1;

/// What a directory document publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryDocument {
    /// Its place among all that were published; a node takes no older one than it has.
    pub sequence: u64,
    /// What it changes.
    pub change: DirectoryChange,
}

/// What becomes of the applications.
#[derive(Debug, Clone, PartialEq)]
pub enum DirectoryChange {
    /// These are all.
    Whole(serde_json::Map<String, Json>),
    /// Those of the sequence before, but for these.
    Delta {
        /// New applications, and known ones as they are now.
        set: serde_json::Map<String, Json>,
        /// Applications that are no more.
        remove: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    lockgate_directory: u64,
    sequence: u64,
    applications: Option<Entries<Application>>,
    set: Option<Entries<Application>>,
    remove: Option<Vec<String>>,
}

/// Reads a directory document, YAML or JSON.
///
/// # Errors
/// Every problem found.
pub fn load_directory(name: &str, text: &str) -> Result<DirectoryDocument, Vec<Problem>> {
    let root = yaml::parse(name, text).map_err(|problem| vec![problem])?;
    let whole = |message: &str, help: &str| {
        Err(vec![
            Problem::new(&root.span, message.to_owned()).help(help),
        ])
    };
    let everybody = root.get("applications").and_then(Node::as_map);
    if everybody.is_some_and(<[_]>::is_empty) {
        return whole(
            "a directory without applications would refuse everybody",
            "list all applications, or `remove` some; to refuse one, use `lockgate directory revoke`",
        );
    }
    let written: Written = decode(&root)?;
    if written.lockgate_directory != VERSION {
        return whole(
            "this build reads version 1 of the directory",
            "write `lockgate_directory: 1`, or update Lockgate",
        );
    }
    if written.sequence == 0 {
        return whole(
            "`sequence` starts at 1",
            "write a number that grows with each directory",
        );
    }
    let change = match (&written.applications, &written.set, written.remove) {
        (Some(_), None, None) => DirectoryChange::Whole(map(&root, "applications")),
        (None, set, remove) if set.is_some() || remove.is_some() => DirectoryChange::Delta {
            set: map(&root, "set"),
            remove: remove.unwrap_or_default(),
        },
        _ => {
            return whole(
                "a directory holds `applications`, or `set` and `remove`",
                "write all of them under `applications`, or what changes under `set` and `remove`",
            );
        }
    };
    Ok(DirectoryDocument {
        sequence: written.sequence,
        change,
    })
}

/// The applications of a map as it was kept.
///
/// # Errors
/// Every problem found.
pub fn read_applications(
    name: &str,
    applications: &serde_json::Map<String, Json>,
) -> Result<Entries<Application>, Vec<Problem>> {
    let text = Json::Object(applications.clone()).to_string();
    // After the last one was removed there is none, and that was meant.
    decode_with_empty(&yaml::parse(name, &text).map_err(|problem| vec![problem])?)
}

fn map(root: &Node, name: &str) -> serde_json::Map<String, Json> {
    match root.get(name).map(Node::to_json) {
        Some(Json::Object(map)) => map,
        _ => serde_json::Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let problems = load_directory("directory.yaml", text).unwrap_err();
        problems[0].to_string()
    }

    #[test]
    fn a_directory_is_whole_or_a_delta() {
        let read = |text| load_directory("directory.yaml", text).unwrap();
        let whole =
            read("lockgate_directory: 1\nsequence: 7\napplications: { shop: { plan: gold } }");
        assert_eq!(whole.sequence, 7);
        let DirectoryChange::Whole(applications) = &whole.change else {
            panic!("{whole:?}");
        };
        assert_eq!(applications["shop"]["plan"], "gold");
        let kept = read_applications("directory", applications).unwrap();
        assert_eq!(kept.get("shop").unwrap().plan.as_deref(), Some("gold"));
        let delta = read("lockgate_directory: 1\nsequence: 8\nremove: [shop]");
        assert!(matches!(delta.change, DirectoryChange::Delta { .. }));
    }

    #[test]
    fn nothing_empty_or_unclear_is_taken_for_everything() {
        let head = "lockgate_directory: 1\nsequence: 7\n";
        let empty = said(&format!("{head}applications: {{}}"));
        assert!(empty.contains("would refuse everybody"), "{empty}");
        for text in ["", "applications: { a: {} }\nremove: [b]"] {
            let unclear = said(&format!("{head}{text}"));
            assert!(
                unclear.contains("`applications`, or `set` and `remove`"),
                "{unclear}"
            );
        }
        assert!(said(&format!("{head}applications: [a]")).contains("expected a mapping"));
        assert!(said("lockgate_directory: 2\nsequence: 7\nremove: [b]").contains("version 1"));
        assert!(said("lockgate_directory: 1\nsequence: 0\nremove: [b]").contains("starts at 1"));
        assert!(said("lockgate_directory: 1\nremove: [b]").contains("`sequence`"));
        assert!(said(&format!("{head}aplications: {{}}")).contains("did you mean `applications`?"));
    }
}
