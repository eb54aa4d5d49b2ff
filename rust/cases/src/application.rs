//! `application: NAME`: a key for an application, sent where the route's `api_key` policy looks for one.

use lockgate_config::{Loaded, Mode, Problem, Source, Spanned, load_document, sha256_hex};
use lockgate_policy::{ExplainRequest, Phase, Revision, Route, Trace};
use serde_json::{Value, json};

/// The key that the runner gives an application for the length of a run. It opens nothing: only the runner's own copy of the
/// directory knows it.
pub fn credential(application: &str) -> String {
    format!("lg_case_{application}")
}

/// The document with a key for each of `applications`.
///
/// # Errors
/// An application that the document does not have; problems of the document.
pub fn with_credentials(
    loaded: Loaded,
    applications: &[&Spanned<String>],
) -> Result<Loaded, Vec<Problem>> {
    if applications.is_empty() {
        return Ok(loaded);
    }
    let mut document: Value = serde_json::from_str(&loaded.canonical).unwrap_or_default();
    let known = loaded.document.applications.ids();
    let mut problems = Vec::new();
    for name in applications {
        let settings = document
            .get_mut("applications")
            .and_then(|applications| applications.get_mut(&name.value))
            .and_then(Value::as_object_mut);
        match settings {
            None => problems.push(Problem::unknown(&name.span, "application", name, &known)),
            Some(settings) => {
                let key = json!({ "sha256": sha256_hex(credential(name).as_bytes()) });
                let keys = settings.entry("keys").or_insert_with(|| json!([]));
                if let Some(keys) = keys.as_array_mut()
                    && !keys.contains(&key)
                {
                    keys.push(key);
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    load_document(&Source::Text {
        name: "document".into(),
        text: document.to_string(),
        base: loaded.base.path().to_owned(),
    })
}

/// Adds the application's key to a request. `trace` is that of the request without it.
///
/// # Errors
/// Why nobody can say where the key goes.
pub fn identify(
    request: &mut ExplainRequest,
    application: &Spanned<String>,
    trace: &Trace,
    revision: &Revision,
) -> Result<(), Problem> {
    let problem = |message: &str| {
        Problem::new(&application.span, message)
            .help("leave `application` out, and write the credential into `headers`")
    };
    let found = trace.route.as_ref().and_then(|found| {
        revision.routes.iter().find(|route| {
            (&route.api, &route.version, &route.id, &route.path)
                == (&found.api, &found.version, &found.id, &found.path)
        })
    });
    let Some(route) = found else {
        return Err(problem(
            "no route takes this request, so the key of an application has no place",
        ));
    };
    let Some(place) = place(route) else {
        return Err(problem(
            "no `api_key` policy identifies the callers of this route",
        ));
    };
    let key = credential(application);
    let (sort, name) = place;
    match sort.as_str() {
        "query" => {
            let joint = if request.url.contains('?') { '&' } else { '?' };
            request.url = format!("{}{joint}{name}={key}", request.url);
        }
        "cookie" => request
            .headers
            .push(("Cookie".into(), format!("{name}={key}"))),
        _ => request.headers.push((name, key)),
    }
    Ok(())
}

/// Where the first `api_key` of a route looks: `header`, `query` or `cookie`, and its name.
fn place(route: &Route) -> Option<(String, String)> {
    let identifying = route
        .chain
        .policies()
        .iter()
        .filter(|policy| policy.kind.phase == Phase::Identify && policy.mode == Mode::Enforce);
    let mut ways = identifying.flat_map(|policy| {
        let inner = policy.declared.get("of").and_then(Value::as_array);
        std::iter::once(&policy.declared).chain(inner.into_iter().flatten())
    });
    let declared = ways.find(|way| way.get("kind").is_some_and(|kind| kind == "api_key"))?;
    let written = declared.get("in").and_then(Value::as_object);
    match written.and_then(|place| place.iter().next()) {
        None => Some(("header".into(), "X-Api-Key".into())),
        Some((sort, name)) => Some((sort.clone(), name.as_str()?.to_owned())),
    }
}
