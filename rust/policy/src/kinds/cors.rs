//! # What it does
//! Lets pages of other origins call the API from a browser (Fetch standard, "CORS protocol"). It answers preflights itself,
//! before anyone is identified, because a preflight carries no credential; and it marks every other answer, refusals included,
//! as readable by the pages of allowed origins.
//!
//! # When to use
//! A page on another host calls the API. Without the policy browsers keep answers from such pages.
//!
//! # Example
//! ```yaml
//! - { id: pages, kind: cors, origins: ["https://shop.example.com", "https://*.example.com"], headers: [X-Api-Key], max_age: 1h }
//! ```
//!
//! # On failure
//! A preflight of another origin, or for a method or field that is not allowed, gets 403 and no CORS fields. Other requests of
//! other origins are answered without CORS fields: the policy protects readers, it is no access control. What the service says
//! itself about CORS is removed. `when` sees no caller, and `percent` counts addresses.

use http::header::{
    self, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};
use lockgate_config::{Duration, Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::origin::{Origins, read_origins};
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::preflight::{asked_method, only};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Effect, Effects, Refusal, Reply, ResponseEdit, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "cors",
    phase: Phase::Mediate,
    about: "Lets pages of other origins call the API from a browser, and answers preflights.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&ORIGIN_REFUSED, &METHOD_REFUSED, &HEADER_REFUSED],
    schema: Settings::json_schema,
    compile,
};

static ORIGIN_REFUSED: Reason = Reason::new(
    "cors.origin_not_allowed",
    403,
    "Origin not allowed",
    "call from a page of an allowed origin or from a server, or ask the API's owner to allow this origin",
);
static METHOD_REFUSED: Reason = Reason::new(
    "cors.method_not_allowed",
    403,
    "Method not allowed for pages",
    "use one of the methods that `detail` names, or ask the API's owner to allow this one for pages",
);
static HEADER_REFUSED: Reason = Reason::new(
    "cors.header_not_allowed",
    403,
    "Field not allowed for pages",
    "leave out the field that `detail` names, or ask the API's owner to allow it for pages",
);

/// What services may have said; the gateway says it alone.
const SAID_BY_SERVICES: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    ALLOW_PRIVATE_NETWORK,
];
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");

/// Fields of requests that need no permission (Fetch standard, "CORS-safelisted request-header"); browsers name those whose
/// value is out of the ordinary.
const SAFELISTED: &[&str] = &["accept", "accept-language", "content-language", "range"];
/// What pages send without being asked twice.
const USUAL_REQUEST: &[&str] = &["authorization", "content-type"];
/// What the gateway tells callers in fields.
const USUAL_RESPONSE: &str =
    "deprecation, link, ratelimit, ratelimit-policy, retry-after, sunset, x-lockgate-request-id";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Origins whose pages may call: `https://shop.example.com`, `https://*.example.com` for one more label, a port `:*` for any
    /// port, or `*` for every origin.
    origins: Each<Spanned<String>>,
    /// Methods that pages may use; those of the route by default.
    methods: Option<Each<Spanned<String>>>,
    /// Fields that pages may send, or `*`; `Authorization` and `Content-Type` by default.
    headers: Option<Each<Spanned<String>>>,
    /// Fields of answers that pages may read, or `*`; by default those in which the gateway speaks, such as `Retry-After`.
    expose: Option<Each<Spanned<String>>>,
    /// Whether browsers may send cookies and client certificates along.
    #[serde(default)]
    credentials: bool,
    /// How long browsers may remember a preflight.
    #[serde(default = "max_age")]
    max_age: Duration,
    /// Whether pages of public networks may call when the gateway stands in a private one.
    #[serde(default)]
    private_network: bool,
}

const fn max_age() -> Duration {
    Duration::from_secs(600)
}

#[derive(Debug)]
struct Cors {
    origins: Origins,
    /// Empty means those of the route.
    methods: Vec<Method>,
    headers: Fields,
    expose: HeaderValue,
    credentials: bool,
    max_age: HeaderValue,
    private_network: bool,
}

#[derive(Debug)]
enum Fields {
    Any,
    These(Vec<String>),
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let origins = read_origins(&settings.origins, &mut problems);
    let any = settings
        .origins
        .iter()
        .find(|origin| origin.as_str() == "*");
    if let Some(any) = any.filter(|_| settings.credentials) {
        let message = "every page on the web could act as its visitor: `*` with `credentials`";
        problems.push(
            Problem::new(&any.span, message).help("list the origins, or take `credentials` out"),
        );
    }
    let headers = match &settings.headers {
        None => Fields::These(
            USUAL_REQUEST
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
        ),
        Some(names) => match fields(names, &mut problems) {
            None => Fields::Any,
            Some(names) => Fields::These(names),
        },
    };
    let expose = match &settings.expose {
        None => USUAL_RESPONSE.to_owned(),
        Some(names) => expose(names, settings.credentials, &mut problems),
    };
    let cors = Cors {
        origins,
        methods: methods(&settings, &mut problems),
        headers,
        expose: HeaderValue::try_from(expose)
            .unwrap_or_else(|_| HeaderValue::from_static(USUAL_RESPONSE)),
        credentials: settings.credentials,
        max_age: HeaderValue::from(settings.max_age.get().as_secs()),
        private_network: settings.private_network,
    };
    if problems.is_empty() {
        Ok(Box::new(cors))
    } else {
        Err(problems)
    }
}

fn methods(settings: &Settings, problems: &mut Vec<Problem>) -> Vec<Method> {
    let mut methods = Vec::new();
    for name in settings.methods.iter().flat_map(|methods| methods.iter()) {
        match Method::from_bytes(name.as_bytes()) {
            Ok(method) if name.chars().all(|c| c.is_ascii_uppercase() || c == '-') => {
                methods.push(method);
            }
            _ => problems.push(
                Problem::new(&name.span, format!("`{}` is not a method", name.value))
                    .help("write methods in capitals, such as `GET`; leave `methods` out for those of the route"),
            ),
        }
    }
    methods
}

/// Names of fields in lower case; `None` for all.
fn fields(names: &[Spanned<String>], problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    if let [only] = names
        && only.as_str() == "*"
    {
        return None;
    }
    let mut read = Vec::new();
    for name in names {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(field) if name.as_str() != "*" => read.push(field.as_str().to_owned()),
            _ => problems.push(
                Problem::new(&name.span, format!("`{}` is not a field name", name.value))
                    .help("write names such as `X-Api-Key`, or `*` alone"),
            ),
        }
    }
    Some(read)
}

fn expose(names: &[Spanned<String>], credentials: bool, problems: &mut Vec<Problem>) -> String {
    let Some(read) = fields(names, problems) else {
        if let Some(any) = names.first().filter(|_| credentials) {
            let message = "with `credentials` browsers read `*` as the name of a field";
            problems.push(Problem::new(&any.span, message).help("list the fields under `expose`"));
        }
        return "*".to_owned();
    };
    read.join(", ")
}

impl Cors {
    /// The value of `Access-Control-Allow-Origin` for the request, when its origin is allowed.
    fn allowed(&self, request: &RequestView<'_>) -> Option<HeaderValue> {
        let origin = only(request.headers, &ORIGIN)?;
        if self.origins.any {
            Some(HeaderValue::from_static("*"))
        } else if self.origins.contain(origin) {
            HeaderValue::from_str(origin).ok()
        } else {
            None
        }
    }

    fn preflight(&self, request: &RequestView<'_>, method: &Method) -> Verdict {
        let Some(origin) = self.allowed(request) else {
            let origin = only(request.headers, &ORIGIN).unwrap_or_default();
            return refuse(
                &ORIGIN_REFUSED,
                format!("pages of `{origin}` may not call this API"),
            );
        };
        // Browsers need no permission for `HEAD` beyond the one for `GET`.
        let permits =
            |known: &Method| known == method || (*known == Method::GET && *method == Method::HEAD);
        if !self.methods.is_empty() && !self.methods.iter().any(permits) {
            let methods = list(self.methods.iter().map(Method::as_str), "`, `");
            return refuse(
                &METHOD_REFUSED,
                format!("pages may use `{methods}` here, not `{method}`"),
            );
        }
        let asked = request
            .header(ACCESS_CONTROL_REQUEST_HEADERS.as_str())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let asked: Vec<&str> = asked
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        if let Some(name) = asked.iter().find(|name| !self.may_send(name)) {
            return refuse(
                &HEADER_REFUSED,
                format!("pages may not send the field `{name}` here"),
            );
        }
        Verdict::Respond(Box::new(Reply {
            status: StatusCode::NO_CONTENT,
            headers: self.permission(request, origin, method, &asked),
            body: bytes::Bytes::new(),
            code: "cors.preflight",
        }))
    }

    fn may_send(&self, name: &str) -> bool {
        match &self.headers {
            Fields::Any => HeaderName::from_bytes(name.as_bytes()).is_ok(),
            Fields::These(names) => {
                SAFELISTED.contains(&name) || names.iter().any(|known| known == name)
            }
        }
    }

    fn permission(
        &self,
        request: &RequestView<'_>,
        origin: HeaderValue,
        method: &Method,
        asked: &[&str],
    ) -> Vec<(HeaderName, HeaderValue)> {
        let methods = match self.methods.as_slice() {
            [] => method.as_str().to_owned(),
            methods => list(methods.iter().map(Method::as_str), ", "),
        };
        let headers = match &self.headers {
            Fields::Any => asked.join(", "),
            Fields::These(names) => names.join(", "),
        };
        let private =
            self.private_network && only(request.headers, &REQUEST_PRIVATE_NETWORK) == Some("true");
        let yes = |holds: bool| holds.then(|| HeaderValue::from_static("true"));
        let written = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, Some(origin)),
            (ACCESS_CONTROL_ALLOW_CREDENTIALS, yes(self.credentials)),
            (
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::try_from(methods).ok(),
            ),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                HeaderValue::try_from(headers)
                    .ok()
                    .filter(|value| !value.is_empty()),
            ),
            (ACCESS_CONTROL_MAX_AGE, Some(self.max_age.clone())),
            (ALLOW_PRIVATE_NETWORK, yes(private)),
            (VARY, Some(HeaderValue::from_static(PREFLIGHT_VARIES))),
        ];
        let written = written.into_iter();
        written
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

const PREFLIGHT_VARIES: &str =
    "origin, access-control-request-method, access-control-request-headers";

fn list<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    names.collect::<Vec<_>>().join(between)
}

fn refuse(reason: &'static Reason, detail: String) -> Verdict {
    Verdict::Deny(Box::new(
        Refusal::new(reason, detail).header(VARY, PREFLIGHT_VARIES),
    ))
}

impl Policy for Cors {
    fn opens(&self) -> bool {
        true
    }

    fn answers_preflights(&self) -> bool {
        true
    }

    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        if let Some(method) = asked_method(request.method, request.headers) {
            return self.preflight(request, &method);
        }
        let mut edits: Effects = SAID_BY_SERVICES
            .into_iter()
            .map(|name| Effect::Response(ResponseEdit::Remove(name)))
            .collect();
        let mut say = |edit| edits.push(Effect::Response(edit));
        if let Some(origin) = self.allowed(request) {
            say(ResponseEdit::Set(ACCESS_CONTROL_ALLOW_ORIGIN, origin));
            say(ResponseEdit::Set(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                self.expose.clone(),
            ));
            if self.credentials {
                let yes = HeaderValue::from_static("true");
                say(ResponseEdit::Set(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes));
            }
        }
        if !self.origins.any {
            // Without this a cache would give one origin's answer to another (Fetch standard, "CORS protocol and HTTP caches").
            say(ResponseEdit::Add(
                header::VARY,
                HeaderValue::from_static("origin"),
            ));
        }
        Verdict::Allow(edits)
    }
}
