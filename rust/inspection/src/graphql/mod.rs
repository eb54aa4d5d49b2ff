//! GraphQL requests: depth, aliases, directives, tokens and cost, measured before an upstream sees the document.
//!
//! Tokens and bracket nesting are counted by the lexer first, so the parser only ever sees a document whose size and
//! recursion are bounded. Fragments are measured once each, in the order of their dependencies, so neither chains
//! nor exponential expansion cost more than linear work.

mod document;
mod limits;
mod measure;
mod request;

pub use limits::{GraphqlBound, GraphqlLimits, GraphqlViolation, Measure};

use document::Document;
use request::Request;

/// Checks a JSON `POST` body: one request object or an array batch (GraphQL over HTTP).
///
/// The body is first checked as JSON, so a member cannot be sent twice or in two letter cases.
///
/// # Errors
/// The first violation; [`GraphqlViolation::NoDocument`] for a persisted query.
pub fn check_json(body: &[u8], limits: &GraphqlLimits) -> Result<Measure, GraphqlViolation> {
    check_requests(&request::from_json(body, limits)?, limits)
}

/// Checks a body of type `application/graphql`: the document itself.
///
/// # Errors
/// The first violation.
pub fn check_document(body: &[u8], limits: &GraphqlLimits) -> Result<Measure, GraphqlViolation> {
    let query = std::str::from_utf8(body).map_err(|_| GraphqlViolation::InvalidUtf8)?;
    check_requests(
        &[Request {
            query: query.into(),
            ..Request::default()
        }],
        limits,
    )
}

/// Checks the decoded query parameters of a `GET` request: `query`, `variables` (JSON text) and `operationName`.
///
/// # Errors
/// The first violation; [`GraphqlViolation::NoDocument`] without `query`.
pub fn check_parameters(
    query: Option<&str>,
    variables: Option<&str>,
    operation_name: Option<&str>,
    limits: &GraphqlLimits,
) -> Result<Measure, GraphqlViolation> {
    check_requests(
        &[request::from_parameters(query, variables, operation_name)?],
        limits,
    )
}

fn check_requests(
    requests: &[Request],
    limits: &GraphqlLimits,
) -> Result<Measure, GraphqlViolation> {
    let bytes = requests
        .iter()
        .map(|request| request.query.len())
        .sum::<usize>();
    if bytes > limits.document_bytes {
        let (limit, seen) = (limits.document_bytes as u64, bytes as u64);
        return Err(GraphqlViolation::Limit {
            bound: GraphqlBound::DocumentBytes,
            limit,
            seen,
        });
    }
    let mut total = Measure::default();
    for request in requests {
        total.tokens = document::count_tokens(&request.query, total.tokens, limits.tokens)?;
        let document = Document::parse(&request.query)?;
        let (limit, seen) = (limits.operations, document.operations.len() as u64);
        if seen > limit {
            return Err(GraphqlViolation::Limit {
                bound: GraphqlBound::Operations,
                limit,
                seen,
            });
        }
        document.require_operation(request.operation_name.as_deref())?;
        let one = measure::measure(&document, &request.variables)?;
        total.add(one);
        total.refuse_over(limits)?;
    }
    Ok(total)
}

impl Measure {
    /// Adds what stands beside: depths compare, everything else sums up.
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost = self.cost.saturating_add(other.cost);
    }

    fn refuse_over(&self, limits: &GraphqlLimits) -> Result<(), GraphqlViolation> {
        let bounds = [
            (GraphqlBound::Depth, limits.depth, self.depth),
            (GraphqlBound::Aliases, limits.aliases, self.aliases),
            (GraphqlBound::Directives, limits.directives, self.directives),
            (GraphqlBound::Cost, limits.cost, self.cost),
        ];
        match bounds.into_iter().find(|(_, limit, seen)| seen > limit) {
            Some((bound, limit, seen)) => Err(GraphqlViolation::Limit { bound, limit, seen }),
            None => Ok(()),
        }
    }
}

fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
#[path = "graphql_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "graphql_fuzz.rs"]
mod fuzz;
