//! What a document names and nobody would miss: routes that no request reaches, hosts that no request has, files that are not there.

use std::collections::HashMap;
use std::fmt;

use lockgate_config::{Base, Document, Each, Match, Problem, Route, Spanned, Unlisted, Version};

use super::route_id;

/// Looks at all APIs of a document.
pub(super) fn check(document: &Document, base: &Base, problems: &mut Vec<Problem>) {
    let mut seen = Seen {
        rows: HashMap::new(),
        problems,
    };
    for api in &document.apis {
        let hosts: Vec<String> = match &api.value.hosts {
            None => vec![String::new()],
            Some(hosts) => seen.hosts(hosts),
        };
        if let Some(docs) = &api.value.docs
            && base.lacks(docs)
        {
            let message = format!("there is no folder `{docs}`: the portal shows no guides");
            let problem = Problem::new(&api.span, message).warning();
            seen.problems.push(problem);
        }
        for version in &api.value.versions {
            let settings = &version.value;
            if let Some(openapi) = &settings.openapi
                && base.lacks(openapi)
            {
                let message = format!(
                    "there is no file `{}`: the portal shows no reference",
                    openapi.value
                );
                seen.problems
                    .push(Problem::new(&openapi.span, message).warning());
            }
            let place = Place {
                api: &api.id,
                version: &version.id,
            };
            seen.version(place, &hosts, settings);
        }
    }
}

/// A version of an API.
#[derive(Clone, Copy, PartialEq)]
struct Place<'a> {
    api: &'a str,
    version: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api, self.version)
    }
}

/// A route, or all that no route of a version takes.
#[derive(Clone, Copy)]
struct Row<'a> {
    place: Place<'a>,
    route: Option<&'a Route>,
    line: u32,
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.route {
            Some(route) => write!(f, "the route `{}` of `{}`", route_id(route), self.place)?,
            None => write!(f, "the version `{}`", self.place)?,
        }
        write!(f, " at line {}", self.line)
    }
}

struct Seen<'a, 'p> {
    /// By host and the form of the path, in which all variables are alike.
    rows: HashMap<(String, String), Vec<Row<'a>>>,
    problems: &'p mut Vec<Problem>,
}

impl<'a> Seen<'a, '_> {
    fn hosts(&mut self, hosts: &Each<Spanned<String>>) -> Vec<String> {
        for host in hosts.iter().filter(|host| !is_host(host)) {
            let message = format!("`{}` is not a host name", host.value);
            self.problems.push(Problem::new(&host.span, message).help(
                "write it without scheme, port and path, such as `api.example.com` or `*.example.com`",
            ));
        }
        hosts.iter().map(|host| host.to_ascii_lowercase()).collect()
    }

    fn version(&mut self, place: Place<'a>, hosts: &[String], version: &'a Version) {
        let base = version.base.trim_end_matches('/');
        for route in version.routes.iter() {
            self.route(place, hosts, (base, route));
        }
        if version.models.is_some() || version.unlisted == Unlisted::Refuse {
            return;
        }
        let all = [format!("{base}/{{*}}"), base.to_owned()];
        let row = Row {
            place,
            route: None,
            line: version.base.span.line,
        };
        // What its own routes take leaves less for the version, which is meant.
        if let Some(first) = self
            .add(hosts, &all, row)
            .filter(|first| first.place != place)
        {
            let message = format!("no request reaches `{place}`: {first} takes them first");
            self.problems.push(Problem::new(&version.base.span, message).help(
                "give it a `base` of its own, or write `unlisted: refuse` and `routes` that the other does not have",
            ));
        }
    }

    fn route(&mut self, place: Place<'a>, hosts: &[String], (base, route): (&str, &'a Route)) {
        let span = &route.matches.span;
        let paths = match &route.matches.path {
            Some(path) if !path.starts_with('/') => return self.relative(path),
            Some(path) if path.as_str() == "/" && !base.is_empty() => vec![base.to_owned()],
            Some(path) => vec![form(base, path)],
            None => vec![format!("{base}/{{*}}"), base.to_owned()],
        };
        let row = Row {
            place,
            route: Some(route),
            line: span.line,
        };
        let Some(first) = self.add(hosts, &paths, row) else {
            return;
        };
        let id = route_id(route);
        let is_same = first.route.is_some_and(|first| route_id(first) == id);
        // One that exists twice in its version was said to.
        if first.place != place || !is_same {
            let message = format!("no request reaches the route `{id}`: {first} takes them first");
            let problem = Problem::new(span, message);
            self.problems
                .push(problem.help("change its `match`, or take one of the two out"));
        }
    }

    fn relative(&mut self, path: &Spanned<String>) {
        let message = format!("`{}` does not start with `/`", path.value);
        let help = format!(
            "write `/{}`; it is taken under the version's `base`",
            path.value
        );
        self.problems
            .push(Problem::new(&path.span, message).help(help));
    }

    /// Adds a row; gives one that takes all its requests on one of the hosts.
    fn add(&mut self, hosts: &[String], paths: &[String], row: Row<'a>) -> Option<Row<'a>> {
        let mut first = None;
        for host in hosts {
            for path in paths {
                let rows = self.rows.entry((host.clone(), path.clone())).or_default();
                match rows
                    .iter()
                    .find(|before| takes_all(before.route, row.route))
                {
                    Some(before) => first = first.or(Some(*before)),
                    None => rows.push(row),
                }
            }
        }
        first
    }
}

/// Whether the router asks one before the other, and it takes whatever the other takes. A route with more fields, and one with methods
/// before one without, is asked first wherever it stands.
fn takes_all(before: Option<&Route>, row: Option<&Route>) -> bool {
    let (before, row) = (
        before.map(|one| &*one.matches),
        row.map(|one| &*one.matches),
    );
    let methods = |one: Option<&Match>| one.is_some_and(|one| one.methods.is_some());
    let covers = match (before.and_then(|one| one.methods.as_ref()), row) {
        (None, row) => !methods(row),
        (Some(before), row) => row.and_then(|row| row.methods.as_ref()).is_some_and(|row| {
            row.iter()
                .all(|method| before.iter().any(|known| known.value == method.value))
        }),
    };
    covers && headers(before) == headers(row)
}

fn headers(matches: Option<&Match>) -> Vec<(String, &str)> {
    let written = matches.and_then(|matches| matches.headers.as_ref());
    let pairs = written.into_iter().flat_map(|headers| headers.iter());
    let mut pairs: Vec<(String, &str)> = pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// A path template with variables that are all alike.
fn form(base: &str, path: &str) -> String {
    let mut form = String::with_capacity(base.len() + path.len());
    form.push_str(base);
    for segment in path.split('/').skip(1) {
        form.push('/');
        form.push_str(match segment.as_bytes() {
            [b'{', b'*', ..] => "{*}",
            [b'{', ..] => "{}",
            _ => segment,
        });
    }
    form
}

/// Whether a request can have this host: a name or an address without a port; `*.` stands for one label before a name.
pub fn is_host(text: &str) -> bool {
    if let Some(inner) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    name.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}
