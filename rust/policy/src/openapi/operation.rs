//! Operations: which one a request asks for, and what it may hold.

use std::collections::HashMap;

use http::Method;
use lockgate_config::Problem;
use serde_json::Value;

use super::media::Content;
use super::parameter::{Parameter, Place};
use super::pointer::join;
use super::side::Side;
use super::source::Source;

/// The fields of a path item that are operations (OpenAPI 3.2.0 §4.9).
const METHODS: [&str; 9] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];

/// What a document says of one method of one path.
#[derive(Debug)]
pub struct Operation {
    /// What stands beside the body.
    pub parameters: Vec<Parameter>,
    /// The body, when there may be one.
    pub body: Option<Body>,
    /// Query parameters that carry a credential, which no parameter describes.
    pub credentials: Vec<String>,
    /// Answers by status, when they are judged.
    answers: HashMap<String, Answer>,
}

/// A request body.
#[derive(Debug)]
pub struct Body {
    /// Whether it must be there.
    pub required: bool,
    /// What it may be.
    pub content: Content,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its fields.
    pub fields: Vec<Parameter>,
    /// What its body may be.
    pub content: Content,
}

impl Operation {
    /// The answer that is described for a status: by its number, its class, or as `default`.
    pub fn answer(&self, status: u16) -> Option<&Answer> {
        let class = format!("{}XX", status / 100);
        self.answers
            .get(&status.to_string())
            .or_else(|| self.answers.get(&class))
            .or_else(|| self.answers.get("default"))
    }
}

/// Reads operations and gathers what is wrong.
pub(super) struct Reader<'a> {
    pub source: &'a Source,
    pub side: Side,
    pub answers: bool,
    pub problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The operations of the path item at `pointer`.
    pub fn path_item(&mut self, pointer: &str) -> Vec<(Method, Operation)> {
        let source = self.source;
        let (pointer, item) = match source.follow(pointer) {
            Ok(found) => found,
            Err(problem) => {
                self.problems.push(problem);
                return Vec::new();
            }
        };
        let shared = self.parameters(&join(&pointer, "parameters"));
        let own = METHODS
            .iter()
            .map(|name| (name.to_uppercase(), join(&pointer, name)));
        let additional = join(&pointer, "additionalOperations");
        let further = item.get("additionalOperations").and_then(Value::as_object);
        let further = further.into_iter().flat_map(|named| named.keys());
        let further = further.map(|name| (name.clone(), join(&additional, name)));
        let mut operations = Vec::new();
        for (name, at) in own.chain(further) {
            if source.at(&at).is_none() {
                continue;
            }
            match Method::from_bytes(name.as_bytes()) {
                Ok(method) => operations.push((method, self.operation(&at, &shared))),
                Err(_) => {
                    let problem = source.problem(&at, "this is not a method");
                    self.problems.push(problem);
                }
            }
        }
        operations
    }

    /// The pointers of a list of parameters.
    fn parameters(&self, pointer: &str) -> Vec<String> {
        let list = self.source.at(pointer).and_then(Value::as_array);
        (0..list.map_or(0, Vec::len))
            .map(|at| join(pointer, &at.to_string()))
            .collect()
    }

    fn operation(&mut self, pointer: &str, shared: &[String]) -> Operation {
        let mut parameters: Vec<Parameter> = Vec::new();
        // An operation's own parameter takes the place of the path's (OpenAPI 3.2.0 §4.10.1).
        for at in self
            .parameters(&join(pointer, "parameters"))
            .iter()
            .chain(shared)
        {
            match Parameter::read(self.source, at, self.side) {
                Ok(Some(read)) => {
                    let known =
                        |other: &Parameter| other.name == read.name && other.place == read.place;
                    if !parameters.iter().any(known) {
                        parameters.push(read);
                    }
                }
                Ok(None) => {}
                Err(mut found) => self.problems.append(&mut found),
            }
        }
        Operation {
            parameters,
            body: self.body(&join(pointer, "requestBody")),
            credentials: self.credentials(),
            answers: if self.answers {
                self.answers(&join(pointer, "responses"))
            } else {
                HashMap::new()
            },
        }
    }

    fn body(&mut self, pointer: &str) -> Option<Body> {
        self.source.at(pointer)?;
        let followed = self.source.follow(pointer);
        let (pointer, body) = followed
            .map_err(|problem| self.problems.push(problem))
            .ok()?;
        let required = body.get("required") == Some(&Value::Bool(true));
        let content = self.content(&join(&pointer, "content"), self.side);
        if content.is_empty() && self.problems.is_empty() {
            let problem = self.source.problem(&pointer, "the body has no `content`");
            self.problems
                .push(problem.help("write a media type and its schema"));
        }
        Some(Body { required, content })
    }

    fn content(&mut self, pointer: &str, side: Side) -> Content {
        Content::read(self.source, pointer, side).unwrap_or_else(|mut found| {
            self.problems.append(&mut found);
            Content::default()
        })
    }

    fn credentials(&mut self) -> Vec<String> {
        let schemes = "/components/securitySchemes";
        let listed = self.source.at(schemes).and_then(Value::as_object);
        let mut credentials = Vec::new();
        for name in listed.into_iter().flat_map(|listed| listed.keys()) {
            match self.source.follow(&join(schemes, name)) {
                Ok((_, scheme)) => {
                    let text = |name: &str| scheme.get(name).and_then(Value::as_str);
                    if let (Some("query"), Some(name)) = (text("in"), text("name")) {
                        credentials.push(name.to_owned());
                    }
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        credentials
    }

    fn answers(&mut self, pointer: &str) -> HashMap<String, Answer> {
        let listed = self.source.at(pointer).and_then(Value::as_object);
        let mut answers = HashMap::new();
        for status in listed.into_iter().flat_map(|listed| listed.keys()) {
            if status.starts_with("x-") {
                continue;
            }
            match self.source.follow(&join(pointer, status)) {
                Ok((at, _)) => {
                    let answer = self.answer(&at);
                    answers.insert(status.to_uppercase().replace("DEFAULT", "default"), answer);
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        answers
    }

    fn answer(&mut self, pointer: &str) -> Answer {
        let headers = join(pointer, "headers");
        let listed = self.source.at(&headers).and_then(Value::as_object);
        let mut fields = Vec::new();
        for name in listed.into_iter().flat_map(|listed| listed.keys()) {
            // The media type is judged with the body (OpenAPI 3.2.0 §4.17.1).
            if name.eq_ignore_ascii_case("content-type") {
                continue;
            }
            match Parameter::of_answer(self.source, &join(&headers, name), name) {
                Ok(field) => fields.push(field),
                Err(mut found) => self.problems.append(&mut found),
            }
        }
        Answer {
            fields,
            content: self.content(&join(pointer, "content"), Side::Response),
        }
    }
}

/// The names of the path parameters that a list describes.
pub(super) fn path_names(operation: &Operation) -> impl Iterator<Item = &str> {
    let parameters = operation.parameters.iter();
    parameters
        .filter(|parameter| parameter.place == Place::Path)
        .map(|parameter| parameter.name.as_str())
}
