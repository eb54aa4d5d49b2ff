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

use http::{Method, StatusCode, header};
use lockgate_config::{ByteSize, OnError, PolicyEntry, Problem, Spanned, decode};
use lockgate_inspection::json;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::env::Env;
use crate::openapi::{
    Complaint, Content, Form, Given, Match, Operation, Operations, Pair, Parameter, Place, Reading,
    Source, Unmatched, cut,
};
use crate::payload::{self, ENCODED};
use crate::policy::{Compiled, Compiling, Kind, Origin, Phase, Policy};
use crate::reason::{BODY_TOO_LARGE, Reason};
use crate::request::{Body, RequestView, ResponseView};
use crate::verdict::{Effect, Refusal, ResponseVerdict, Verdict};

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

static REFUSED: Reason = Reason::new(
    "schema.refused",
    400,
    "Request does not match the API's description",
    "change what `detail` names as the API's reference says, and send the request again",
);
static UNLISTED: Reason = Reason::new(
    "schema.unlisted",
    404,
    "No such operation",
    "check the path against the API's reference",
);
static OTHER_METHOD: Reason = Reason::new(
    "schema.other_method",
    405,
    "Method not described",
    "use one of the methods named in the `Allow` field",
);
static MEDIA_TYPE: Reason = Reason::new(
    "schema.media_type",
    415,
    "Media type not accepted",
    "send one `Content-Type`, with one of the types that `detail` names",
);
static ANSWER: Reason = Reason::new(
    "schema.answer",
    502,
    "Answer does not match the API's description",
    "nothing is wrong with the request; tell the API's owner what `detail` says",
);

/// Whether something that the document does not list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unknown {
    /// It is refused.
    Refuse,
    /// It goes on.
    Pass,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Whether answers are judged too.
    response: bool,
    /// Requests to operations that the document does not list.
    unlisted: Unknown,
    /// Query parameters that the operation does not list; those of `securitySchemes` are always known.
    unlisted_parameters: Unknown,
    /// Properties that are `readOnly`, in requests. They are never required.
    read_only: Unknown,
    /// What stands before the document's paths; the version's `base` by default, `/` when they are written in full.
    prefix: Option<Spanned<String>>,
    /// The largest body that is looked at, of requests and of answers.
    up_to: ByteSize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            response: false,
            unlisted: Unknown::Refuse,
            unlisted_parameters: Unknown::Pass,
            read_only: Unknown::Refuse,
            prefix: None,
            up_to: ByteSize::new(1024 * 1024),
        }
    }
}

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
    let source = Source::read(&name, bytes)?;
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

fn document(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Result<Spanned<String>, Problem> {
    let span = entry.span.clone();
    match (compiling.openapi, compiling.origin) {
        (Some(name), _) => Ok(Spanned {
            span,
            value: name.to_owned(),
        }),
        (None, Origin::Gateway | Origin::Api { .. } | Origin::Model { .. }) => Err(Problem::new(
            &span,
            "the policy judges by the OpenAPI document of a version, and stands outside of one",
        )
        .help("move it into the `policies` of a version that names its document with `openapi:`")),
        (None, _) => Err(Problem::new(&span, "the version names no OpenAPI document")
            .help("write `openapi: file.yaml` in the version")),
    }
}

fn prefix(settings: &Settings, compiling: &Compiling<'_>) -> Result<String, Problem> {
    let written = settings.prefix.as_ref();
    if let Some(prefix) = written
        && (!prefix.starts_with('/') || prefix.contains(['{', '}']))
    {
        let message = format!("`{}` is not a path", prefix.value);
        return Err(Problem::new(&prefix.span, message).help("write a path such as `/orders/v1`"));
    }
    let prefix = written.map_or(compiling.version_base, |prefix| Some(prefix.as_str()));
    Ok(prefix.unwrap_or("/").trim_end_matches('/').to_owned())
}

/// Where a complaint belongs.
enum Part<'a> {
    Parameter(&'a Parameter),
    Body,
}

impl Part<'_> {
    const fn word(&self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Parameter(parameter) => match parameter.place {
                Place::Path => "path",
                Place::Query | Place::QueryString => "query",
                Place::Header(_) => "header",
                Place::Cookie => "cookie",
            },
        }
    }

    /// A refusal that says the place and what is wrong there (RFC 9457 §3 shows `errors`).
    fn refusal(&self, reason: &'static Reason, complaint: &Complaint) -> Box<Refusal> {
        let (word, pointer) = (self.word(), &complaint.pointer);
        let mut error =
            json!({ "in": word, "pointer": format!("#{pointer}"), "detail": complaint.what });
        let place = match self {
            Self::Body if pointer.is_empty() => "the body".to_owned(),
            Self::Body => format!("`{pointer}` of the body"),
            Self::Parameter(parameter) => {
                let name = cut(&parameter.name);
                if let Some(members) = error.as_object_mut() {
                    members.insert("name".into(), name.clone().into());
                }
                match pointer.as_str() {
                    "" => format!("`{name}` of the {word}"),
                    pointer => format!("`{pointer}` of `{name}` of the {word}"),
                }
            }
        };
        let detail = format!("{place} {}", complaint.what);
        Box::new(Refusal::new(reason, detail).member("errors", json!([error])))
    }
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

    fn judge_body(&self, operation: &Operation, request: &RequestView<'_>) -> Result<(), Verdict> {
        let Some(rule) = &operation.body else {
            let body = payload::readable_body(request, self.up_to)?;
            return if body.is_empty() {
                Ok(())
            } else {
                Err(Verdict::deny(&REFUSED, "this operation takes no body"))
            };
        };
        let absent = || {
            if rule.required {
                Err(Verdict::deny(&REFUSED, "the body is missing"))
            } else {
                Ok(())
            }
        };
        if matches!(
            request.body,
            Body::Absent | Body::Unread(Some(0)) | Body::Read([])
        ) {
            return absent();
        }
        let form = rule.content.form(request.headers);
        let form = form.map_err(|why| media_type(why, &rule.content))?;
        let json = rule.content.json();
        if matches!(form, Form::Opaque) && json.is_none() {
            return Ok(());
        }
        let body = payload::readable_body(request, self.up_to)?;
        if body.is_empty() {
            return absent();
        }
        let complain = |complaint| Verdict::Deny(Part::Body.refusal(&REFUSED, &complaint));
        form.check(body).map_err(complain)?;
        match json {
            // Services that do not look at `Content-Type` would read it as JSON.
            Some(json) if !matches!(form, Form::Json(..)) && json::looks_like_json(body) => {
                json.check(body).map_err(complain)
            }
            _ => Ok(()),
        }
    }

    fn judge_answer(
        &self,
        operation: &Operation,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
    ) -> Result<ResponseVerdict, Box<Refusal>> {
        let refuse = |detail: String| Err(Box::new(Refusal::new(&ANSWER, detail)));
        let status = response.status;
        let Some(answer) = operation.answer(status.as_u16()) else {
            return if status.is_success() {
                refuse(format!("the status {} is not listed", status.as_u16()))
            } else {
                Ok(ResponseVerdict::Pass)
            };
        };
        let given = Given {
            path: &[],
            query: &[],
            headers: response.headers,
            cookies: &[],
        };
        check_all(&answer.fields, &given, &ANSWER)?;
        let without_body = request.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if without_body || answer.content.is_empty() {
            return Ok(ResponseVerdict::Pass);
        }
        let form = match answer.content.form(response.headers) {
            Ok(Form::Opaque) => return Ok(ResponseVerdict::Pass),
            Ok(form) => form,
            Err(_) => {
                let listed = answer.content.listed();
                return refuse(format!("the answer has none of the types {listed}"));
            }
        };
        if response.headers.contains_key(header::CONTENT_ENCODING) {
            return Ok(ResponseVerdict::Undecided(
                "the answer is compressed".into(),
            ));
        }
        match response.body {
            None => Ok(ResponseVerdict::NeedBody(self.up_to)),
            Some(body) if body.len() > self.up_to => {
                Ok(ResponseVerdict::Undecided("the answer is too large".into()))
            }
            Some(body) => match form.check(body) {
                Ok(()) => Ok(ResponseVerdict::Pass),
                Err(complaint) => Err(Part::Body.refusal(&ANSWER, &complaint)),
            },
        }
    }
}

fn check_all(
    parameters: &[Parameter],
    given: &Given<'_>,
    reason: &'static Reason,
) -> Result<(), Box<Refusal>> {
    parameters.iter().try_for_each(|parameter| {
        parameter
            .check(given)
            .map_err(|complaint| Part::Parameter(parameter).refusal(reason, &complaint))
    })
}

fn media_type(why: Unmatched, content: &Content) -> Verdict {
    let why = match why {
        Unmatched::Absent => "the body has no `Content-Type`",
        Unmatched::Unreadable => "the `Content-Type` is not one media type",
        Unmatched::NotListed => "the `Content-Type` is not listed",
        Unmatched::Charset => "the body is not in UTF-8",
    };
    let listed = content.listed();
    let detail = format!("{why}; this operation takes {listed}");
    // RFC 9110 §12.5.1: in a 415, `Accept` says what would do.
    let accepted = listed.replace('`', "");
    let refusal = Refusal::new(&MEDIA_TYPE, detail).header(header::ACCEPT, &accepted);
    Verdict::Deny(Box::new(refusal))
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
            .and_then(|()| self.judge_body(operation, request));
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
            Match::Operation(operation, _) => self
                .judge_answer(operation, request, response)
                .unwrap_or_else(ResponseVerdict::Deny),
            _ => ResponseVerdict::Pass,
        }
    }
}
