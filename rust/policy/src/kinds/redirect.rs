//! # What it does
//! Sends callers to another place: a path of this gateway or another host.
//!
//! # When to use
//! Something has moved and callers should learn where it is now. What they need not learn is moved by `rewrite`.
//!
//! # Example
//! ```yaml
//! - { id: moved, kind: redirect, to: "/orders/v2/items/{id}", status: 308 }
//! - { id: new-home, kind: redirect, to: "https://docs.example.com/orders" }
//! ```
//!
//! # On failure
//! 400 when the values of the variables make a path that has no canonical form. The host is the one in the document: no value
//! of a request can change it. A request that is already at the path it would be sent to passes.

use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use http::uri::{Authority, Uri};
use lockgate_config::{OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::text_template::TextTemplate;
use crate::verdict::{Reply, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "redirect",
    phase: Phase::Mediate,
    about: "Sends callers to another path or host that the document names.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&NOT_CANONICAL],
    schema: Settings::json_schema,
    compile,
};

static NOT_CANONICAL: Reason = Reason::new(
    "redirect.bad_path",
    400,
    "Path leads nowhere",
    "send a path whose segments are names or numbers, without dots alone and escapes of escapes",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// A path of this gateway, or an `https` or `http` URL; in its path `{name}` takes a variable of the route's path.
    to: Spanned<String>,
    /// 301 or 308 for good, 302 or 307 for now, 303 for another answer by `GET`. 307, the default, and 308 keep the method.
    status: Option<Spanned<u16>>,
    /// Whether the request's query goes along; by default it does to a path, and does not to a URL, which may be someone
    /// else's: queries can hold credentials.
    keep_query: Option<bool>,
}

#[derive(Debug)]
struct Redirect {
    status: StatusCode,
    /// Scheme and host, when they are not the gateway's own.
    host: Option<String>,
    path: TextTemplate,
    query: Option<String>,
    keep_query: bool,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut note = |problem| problems.push(problem);
    let status = status(settings.status.as_ref()).map_err(&mut note);
    let place = place(&settings.to, compiling).map_err(&mut note);
    match (status, place) {
        (Ok(status), Ok((host, path, query))) => Ok(Box::new(Redirect {
            status,
            keep_query: settings.keep_query.unwrap_or(host.is_none()),
            host,
            path,
            query,
        })),
        _ => Err(problems),
    }
}

fn status(written: Option<&Spanned<u16>>) -> Result<StatusCode, Problem> {
    let Some(written) = written else {
        return Ok(StatusCode::TEMPORARY_REDIRECT);
    };
    let status = StatusCode::from_u16(written.value).ok();
    status
        .filter(|status| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308))
        .ok_or_else(|| {
            Problem::new(
                &written.span,
                format!("`{}` is not a redirect", written.value),
            )
            .help("write 301, 302, 303, 307 or 308")
        })
}

type Place = (Option<String>, TextTemplate, Option<String>);

fn place(to: &Spanned<String>, compiling: &Compiling<'_>) -> Result<Place, Problem> {
    let (host, rest) = match to.split_once("://") {
        None => (None, to.value.as_str()),
        Some((scheme, rest)) => {
            let (authority, path) = rest
                .find(['/', '?', '#'])
                .map_or((rest, ""), |at| rest.split_at(at));
            (Some(host(to, scheme, authority)?), path)
        }
    };
    let (path, query) = rest
        .split_once('?')
        .map_or((rest, None), |(path, query)| (path, Some(query)));
    let path = if path.is_empty() && host.is_some() {
        "/"
    } else {
        path
    };
    if query.is_some_and(|query| {
        format!("/?{query}").parse::<Uri>().is_err() || query.contains(['#', '{', '}'])
    }) {
        return Err(Problem::new(&to.span, "the query of `to` is fixed text")
            .help("take braces and `#` out of it; `keep_query: true` adds the request's query"));
    }
    let path = Spanned {
        span: to.span.clone(),
        value: path.to_owned(),
    };
    let path = TextTemplate::read_path(&path, &compiling.variables())?;
    Ok((host, path, query.map(str::to_owned)))
}

fn host(to: &Spanned<String>, scheme: &str, authority: &str) -> Result<String, Problem> {
    let problem = |message: String| Problem::new(&to.span, message);
    if authority.contains(['{', '}']) || scheme.contains(['{', '}']) {
        return Err(problem(
            "a variable cannot stand in the host of `to`: callers would choose it".to_owned(),
        )
        .help("write the host out, with variables in the path only"));
    }
    if !matches!(scheme, "http" | "https") {
        return Err(
            problem(format!("`{scheme}` is not a scheme for a redirect")).help("write `https://…`"),
        );
    }
    match authority.parse::<Authority>() {
        Ok(parsed) if !parsed.host().is_empty() && !authority.contains('@') => {
            Ok(format!("{scheme}://{authority}"))
        }
        _ => Err(problem(format!("`{authority}` is not a host"))
            .help("write a URL such as `https://api.example.com/v2`")),
    }
}

impl Policy for Redirect {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let path = match self.path.path(request.variables) {
            Ok(path) => path,
            Err(error) => {
                return Verdict::deny(
                    &NOT_CANONICAL,
                    format!("the new path would be one that services read differently: {error}"),
                );
            }
        };
        if self.host.is_none() && path == request.path {
            return Verdict::Pass;
        }
        let mut location = format!("{}{path}", self.host.as_deref().unwrap_or_default());
        let kept = request.query.filter(|_| self.keep_query);
        let queries = self.query.as_deref().into_iter().chain(kept);
        for (query, sign) in queries.filter(|query| !query.is_empty()).zip(["?", "&"]) {
            location.push_str(sign);
            location.push_str(query);
        }
        match HeaderValue::try_from(location) {
            Ok(location) => Verdict::Respond(Box::new(Reply {
                status: self.status,
                headers: vec![(LOCATION, location)],
                body: bytes::Bytes::new(),
                code: "redirect.moved",
            })),
            Err(_) => Verdict::Undecided("the new place is no field value".into()),
        }
    }
}
