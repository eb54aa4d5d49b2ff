//! # What it does
//! Tells callers of a version that it is going away, since when, until when, and where to go: `Deprecation` (RFC 9745),
//! `Sunset` (RFC 8594) and `Link` fields on every answer. Brown-outs switch the version off for a while, so that callers who
//! read no fields notice while there is still time.
//!
//! # When to use
//! A successor exists, and callers should move to it.
//!
//! # Example
//! ```yaml
//! - { id: retire, kind: deprecation, since: 2026-11-01, sunset: 2027-05-01, successor: v2, docs: "https://example.com/v2",
//!     brownouts: [{ days: [tue], at: "10:00", for: 30m, time_zone: Europe/Berlin }] }
//! ```
//!
//! # On failure
//! During a brown-out 503, or 410 with `brownout_status: 410`, with `Retry-After`; the remedy names the successor. Past the
//! sunset callers are served on, or get 410 with `after_sunset: refuse`.

use http::header::{HeaderName, HeaderValue, LINK, RETRY_AFTER};
use http::uri::Uri;
use jiff::fmt::rfc2822::DateTimePrinter;
use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Origin, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::schedule::{Times, Written, moment};
use crate::time::Timestamp;
use crate::verdict::{Effect, Refusal, ResponseEdit, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "deprecation",
    phase: Phase::Mediate,
    about: "Tells callers that a version is going away, and where to go; brown-outs on a schedule.",
    on_error: OnError::Allow,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&BROWNOUT, &BROWNOUT_GONE, &SUNSET_PASSED],
    schema: Settings::json_schema,
    compile,
};

static BROWNOUT: Reason = Reason::new(
    "deprecation.brownout",
    503,
    "Switched off for a while before its end",
    "move to the version that `successor` names; until then try again after `Retry-After`",
);
static BROWNOUT_GONE: Reason = Reason::new(
    "deprecation.brownout_gone",
    410,
    "Switched off for a while before its end",
    "move to the version that `successor` names; until then try again after `Retry-After`",
);
static SUNSET_PASSED: Reason = Reason::new(
    "deprecation.sunset",
    410,
    "No longer offered",
    "move to the version that `successor` names",
);

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Since when callers should move: a date or an RFC 3339 time, past or future.
    since: Spanned<String>,
    /// When the version stops.
    sunset: Option<Spanned<String>>,
    /// The version of the same API that takes its place.
    successor: Option<Spanned<String>>,
    /// A page about the deprecation: a URL, or a path of this gateway.
    docs: Option<Spanned<String>>,
    /// A page about what is switched off when: a URL, or a path of this gateway.
    sunset_docs: Option<Spanned<String>>,
    /// When the version is switched off for a while, between `since` and `sunset`.
    brownouts: Option<Each<Spanned<Written>>>,
    /// The status during a brown-out: 503, the default, or 410.
    brownout_status: Option<Spanned<u16>>,
    /// What happens past the sunset.
    #[serde(default)]
    after_sunset: AfterSunset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum AfterSunset {
    /// Callers are served on.
    #[default]
    Serve,
    /// Callers get 410.
    Refuse,
}

#[derive(Debug)]
struct Deprecation {
    since: Timestamp,
    sunset: Option<Timestamp>,
    refuses: bool,
    /// Name and base.
    successor: Option<(String, String)>,
    fields: Vec<(HeaderName, HeaderValue)>,
    brownouts: Vec<Times>,
    brownout: &'static Reason,
}

fn compile(entry: &PolicyEntry, compiling: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let mut problems = Vec::new();
    let mut note = |problem| problems.push(problem);
    let since = moment(&settings.since).map_err(&mut note);
    let sunset = settings
        .sunset
        .as_ref()
        .map(moment)
        .transpose()
        .map_err(&mut note);
    if let (Ok(since), Ok(Some(end)), Some(text)) = (&since, &sunset, &settings.sunset)
        && end < since
    {
        // RFC 9745 §4.
        let message = format!("the sunset `{}` lies before `since`", text.value);
        note(
            Problem::new(&text.span, message).help("write a later `sunset`, or an earlier `since`"),
        );
    }
    if let (None, AfterSunset::Refuse) = (&settings.sunset, settings.after_sunset) {
        note(
            Problem::new(
                &entry.span,
                "`after_sunset: refuse` without a `sunset` refuses nobody",
            )
            .help("write `sunset` with the date from which callers are refused"),
        );
    }
    let successor = settings
        .successor
        .as_ref()
        .map(|name| successor(name, compiling));
    let successor = successor.transpose().map_err(&mut note);
    let brownout = brownout(settings.brownout_status.as_ref()).map_err(&mut note);
    let mut brownouts = Vec::new();
    for written in settings.brownouts.iter().flat_map(|list| list.iter()) {
        match Times::read(&written.value, &written.span) {
            Ok(times) => brownouts.push(times),
            Err(problem) => note(problem),
        }
    }
    let links = links(&settings, successor.as_ref().ok().and_then(Option::as_ref));
    match (since, sunset, successor, brownout, links) {
        (Ok(since), Ok(sunset), Ok(successor), Ok(brownout), Ok(links)) if problems.is_empty() => {
            Ok(Box::new(Deprecation {
                since,
                sunset,
                refuses: settings.after_sunset == AfterSunset::Refuse,
                successor,
                fields: fields(since, sunset, links),
                brownouts,
                brownout,
            }))
        }
        (.., links) => {
            problems.extend(links.err());
            Err(problems)
        }
    }
}

fn brownout(status: Option<&Spanned<u16>>) -> Result<&'static Reason, Problem> {
    match status.map(|status| (status.value, &status.span)) {
        None | Some((503, _)) => Ok(&BROWNOUT),
        Some((410, _)) => Ok(&BROWNOUT_GONE),
        Some((other, span)) => {
            let message = format!("`{other}` is not the status of a brown-out");
            Err(Problem::new(span, message).help("write 503 or 410"))
        }
    }
}

/// Name and base of the version that takes the place.
fn successor(
    name: &Spanned<String>,
    compiling: &Compiling<'_>,
) -> Result<(String, String), Problem> {
    let (Origin::Version { api, version } | Origin::Route { api, version, .. }) = compiling.origin
    else {
        let message = "outside a version nothing can be succeeded by one";
        return Err(Problem::new(&name.span, message)
            .help("write the policy at the version that is going away"));
    };
    if **version == *name.value {
        let message = format!("the version `{version}` cannot succeed itself");
        return Err(Problem::new(&name.span, message).help("name the version that takes its place"));
    }
    let versions = compiling.document.apis.get(api).map(|api| &api.versions);
    let found = versions.and_then(|versions| versions.get(name));
    match found {
        Some(found) => Ok((name.value.clone(), found.base.value.clone())),
        None => {
            let known = versions.map(|versions| versions.ids()).unwrap_or_default();
            let known: Vec<&str> = known.into_iter().filter(|id| **id != **version).collect();
            let mut problem = Problem::unknown(&name.span, "version", name, &known);
            problem.message = format!("{} of `{api}`", problem.message);
            Err(problem)
        }
    }
}

fn links(
    settings: &Settings,
    successor: Option<&(String, String)>,
) -> Result<Vec<HeaderValue>, Problem> {
    let pages = [
        (&settings.docs, "deprecation"),
        (&settings.sunset_docs, "sunset"),
    ];
    let mut links = Vec::new();
    for (page, relation) in pages {
        let Some(page) = page else { continue };
        let known = page.starts_with('/') && !page.starts_with("//")
            || page.starts_with("https://")
            || page.starts_with("http://");
        let link = HeaderValue::try_from(format!("<{}>; rel=\"{relation}\"", page.value)).ok();
        match link.filter(|_| known && page.parse::<Uri>().is_ok()) {
            Some(link) => links.push(link),
            None => {
                let message = format!("`{}` is not the address of a page", page.value);
                return Err(Problem::new(&page.span, message)
                    .help("write a URL such as `https://example.com/migration`, or a path"));
            }
        }
    }
    // RFC 5829 §3.4. The base of a version is canonical, so it is a field value.
    links.extend(successor.and_then(|(_, base)| {
        HeaderValue::try_from(format!("<{base}>; rel=\"successor-version\"")).ok()
    }));
    Ok(links)
}

fn fields(
    since: Timestamp,
    sunset: Option<Timestamp>,
    links: Vec<HeaderValue>,
) -> Vec<(HeaderName, HeaderValue)> {
    // RFC 9745 §2.1: a date of RFC 9651 §3.3.7.
    let since = HeaderValue::try_from(format!("@{}", since.seconds())).ok();
    let sunset = sunset.and_then(http_date);
    let dates = [(DEPRECATION, since), (SUNSET, sunset)];
    let dates = dates
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    dates
        .chain(links.into_iter().map(|link| (LINK, link)))
        .collect()
}

/// RFC 9110 §5.6.7.
fn http_date(time: Timestamp) -> Option<HeaderValue> {
    let time = jiff::Timestamp::from_second(i64::try_from(time.seconds()).ok()?).ok()?;
    let text = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .ok()?;
    HeaderValue::try_from(text).ok()
}

impl Deprecation {
    /// When the brown-out ends that the time lies in.
    fn brownout_end(&self, now: Timestamp) -> Option<Timestamp> {
        if now < self.since || self.sunset.is_some_and(|sunset| now >= sunset) {
            return None;
        }
        self.brownouts
            .iter()
            .filter_map(|times| times.end(now))
            .max()
    }

    fn refuse(&self, reason: &'static Reason, detail: &'static str) -> Refusal {
        let mut refusal = Refusal::new(reason, detail);
        if let Some((version, base)) = &self.successor {
            let until = if reason.code == SUNSET_PASSED.code {
                ""
            } else {
                "; until then try again after `Retry-After`"
            };
            refusal = refusal
                .with_remedy(format!("call version `{version}` under `{base}`{until}"))
                .member(
                    "successor",
                    serde_json::json!({ "version": version, "base": base }),
                );
        }
        refusal.headers.extend(self.fields.iter().cloned());
        refusal
    }
}

impl Policy for Deprecation {
    fn evaluate(&self, _: &RequestView<'_>, env: &mut Env<'_>) -> Verdict {
        if self.refuses && self.sunset.is_some_and(|sunset| env.now >= sunset) {
            let refusal = self.refuse(&SUNSET_PASSED, "this version has come to its announced end");
            return Verdict::Deny(Box::new(refusal));
        }
        if let Some(end) = self.brownout_end(env.now) {
            let wait = end.0.saturating_sub(env.now.0).div_ceil(1_000_000);
            let refusal = self
                .refuse(
                    self.brownout,
                    "this version is going away and is switched off for a while, as announced",
                )
                .header(RETRY_AFTER, &wait.to_string());
            return Verdict::Deny(Box::new(refusal));
        }
        let edits = self.fields.iter().cloned().map(|(name, value)| {
            Effect::Response(match name {
                // The service may have links of its own.
                LINK => ResponseEdit::Add(name, value),
                _ => ResponseEdit::Set(name, value),
            })
        });
        Verdict::Allow(edits.collect())
    }
}
