//! Where the gateway of a case file stands.

use std::path::{Component, Path, PathBuf};

use lockgate_config::{Problem, Source, Spanned};

/// The gateway of a file, and its name.
pub fn source(
    file: &Path,
    written: Option<&Spanned<String>>,
    instead: Option<&Path>,
) -> Result<(String, Source), Vec<Problem>> {
    let name = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new(""));
    match (instead, written) {
        (Some(path), _) => Ok((path.display().to_string(), Source::file(path))),
        (None, Some(text)) if text.contains('\n') => {
            // Problems of the text then name the lines of this file.
            let lines = "\n".repeat(text.span.line.saturating_sub(1) as usize);
            let source = Source::Text {
                name: name.clone(),
                text: format!("{lines}{}", text.value),
                base: folder.to_owned(),
            };
            Ok((name, source))
        }
        (None, Some(path)) => {
            let path = folder.join(&path.value);
            Ok((shown(&path), Source::file(path)))
        }
        (None, None) => Err(vec![
            Problem::in_file(name, "the field `gateway` is missing")
                .help("write the path of a gateway document, or give it with `--gateway`"),
        ]),
    }
}

/// A path as people write it: without steps down and up again. Only a name: through links it may lead elsewhere.
fn shown(path: &Path) -> String {
    let mut steps: Vec<Component<'_>> = Vec::new();
    for step in path.components() {
        match (steps.last(), step) {
            (Some(Component::Normal(_)), Component::ParentDir) => drop(steps.pop()),
            _ => steps.push(step),
        }
    }
    steps.iter().collect::<PathBuf>().display().to_string()
}
