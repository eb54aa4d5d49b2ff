//! Text to [`Node`]s: the part of YAML 1.2 that JSON can express, so that what a reader sees is what the gateway does.
//!
//! Refused on purpose: anchors and aliases (a short file must not expand to a large one), tags, several documents in a file,
//! names that are not text, and repeated names.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan};

use crate::node::{Key, Node, Span, Value};
use crate::problem::Problem;

/// How deep lists and mappings may nest.
const MAX_DEPTH: usize = 64;

/// With fewer names in a mapping, looking at each is quicker than a table of them.
const FEW: usize = 16;

/// Parses one file. An empty text is an empty mapping.
///
/// # Errors
/// The first thing that is not YAML, or that this contract refuses, with its position.
pub fn parse(file: &str, text: &str) -> Result<Node, Problem> {
    let file: Arc<str> = Arc::from(file);
    let mut builder = Builder {
        file: file.clone(),
        stack: Vec::new(),
        root: None,
    };
    let mut documents = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = Span {
                file: file.clone(),
                line: line_of(error.marker().line()),
                column: column_of(error.marker().col()),
            };
            let problem = Problem::new(&at, format!("this is not YAML: {}", error.info()));
            if error.info().contains("tab") {
                problem.help("indent with spaces")
            } else {
                problem
            }
        })?;
        if let Event::DocumentStart(_) = event {
            documents += 1;
            if documents > 1 {
                return Err(
                    Problem::new(&builder.span(span), "a second document starts here")
                        .help("write one document per file and join files with `include`"),
                );
            }
        }
        builder.event(event, span)?;
    }
    let empty = Node {
        span: Span {
            file,
            line: 1,
            column: 1,
        },
        value: Value::Map(Arc::default()),
    };
    Ok(match builder.root {
        Some(Node {
            value: Value::Null, ..
        })
        | None => empty,
        Some(node) => node,
    })
}

enum Open {
    List(Span, Vec<Node>),
    Map {
        span: Span,
        entries: Vec<(Key, Node)>,
        /// Where names stand, once there are too many to look at each.
        seen: HashMap<String, u32>,
        pending: Option<Key>,
    },
}

struct Builder {
    file: Arc<str>,
    stack: Vec<Open>,
    root: Option<Node>,
}

impl Builder {
    fn span(&self, span: ParserSpan) -> Span {
        Span {
            file: self.file.clone(),
            line: line_of(span.start.line()),
            column: column_of(span.start.col()),
        }
    }

    fn event(&mut self, event: Event<'_>, at: ParserSpan) -> Result<(), Problem> {
        let span = self.span(at);
        match event {
            Event::Alias(_) => Err(Problem::new(&span, "aliases are not supported")
                .help("put what is shared in an outer scope: the gateway, the API or the version")),
            Event::Scalar(text, style, anchor, tag) => {
                refuse_extras(&span, anchor, tag.is_some())?;
                let value = if style == ScalarStyle::Plain {
                    plain(&text)
                } else {
                    Value::Text(text.into_owned())
                };
                self.add(Node { span, value })
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_extras(&span, anchor, tag.is_some())?;
                self.open(Open::List(span, Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_extras(&span, anchor, tag.is_some())?;
                self.open(Open::Map {
                    span,
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    pending: None,
                })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Open::List(span, items)) => self.add(Node {
                    span,
                    value: Value::List(items.into()),
                }),
                Some(Open::Map { span, entries, .. }) => self.add(Node {
                    span,
                    value: Value::Map(entries.into()),
                }),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            let (Open::List(span, _) | Open::Map { span, .. }) = &open;
            return Err(Problem::new(
                span,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.stack.push(open);
        Ok(())
    }

    fn add(&mut self, node: Node) -> Result<(), Problem> {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map {
                entries,
                seen,
                pending,
                ..
            }) => match pending.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let name = name_of(&node)?;
                    if entries.len() == FEW {
                        let names = entries
                            .iter()
                            .map(|(key, _)| (key.name.clone(), key.span.line));
                        seen.extend(names);
                    }
                    let first = if entries.len() < FEW {
                        let same = entries.iter().find(|(key, _)| key.name == name);
                        same.map(|(key, _)| key.span.line)
                    } else {
                        seen.insert(name.clone(), node.span.line)
                    };
                    if let Some(first) = first {
                        return Err(
                            Problem::new(&node.span, format!("`{name}` is written twice"))
                                .help(format!("it first stands at line {first}; keep one")),
                        );
                    }
                    *pending = Some(Key {
                        name,
                        span: node.span,
                    });
                }
            },
        }
        Ok(())
    }
}

fn name_of(node: &Node) -> Result<String, Problem> {
    match &node.value {
        Value::Text(name) if name == "<<" => {
            Err(Problem::new(&node.span, "merge keys are not supported")
                .help("put what is shared in an outer scope: the gateway, the API or the version"))
        }
        Value::Text(name) => Ok(name.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        _ => Err(Problem::new(
            &node.span,
            format!("a name must be text, not {}", node.describe()),
        )),
    }
}

fn refuse_extras(span: &Span, anchor: usize, tagged: bool) -> Result<(), Problem> {
    if anchor > 0 {
        return Err(Problem::new(span, "anchors are not supported")
            .help("put what is shared in an outer scope: the gateway, the API or the version"));
    }
    if tagged {
        return Err(Problem::new(span, "tags such as `!name` are not supported")
            .help("write the plain value"));
    }
    Ok(())
}

/// YAML 1.2 core schema (§10.3.2) for plain scalars, without octal and hexadecimal: a number means what it looks like.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit()) && !leading_zero;
    if numeric && let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    let float_shaped = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if numeric
        && float_shaped
        && let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return Value::Float(number);
    }
    Value::Text(text.to_owned())
}

fn line_of(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn column_of(column: usize) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1)
}
