//! A text with variables: `Summarise this for {{audience}}: {{text}}`.

use std::fmt;

/// The longest name of a variable, in bytes.
const LONGEST_NAME: usize = 128;
/// How much of what is no name is shown.
const SHOWN: usize = 40;

/// A text with variables. `\{{` stands for the braces themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextWithVariables {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

/// Where a text is no text with variables, from its start, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The line of the text, from 1.
    pub line: usize,
    /// The character of that line, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: TemplateFault,
}

/// What is wrong with a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateFault {
    /// `{{` without `}}`.
    Unclosed,
    /// What stands between the braces is no name; the start of it.
    NoName(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            TemplateFault::Unclosed => f.write_str("`{{` without `}}`")?,
            TemplateFault::NoName(name) => write!(f, "`{{{{{name}}}}}` is no variable")?,
        }
        write!(
            f,
            " at character {} of line {} of the text",
            self.column, self.line
        )
    }
}

impl std::error::Error for TemplateError {}

impl TextWithVariables {
    /// Reads a text.
    ///
    /// # Errors
    /// The first place that is neither text nor a variable.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let (mut said, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            if let Some(before) = before.strip_suffix('\\') {
                said.push_str(before);
                said.push_str("{{");
                rest = after;
                continue;
            }
            said.push_str(before);
            let fault = |what| {
                let at = text.len() - after.len() - 2;
                Err(place(text, at, what))
            };
            let Some((name, after)) = after.split_once("}}") else {
                return fault(TemplateFault::Unclosed);
            };
            let trimmed = name.trim();
            if !is_name(trimmed) {
                let shown = name.chars().take(SHOWN).collect();
                return fault(TemplateFault::NoName(shown));
            }
            if !said.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut said)));
            }
            pieces.push(Piece::Variable(trimmed.to_owned()));
            rest = after;
        }
        said.push_str(rest);
        if !said.is_empty() {
            pieces.push(Piece::Text(said));
        }
        Ok(Self { pieces })
    }

    /// The names of its variables, each as often as it stands there.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with these values, which are taken as they are: braces in them mean nothing.
    #[must_use]
    pub fn fill<'a>(&self, value: impl Fn(&str) -> &'a str) -> String {
        self.pieces.iter().fold(String::new(), |mut out, piece| {
            out.push_str(match piece {
                Piece::Text(text) => text,
                Piece::Variable(name) => value(name),
            });
            out
        })
    }

    /// The most bytes that it can become, when each variable has at most so many.
    #[must_use]
    pub fn most_bytes(&self, most: impl Fn(&str) -> usize) -> usize {
        self.pieces.iter().fold(0, |sum: usize, piece| {
            sum.saturating_add(match piece {
                Piece::Text(text) => text.len(),
                Piece::Variable(name) => most(name),
            })
        })
    }
}

/// Letters, digits, `-`, `_` and `.`, as all names in documents.
fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    name.len() <= LONGEST_NAME
        && first.is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn place(text: &str, at: usize, what: TemplateFault) -> TemplateError {
    let before = text.get(..at).unwrap_or(text);
    let (lines, last) = match before.rsplit_once('\n') {
        Some((lines, last)) => (lines.matches('\n').count() + 2, last),
        None => (1, before),
    };
    TemplateError {
        line: lines,
        column: last.chars().count() + 1,
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> String {
        let text = TextWithVariables::parse(text).unwrap();
        text.fill(|name| match name {
            "a" => "A",
            "b.c" => "{{a}} \\{{",
            _ => "?",
        })
    }

    #[test]
    fn variables_are_filled_and_all_else_stays() {
        assert_eq!(filled("{{a}}x{{ a }}"), "AxA");
        assert_eq!(filled(r#"{"x": {"y": {{a}}}}"#), r#"{"x": {"y": A}}"#);
        assert_eq!(filled("} {a} }} {"), "} {a} }} {");
        assert_eq!(filled("é\n{{a}}"), "é\nA");
    }

    #[test]
    fn a_value_is_never_a_template() {
        assert_eq!(filled("-{{b.c}}-"), "-{{a}} \\{{-");
    }

    #[test]
    fn braces_can_be_meant_as_they_are() {
        assert_eq!(filled(r"\{{a}} {{a}} \{{"), "{{a}} A {{");
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        for (text, message) in [
            (
                "{{a",
                "`{{` without `}}` at character 1 of line 1 of the text",
            ),
            (
                "{{a}}\nül {{}}",
                "`{{}}` is no variable at character 4 of line 2 of the text",
            ),
            (
                "\n\n{{a b}}",
                "`{{a b}}` is no variable at character 1 of line 3 of the text",
            ),
            (
                "{{{a}}}",
                "`{{{a}}` is no variable at character 1 of line 1 of the text",
            ),
        ] {
            let error = TextWithVariables::parse(text).unwrap_err();
            assert_eq!(error.to_string(), message, "{text}");
        }
    }

    #[test]
    fn what_it_can_become_is_known_before() {
        let text = TextWithVariables::parse("abc{{a}}{{a}}").unwrap();
        assert_eq!(text.most_bytes(|_| 10), 23);
        assert_eq!(text.most_bytes(|_| usize::MAX), usize::MAX);
        assert_eq!(text.variables().collect::<Vec<_>>(), ["a", "a"]);
    }
}
