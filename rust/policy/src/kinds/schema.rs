//! # What it does
//! Judges requests by the API's OpenAPI document (3.0, 3.1 or 3.2): path, query, header and cookie parameters, and JSON and form
//! bodies. With `response: true` also the answers of the service.
//!
//! # When to use
//! Wherever a version names its document with `openapi:`. Schemas that are closed (`additionalProperties: false`) and properties that
//! are `readOnly` then keep callers from setting what they may not (mass assignment).
//!
//! # Example
//! ```yaml
//! - { id: contract, kind: schema, response: true }
//! ```
//!
//! # On failure
//! 400 with the place and what was expected there, never the value; 404 and 405 for what the document does not list, unless
//! `unlisted: pass`; 413 for a body larger than `up_to`; 415 for a type that the document does not list and for a compressed body;
//! 502 for an answer that breaks the document. CORS preflights to a listed path pass. Bodies of other types than JSON and
//! `application/x-www-form-urlencoded` are not looked at; one that looks like JSON is judged as JSON where the operation takes JSON
//! too, for which bodies of all types are read there, up to `up_to`.
//! An answer with a status that is not listed is refused when it is 2xx. Answers that are too large or compressed cannot be judged:
//! `on_error` decides. Services are asked for answers that are not compressed.

mod answer;
mod body;
mod complaint;
mod reasons;
mod settings;

use http::{Method, StatusCode, header};
use lockgate_config::{OnError, PolicyEntry, Problem, decode};
use schemars::JsonSchema;

use crate::env::Env;
use crate::openapi::{self, Given, Match, Operation, Operations, Pair, Reading, cut};
use crate::payload::ENCODED;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::BODY_TOO_LARGE;
use crate::request::{RequestView, ResponseView};
use crate::verdict::{Effect, Refusal, ResponseVerdict, Verdict};

use answer::judge_answer;
use body::judge_body;
use complaint::check_all;
use reasons::{ANSWER, MEDIA_TYPE, OTHER_METHOD, REFUSED, UNLISTED};
use settings::{Settings, Unknown, document, prefix};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "schema",
    phase: Phase::Payload,
    about: "Judges requests, and answers when asked to, by the API's OpenAPI document.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[
        &REFUSED,
        &UNLISTED,
        &OTHER_METHOD,
        &MEDIA_TYPE,
        &ANSWER,
        &ENCODED,
        &BODY_TOO_LARGE,
    ],
    schema: Settings::json_schema,
    compile,
};

#[derive(Debug)]
struct Schema {
    operations: Operations,
    prefix: String,
    response: bool,
    unlisted: Unknown,
    unlisted_parameters: Unknown,
    up_to: usize,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let one = |problem| vec![problem];
    let name = document(entry, compiling).map_err(one)?;
    let prefix = prefix(&settings, compiling).map_err(one)?;
    let bytes = compiling.read_file(&name).map_err(one)?;
    let source = openapi::read(&name, bytes)?;
    let under = compiling.template.map(ToString::to_string);
    let operations = Operations::read(
        &source,
        Reading {
            refuse_read_only: settings.read_only == Unknown::Refuse,
            answers: settings.response,
            under: under.as_deref(),
            prefix: &prefix,
        },
    )?;
    if operations.is_empty() {
        let place = under.map_or_else(String::new, |template| format!(" for `{template}`"));
        return Err(vec![
            Problem::new(
                &entry.span,
                format!("`{}` has no operation{place}", name.value),
            )
            .help("check the paths of the document; they stand behind `prefix`, the version's `base` by default"),
        ]);
    }
    Ok(Box::new(Schema {
        operations,
        prefix,
        response: settings.response,
        unlisted: settings.unlisted,
        unlisted_parameters: settings.unlisted_parameters,
        up_to: settings.up_to.as_usize(),
    }))
}

impl Schema {
    fn find<'s: 'r, 'r>(&'s self, request: &RequestView<'r>) -> Match<'s, 'r> {
        let path = request.path.strip_prefix(self.prefix.as_str());
        match path {
            Some("") => self.operations.find(request.method, "/"),
            Some(path) if path.starts_with('/') => self.operations.find(request.method, path),
            _ => Match::Nothing,
        }
    }

    fn unlisted(&self, refusal: impl FnOnce() -> Refusal) -> Verdict {
        match self.unlisted {
            Unknown::Pass => Verdict::Pass,
            Unknown::Refuse => Verdict::Deny(Box::new(refusal())),
        }
    }

    fn judge_parameters(
        &self,
        operation: &Operation,
        variables: &[(&str, &str)],
        request: &RequestView<'_>,
    ) -> Result<(), Verdict> {
        let query: Vec<Pair<'_>> = request.query_pairs().collect();
        let cookies: Vec<(&[u8], &[u8])> = request.cookies().collect();
        let given = Given {
            path: variables,
            query: &query,
            headers: request.headers,
            cookies: &cookies,
        };
        check_all(&operation.parameters, &given, &REFUSED).map_err(Verdict::Deny)?;
        if self.unlisted_parameters == Unknown::Pass {
            return Ok(());
        }
        let known = |name: &str| {
            operation.credentials.iter().any(|known| known == name)
                || operation
                    .parameters
                    .iter()
                    .any(|parameter| parameter.takes(name))
        };
        match query.iter().find(|(name, _)| !known(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("`{}` of the query is not listed", cut(name));
                Err(Verdict::deny(&REFUSED, detail))
            }
        }
    }
}

/// A browser's question whether a call may be made (Fetch §3.2.2); the call itself is judged.
fn is_preflight(request: &RequestView<'_>) -> bool {
    request.method == Method::OPTIONS
        && request.headers.contains_key(header::ORIGIN)
        && request
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl Policy for Schema {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let (operation, variables) = match self.find(request) {
            Match::Operation(operation, variables) => (operation, variables),
            Match::OtherMethods(_) if is_preflight(request) => return Verdict::Pass,
            Match::OtherMethods(methods) => {
                let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
                return self.unlisted(|| {
                    let detail = format!("this path takes `{}`", names.join("`, `"));
                    Refusal::new(&OTHER_METHOD, detail).header(header::ALLOW, &names.join(", "))
                });
            }
            Match::Nothing => {
                return self.unlisted(|| Refusal::new(&UNLISTED, "no operation has this path"));
            }
        };
        let judged = self
            .judge_parameters(operation, &variables, request)
            .and_then(|()| judge_body(operation, request, self.up_to));
        match judged {
            Err(verdict) => verdict,
            Ok(()) if self.response => {
                // Compressed answers cannot be judged.
                Verdict::Allow(smallvec::smallvec![Effect::RemoveRequestHeader(
                    header::ACCEPT_ENCODING
                )])
            }
            Ok(()) => Verdict::allow(),
        }
    }

    fn sees_responses(&self) -> bool {
        self.response
    }

    fn judge_response(
        &self,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        _: &mut Env<'_>,
    ) -> ResponseVerdict {
        // An unchanged answer was judged when it was first sent; the others have no content.
        if response.status.is_informational() || response.status == StatusCode::NOT_MODIFIED {
            return ResponseVerdict::Pass;
        }
        match self.find(request) {
            Match::Operation(operation, _) => {
                judge_answer(operation, request, response, self.up_to)
                    .unwrap_or_else(ResponseVerdict::Deny)
            }
            _ => ResponseVerdict::Pass,
        }
    }
}
