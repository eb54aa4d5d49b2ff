//! # What it does
//! Replaces named fields of JSON answers, and what looks like a secret in any text, before the caller sees them.
//!
//! # When to use
//! A service answers with more than its callers should know, and cannot be changed today.
//!
//! # Example
//! ```yaml
//! - { id: privacy, kind: redact, fields: [ssn, /items/*/card], patterns: [card_number, email], expressions: ["EMP-[0-9]{6}"] }
//! ```
//!
//! # On failure
//! What cannot be looked at follows `on_error`, which is `deny`: the caller gets 503. That is an answer that is too large,
//! encoded, a stream, a part, or not text in UTF-8, and, when fields are named, one that is not JSON. The service is asked for
//! answers without encoding and for whole ones.

use bytes::Bytes;
use http::Method;
use http::header::{
    self, ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_LENGTH, ETAG, HeaderName, HeaderValue,
};
use lockgate_config::{AnyText, ByteSize, Each, OnError, PolicyEntry, Problem, Spanned, decode};
use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::masking::{FieldRule, Masks, Pattern, Shape};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::readable_answer::{Answer, text_of};
use crate::request::{RequestView, ResponseView};
use crate::verdict::{Effect, ResponseEdit, ResponseVerdict, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "redact",
    phase: Phase::Response,
    about: "Replaces named fields and what looks like a secret in answers.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[],
    schema: Settings::json_schema,
    compile,
};

/// The largest compiled expression, in bytes.
const EXPRESSION_BYTES: usize = 1024 * 1024;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Fields of JSON: a name, at any depth, or a pointer such as `/items/*/card` in which `*` is any name or index.
    fields: Option<Each<Spanned<String>>>,
    /// What is replaced wherever it stands: `card_number`, `email`.
    patterns: Option<Each<Shape>>,
    /// Regular expressions of what is replaced wherever it stands, without look-around and back-references.
    expressions: Option<Each<Spanned<String>>>,
    /// What takes the place.
    #[serde(default = "replacement")]
    replacement: AnyText,
    /// The largest answer.
    #[serde(default = "up_to")]
    up_to: ByteSize,
}

fn replacement() -> AnyText {
    AnyText("[redacted]".to_owned())
}

const fn up_to() -> ByteSize {
    ByteSize::new(1024 * 1024)
}

#[derive(Debug)]
struct Redact {
    masks: Masks,
    up_to: usize,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut masks = Masks {
        fields: Vec::new(),
        patterns: Vec::new(),
        replacement: settings.replacement.0,
    };
    for name in settings.fields.into_iter().flatten() {
        if name.as_str() == "/" {
            problems.push(
                Problem::new(&name.span, format!("`{}` names no field", name.value))
                    .help("write a name such as `ssn`, or a pointer such as `/items/*/card`"),
            );
        }
        masks.fields.push(FieldRule::read(&name));
    }
    let shapes = settings.patterns.into_iter().flatten();
    masks.patterns.extend(shapes.map(Pattern::Shape));
    for text in settings.expressions.into_iter().flatten() {
        match expression(&text) {
            Ok(regex) => masks.patterns.push(Pattern::Expression(regex)),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() && masks.fields.is_empty() && masks.patterns.is_empty() {
        let message = format!("the policy `{}` replaces nothing", entry.id.value);
        problems.push(
            Problem::new(&entry.span, message).help("write `fields`, `patterns` or `expressions`"),
        );
    }
    if problems.is_empty() {
        Ok(Box::new(Redact {
            masks,
            up_to: settings.up_to.as_usize(),
        }))
    } else {
        Err(problems)
    }
}

fn expression(text: &Spanned<String>) -> Result<Regex, Problem> {
    let built = RegexBuilder::new(text).size_limit(EXPRESSION_BYTES).build();
    match built {
        Ok(regex) if regex.is_match("") => Err(Problem::new(
            &text.span,
            format!("`{}` finds the empty text, which is everywhere", text.value),
        )
        .help("write an expression that needs at least one character")),
        Ok(regex) => Ok(regex),
        Err(regex::Error::CompiledTooBig(_)) => Err(Problem::new(
            &text.span,
            format!("`{}` is too large", text.value),
        )
        .help("repeat less: a bound such as `{1,64}` in place of `{1,9999}`")),
        Err(error) => {
            let error = error.to_string();
            let what = error.lines().last().unwrap_or_default();
            let what = what.strip_prefix("error: ").unwrap_or(what);
            Err(Problem::new(
                &text.span,
                format!("this is not a regular expression: {what}"),
            )
            .help("write one such as `EMP-[0-9]{6}`"))
        }
    }
}

/// Fields that speak of the very bytes of the service's answer (RFC 9110 §8.8.3, RFC 9530, RFC 9421).
fn about_bytes() -> impl Iterator<Item = HeaderName> {
    let further = [
        "content-md5",
        "content-digest",
        "repr-digest",
        "digest",
        "signature",
        "signature-input",
    ];
    let further = further.into_iter().map(HeaderName::from_static);
    [CONTENT_LENGTH, ETAG, ACCEPT_RANGES]
        .into_iter()
        .chain(further)
}

impl Policy for Redact {
    fn evaluate(&self, _: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let plain = HeaderValue::from_static("identity");
        Verdict::Allow(
            [
                Effect::SetRequestHeader(ACCEPT_ENCODING, plain),
                Effect::RemoveRequestHeader(header::RANGE),
                Effect::RemoveRequestHeader(header::IF_RANGE),
            ]
            .into_iter()
            .collect(),
        )
    }

    fn sees_responses(&self) -> bool {
        true
    }

    fn judge_response(
        &self,
        request: &RequestView<'_>,
        response: &ResponseView<'_>,
        _: &mut Env<'_>,
    ) -> ResponseVerdict {
        let text = match text_of(request, response, self.up_to) {
            Ok(Answer::Text(text)) => text,
            // The length, and a tag, of what `GET` does not give.
            Ok(Answer::Empty) if *request.method == Method::HEAD => {
                return ResponseVerdict::Edit(about_bytes().map(ResponseEdit::Remove).collect());
            }
            Ok(Answer::Empty) => return ResponseVerdict::Pass,
            Err(verdict) => return verdict,
        };
        match self.masks.apply(text) {
            Ok(None) => ResponseVerdict::Pass,
            Ok(Some(masked)) => {
                let body = ResponseEdit::Body(Bytes::from(masked));
                let fields = about_bytes().map(ResponseEdit::Remove);
                ResponseVerdict::Edit([body].into_iter().chain(fields).collect())
            }
            Err(_) => {
                ResponseVerdict::Undecided("the answer is not JSON, and fields are named".into())
            }
        }
    }
}
