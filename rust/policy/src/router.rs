//! Requests to routes: a tree of path segments for each host.
//!
//! A tree that can go back: when `/orders/summary` takes only `GET`, a `DELETE` of it still finds `/orders/{id}`. The cost
//! depends on the depth of the path, not on the number of routes.

use std::collections::HashMap;

use http::{HeaderMap, Method};
use smallvec::SmallVec;

/// The most segments of a path that routes look at.
const MAX_SEGMENTS: usize = 64;

/// A path template: `/orders/{id}`, `/files/{*rest}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Variable(String),
    Rest(String),
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Text(text) => write!(f, "/{text}"),
            Segment::Variable(name) => write!(f, "/{{{name}}}"),
            Segment::Rest(name) => write!(f, "/{{*{name}}}"),
        })
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("`{text}` does not start with `/`"));
        }
        let mut segments = Vec::new();
        let mut names = Vec::new();
        let parts: Vec<&str> = text.split('/').skip(1).collect();
        for (at, part) in parts.iter().enumerate() {
            let variable = part
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let segment = match variable {
                Some(name) if name.starts_with('*') && at + 1 == parts.len() => {
                    Segment::Rest(name.replacen('*', "", 1))
                }
                Some(name) if name.starts_with('*') => {
                    return Err(format!("`{part}` must stand at the end of `{text}`"));
                }
                Some(name) => Segment::Variable(name.to_owned()),
                None if part.contains(['{', '}']) => {
                    return Err(format!(
                        "`{part}` mixes text and a variable; a variable is a whole segment, such as `{{id}}`"
                    ));
                }
                None if part.is_empty() && at + 1 < parts.len() => {
                    return Err(format!("`{text}` has an empty segment"));
                }
                None => match crate::canonical::canonical_path(&format!("/{part}")) {
                    Ok(same) => Segment::Text(same.get(1..).unwrap_or_default().to_owned()),
                    Err(error) => return Err(format!("no request has the path `{text}`: {error}")),
                },
            };
            if let Segment::Variable(name) | Segment::Rest(name) = &segment {
                let valid = !name.is_empty()
                    && name
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                if !valid || names.contains(name) {
                    return Err(format!(
                        "`{part}` in `{text}` needs a name of its own made of letters, digits, `_` and `-`"
                    ));
                }
                names.push(name.clone());
            }
            segments.push(segment);
        }
        if segments.len() > MAX_SEGMENTS {
            return Err(format!("`{text}` has more than {MAX_SEGMENTS} segments"));
        }
        Ok(Self { segments })
    }

    /// The names of its variables.
    pub fn names(&self) -> Vec<&str> {
        self.segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Text(_) => None,
                Segment::Variable(name) | Segment::Rest(name) => Some(name.as_str()),
            })
            .collect()
    }

    /// The variables that `path`, which this template matched, gives.
    pub fn variables<'a>(&'a self, path: &'a str) -> SmallVec<[(&'a str, &'a str); 4]> {
        let mut found = SmallVec::new();
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        for segment in &self.segments {
            let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
            match segment {
                Segment::Text(_) => {}
                Segment::Variable(name) => found.push((name.as_str(), head)),
                Segment::Rest(name) => found.push((name.as_str(), rest)),
            }
            rest = tail;
        }
        found
    }
}

/// What besides the path a route asks for.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Methods; empty means any.
    pub methods: Vec<Method>,
    /// Fields with one of their values; `None` means any.
    pub headers: Vec<(http::HeaderName, Option<String>)>,
}

impl Conditions {
    fn rank(&self) -> (usize, bool) {
        (self.headers.len(), !self.methods.is_empty())
    }

    fn headers_hold(&self, headers: &HeaderMap) -> bool {
        self.headers.iter().all(|(name, wanted)| match wanted {
            None => headers.contains_key(name),
            Some(wanted) => headers
                .get_all(name)
                .iter()
                .any(|value| holds(value.as_bytes(), wanted.as_bytes())),
        })
    }
}

/// Whether a field line is `wanted`, or a list that has it: lines may be joined with commas on the way (RFC 9110 §5.3, H9).
fn holds(line: &[u8], wanted: &[u8]) -> bool {
    line == wanted
        || line
            .split(|byte| *byte == b',')
            .any(|value| value.trim_ascii() == wanted)
}

/// What the router found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// The index of the route.
    Route(usize),
    /// Routes exist for the path, with other methods.
    OtherMethods(Vec<Method>),
    /// Nothing.
    Nothing,
}

#[derive(Debug, Default)]
struct TreeNode {
    /// Its names are the document's, not the callers': a fast hash is enough.
    text: HashMap<String, TreeNode, foldhash::fast::RandomState>,
    variable: Option<Box<TreeNode>>,
    routes: Vec<(Conditions, usize)>,
    rest: Vec<(Conditions, usize)>,
}

/// All routes of a revision.
#[derive(Debug, Default)]
pub struct Router {
    hosts: HashMap<String, TreeNode>,
    suffixes: HashMap<String, TreeNode>,
    any: TreeNode,
}

impl Router {
    /// Adds a route. `host` is a name, `*.example.com`, or `None` for any.
    pub fn add(
        &mut self,
        host: Option<&str>,
        template: &Template,
        conditions: Conditions,
        route: usize,
    ) {
        let mut node = match host {
            None => &mut self.any,
            Some(host) => match host.strip_prefix("*.") {
                Some(suffix) => self
                    .suffixes
                    .entry(suffix.to_ascii_lowercase())
                    .or_default(),
                None => self.hosts.entry(host.to_ascii_lowercase()).or_default(),
            },
        };
        let mut at_rest = false;
        for segment in &template.segments {
            match segment {
                Segment::Text(text) => node = node.text.entry(text.clone()).or_default(),
                Segment::Variable(_) => node = node.variable.get_or_insert_default(),
                Segment::Rest(_) => at_rest = true,
            }
        }
        let routes = if at_rest {
            &mut node.rest
        } else {
            &mut node.routes
        };
        let rank = conditions.rank();
        let place = routes
            .iter()
            .position(|(other, _)| other.rank() < rank)
            .unwrap_or(routes.len());
        routes.insert(place, (conditions, route));
    }

    /// Finds the route of a request; `path` is canonical, `host` in lower case without port.
    pub fn find(&self, host: &str, path: &str, method: &Method, headers: &HeaderMap) -> Found {
        let mut search = Search {
            method,
            headers,
            others: Vec::new(),
        };
        let segments: SmallVec<[&str; 16]> =
            path.split('/').skip(1).take(MAX_SEGMENTS + 1).collect();
        let suffix = host
            .split_once('.')
            .and_then(|(_, suffix)| self.suffixes.get(suffix));
        for tree in [self.hosts.get(host), suffix, Some(&self.any)]
            .into_iter()
            .flatten()
        {
            if let Some(route) = search.walk(tree, &segments) {
                return Found::Route(route);
            }
        }
        if search.others.is_empty() {
            Found::Nothing
        } else {
            Found::OtherMethods(search.others)
        }
    }
}

struct Search<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    others: Vec<Method>,
}

impl Search<'_> {
    /// The most specific route under `node`: text before variables before the rest. The recursion is as deep as the tree.
    fn walk(&mut self, node: &TreeNode, segments: &[&str]) -> Option<usize> {
        let Some((first, others)) = segments.split_first() else {
            return self.choose(&node.routes);
        };
        if let Some(child) = node.text.get(*first)
            && let Some(route) = self.walk(child, others)
        {
            return Some(route);
        }
        if !first.is_empty()
            && let Some(child) = &node.variable
            && let Some(route) = self.walk(child, others)
        {
            return Some(route);
        }
        self.choose(&node.rest)
    }

    /// A route that takes `GET` takes `HEAD` too, which is the same but for the body (RFC 9110 §9.3.2): `HEAD` must not find its way
    /// past the policies of the route. One that names `HEAD` itself comes first.
    fn choose(&mut self, routes: &[(Conditions, usize)]) -> Option<usize> {
        let mut by_get: Option<((usize, bool), usize)> = None;
        for (conditions, route) in routes {
            if by_get.is_some_and(|(rank, _)| rank != conditions.rank()) {
                break;
            }
            if !conditions.headers_hold(self.headers) {
                continue;
            }
            if conditions.methods.is_empty() || conditions.methods.contains(self.method) {
                return Some(*route);
            }
            if by_get.is_none() && takes(&conditions.methods, self.method) {
                by_get = Some((conditions.rank(), *route));
            }
            for method in &conditions.methods {
                if !self.others.contains(method) {
                    self.others.push(method.clone());
                }
            }
        }
        by_get.map(|(_, route)| route)
    }
}

/// Whether a route with these methods takes requests with `method`.
pub(crate) fn takes(methods: &[Method], method: &Method) -> bool {
    methods.is_empty()
        || methods.contains(method)
        || *method == Method::HEAD && methods.contains(&Method::GET)
}

#[cfg(test)]
#[path = "router_fuzz.rs"]
mod fuzz;
