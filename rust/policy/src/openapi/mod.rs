//! OpenAPI documents (3.0, 3.1 and 3.2) as the policies that judge by them see them.
//!
//! Reading a document fetches nothing: references to other files and addresses are refused (F23). Judging by it takes time in
//! proportion to the request, whatever patterns and schemas it holds (F1).

mod compile;
mod compiled;
mod definitions;
mod discriminator;
mod keywords;
mod media;
mod operation;
mod parameter;
mod pass;
mod path;
mod pointer;
mod rules;
mod shape;
mod side;
mod source;
mod structure;
mod translate;
mod validator;
mod words;

use std::collections::{HashMap, HashSet};

use http::{HeaderMap, Method};
use lockgate_config::Problem;
use serde_json::Value;

pub use media::{Content, Form, Unmatched};
pub use operation::Operation;
pub use parameter::{Given, Pair, Parameter, Place};
pub use side::Side;
pub use source::Source;
pub use structure::read;
pub use words::{Complaint, cut};

use crate::router::{Conditions, Found, Router, Template};
use operation::{Reader, path_names};
use path::Path;
use pointer::join;

/// The operations of a document.
#[derive(Debug)]
pub struct Operations {
    /// From paths to groups of items that differ only within segments.
    router: Router,
    groups: Vec<Vec<Item>>,
}

#[derive(Debug)]
struct Item {
    path: Path,
    operations: Vec<(Method, Operation)>,
}

/// What a document says of a request.
pub enum Match<'o, 'p> {
    /// The operation, and the variables of its path.
    Operation(&'o Operation, Vec<(&'p str, &'p str)>),
    /// The path has other methods.
    OtherMethods(Vec<&'o Method>),
    /// The path is not listed.
    Nothing,
}

/// What is read of a document.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Whether properties that are `readOnly` are refused in requests.
    pub refuse_read_only: bool,
    /// Whether answers are judged.
    pub answers: bool,
    /// The routes that requests come by, as a path template; all when absent.
    pub under: Option<&'a str>,
    /// What stands before the document's paths.
    pub prefix: &'a str,
}

impl Operations {
    /// Reads the operations of a document.
    ///
    /// # Errors
    /// Every problem found.
    pub fn read(source: &Source, reading: Reading<'_>) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader {
            source,
            side: Side::Request {
                refuse_read_only: reading.refuse_read_only,
            },
            answers: reading.answers,
            problems: Vec::new(),
        };
        let mut read = Self {
            router: Router::default(),
            groups: Vec::new(),
        };
        let mut groups = HashMap::new();
        let paths = source.at("/paths").and_then(Value::as_object);
        for text in paths.into_iter().flat_map(|paths| paths.keys()) {
            if text.starts_with("x-") {
                continue;
            }
            let pointer = join("/paths", text);
            let path = match Path::parse(text) {
                Ok(path) => path,
                Err(message) => {
                    reader.problems.push(source.problem(&pointer, message));
                    continue;
                }
            };
            let widened = path.widened();
            let full = format!("{}{widened}", reading.prefix);
            if reading.under.is_some_and(|under| !overlap(under, &full)) {
                continue;
            }
            let template = match Template::parse(&widened) {
                Ok(template) => template,
                Err(message) => {
                    reader.problems.push(source.problem(&pointer, message));
                    continue;
                }
            };
            let operations = reader.path_item(&pointer);
            for name in operations.iter().flat_map(|(_, one)| path_names(one)) {
                if !path.names().any(|known| known == name) {
                    let message = format!("the path `{text}` has no variable `{}`", cut(name));
                    reader.problems.push(source.problem(&pointer, message));
                }
            }
            let group = *groups.entry(shape_of(&widened)).or_insert_with(|| {
                read.router
                    .add(None, &template, Conditions::default(), read.groups.len());
                read.groups.push(Vec::new());
                read.groups.len() - 1
            });
            if let Some(group) = read.groups.get_mut(group) {
                group.push(Item { path, operations });
                // The most text first: `{name}.json` before `{name}`.
                group.sort_by_key(|item| std::cmp::Reverse(item.path.text_bytes()));
            }
        }
        // Operations share schemas, and with them what is wrong.
        let mut told = HashSet::new();
        reader
            .problems
            .retain(|problem| told.insert(problem.to_string()));
        if reader.problems.is_empty() {
            Ok(read)
        } else {
            Err(reader.problems)
        }
    }

    /// Whether there is no operation at all.
    pub fn is_empty(&self) -> bool {
        let mut items = self.groups.iter().flatten();
        items.all(|item| item.operations.is_empty())
    }

    /// The operation of a request; `path` is canonical and without what stands before the document's paths.
    pub fn find<'o, 'p>(&'o self, method: &Method, path: &'p str) -> Match<'o, 'p>
    where
        'o: 'p,
    {
        let none = HeaderMap::new();
        let Found::Route(at) = self.router.find("", path, method, &none) else {
            return Match::Nothing;
        };
        let group = self.groups.get(at).map_or(&[][..], Vec::as_slice);
        let fitting = group
            .iter()
            .find_map(|item| Some((item, item.path.variables(path)?)));
        let Some((item, variables)) = fitting else {
            return Match::Nothing;
        };
        let of = |wanted: &Method| {
            let found = item.operations.iter().find(|(known, _)| known == wanted);
            found.map(|(_, operation)| operation)
        };
        // HEAD asks for what GET would answer (RFC 9110 §9.3.2).
        let head = || of(&Method::GET).filter(|_| method == Method::HEAD);
        match of(method).or_else(head) {
            Some(operation) => Match::Operation(operation, variables),
            None => Match::OtherMethods(item.operations.iter().map(|(known, _)| known).collect()),
        }
    }
}

/// A template without the names of its variables.
fn shape_of(template: &str) -> String {
    let segments = template.split('/').map(|segment| match segment {
        variable if variable.starts_with('{') => "{}",
        text => text,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Whether some path fits both templates. A variable fits any segment, `{*rest}` any end.
fn overlap(one: &str, other: &str) -> bool {
    let mut left = one.trim_start_matches('/').split('/');
    let mut right = other.trim_start_matches('/').split('/');
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(rest), _) if rest.starts_with("{*") => return true,
            (Some(a), Some(b)) if a == b || a.starts_with('{') || b.starts_with('{') => {}
            _ => return false,
        }
    }
}
