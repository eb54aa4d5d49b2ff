//! Texts with variables of the route's path, for requests and answers that a policy writes: `/v2/{id}`.

use std::borrow::Cow;

use lockgate_config::{Problem, Spanned};
use percent_encoding::percent_decode_str;

use crate::canonical::{PathError, canonical_path};

/// A text with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTemplate {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

impl TextTemplate {
    /// Reads a template whose variables are among `known`, the variables of the route's path; outside a route there are none.
    ///
    /// # Errors
    /// What is wrong with it, at the text.
    pub fn read(text: &Spanned<String>, known: &[&str]) -> Result<Self, Problem> {
        let unbalanced = || {
            Problem::new(
                &text.span,
                format!("`{}` has a brace without its partner", text.value),
            )
            .help("write a variable as `{name}`")
        };
        let mut pieces = Vec::new();
        let mut rest = text.value.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(unbalanced)?;
            if before.contains('}') || name.contains('{') {
                return Err(unbalanced());
            }
            let name = name.strip_prefix('*').unwrap_or(name);
            if !known.contains(&name) {
                return Err(unknown(text, name, known));
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Variable(name.to_owned()));
            rest = after;
        }
        if rest.contains('}') {
            return Err(unbalanced());
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// Reads a template of a path, which must be canonical whatever the variables are.
    ///
    /// # Errors
    /// What is wrong with it, at the text.
    pub fn read_path(text: &Spanned<String>, known: &[&str]) -> Result<Self, Problem> {
        let template = Self::read(text, known)?;
        let sample = template.fill(|_| Cow::Borrowed("x"));
        match canonical_path(&sample) {
            Ok(_) => Ok(template),
            Err(error) => {
                let problem = Problem::new(
                    &text.span,
                    format!("`{}` is not a canonical path: {error}", text.value),
                );
                Err(match error {
                    PathError::Relative => problem.help("start it with `/`"),
                    _ => problem
                        .help("write a path such as `/v2/{id}`, without `?`, `#` and dot segments"),
                })
            }
        }
    }

    /// The path that it gives with these variables, in canonical form (H8).
    ///
    /// # Errors
    /// The values make a path that has no canonical form.
    pub fn path(&self, variables: &[(&str, &str)]) -> Result<String, PathError> {
        let filled = self.fill(|name| Cow::Borrowed(value(variables, name)));
        canonical_path(&filled).map(Cow::into_owned)
    }

    /// The text that it gives with the values of these variables, unescaped.
    pub fn text(&self, variables: &[(&str, &str)]) -> String {
        self.fill(|name| percent_decode_str(value(variables, name)).decode_utf8_lossy())
    }

    fn fill<'a>(&self, value: impl Fn(&str) -> Cow<'a, str>) -> String {
        self.pieces.iter().fold(String::new(), |mut out, piece| {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable(name) => out.push_str(&value(name)),
            }
            out
        })
    }
}

/// The base of a version is also a path of its routes for any path, without the variable of the rest: that is empty then.
fn value<'a>(variables: &[(&str, &'a str)], name: &str) -> &'a str {
    let found = variables.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, value)| value)
}

fn unknown(text: &Spanned<String>, name: &str, known: &[&str]) -> Problem {
    if known.is_empty() {
        return Problem::new(
            &text.span,
            format!("unknown variable `{name}`: only a route whose path has variables gives some"),
        )
        .help(format!(
            "write the policy at a route whose `match` has a path such as `/{{{name}}}`"
        ));
    }
    Problem::unknown(&text.span, "variable", name, known)
}
