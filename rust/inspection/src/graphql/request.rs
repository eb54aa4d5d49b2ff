//! The ways a GraphQL request is sent over HTTP.

use serde_json::{Map, Value as Json};

use super::limits::{GraphqlBound, GraphqlLimits, GraphqlViolation};
use crate::json::{self, JsonLimits, JsonProblem, JsonViolation};

/// One request.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub query: String,
    pub variables: Map<String, Json>,
    pub operation_name: Option<String>,
}

pub(super) fn from_json(
    body: &[u8],
    limits: &GraphqlLimits,
) -> Result<Vec<Request>, GraphqlViolation> {
    match parse(body)? {
        Json::Array(items) if items.len() > limits.batch => {
            let (limit, seen) = (limits.batch as u64, items.len() as u64);
            Err(GraphqlViolation::Limit {
                bound: GraphqlBound::Batch,
                limit,
                seen,
            })
        }
        Json::Array(items) if items.is_empty() => Err(GraphqlViolation::NoDocument),
        Json::Array(items) => items.into_iter().map(from_value).collect(),
        one => Ok(vec![from_value(one)?]),
    }
}

pub(super) fn from_parameters(
    query: Option<&str>,
    variables: Option<&str>,
    operation_name: Option<&str>,
) -> Result<Request, GraphqlViolation> {
    let variables = match variables.filter(|text| !text.trim().is_empty()) {
        Some(text) => members(Some(parse(text.as_bytes())?))?,
        None => Map::new(),
    };
    let query = query.ok_or(GraphqlViolation::NoDocument)?.to_owned();
    Ok(Request {
        query,
        variables,
        operation_name: operation_name.map(str::to_owned),
    })
}

/// Depth is bounded by the check before anything is built.
fn parse(body: &[u8]) -> Result<Json, GraphqlViolation> {
    json::check(body, &JsonLimits::default())?;
    serde_json::from_slice(body).map_err(|_| {
        // Left are numbers beyond the range of a double, which no server can take either.
        let problem = JsonProblem::Syntax(json::JsonSyntax::MalformedNumber);
        GraphqlViolation::Json(JsonViolation {
            problem,
            offset: 0,
            pointer: String::new(),
        })
    })
}

fn from_value(value: Json) -> Result<Request, GraphqlViolation> {
    let Json::Object(mut object) = value else {
        return Err(GraphqlViolation::Shape {
            field: "body",
            expected: "an object or an array of objects",
        });
    };
    let query = match object.remove("query") {
        Some(Json::String(query)) => query,
        None | Some(Json::Null) => return Err(GraphqlViolation::NoDocument),
        Some(_) => {
            return Err(GraphqlViolation::Shape {
                field: "query",
                expected: "a string",
            });
        }
    };
    let operation_name = match object.remove("operationName") {
        Some(Json::String(name)) => Some(name),
        None | Some(Json::Null) => None,
        Some(_) => {
            return Err(GraphqlViolation::Shape {
                field: "operationName",
                expected: "a string",
            });
        }
    };
    Ok(Request {
        query,
        variables: members(object.remove("variables"))?,
        operation_name,
    })
}

fn members(variables: Option<Json>) -> Result<Map<String, Json>, GraphqlViolation> {
    match variables {
        Some(Json::Object(members)) => Ok(members),
        None | Some(Json::Null) => Ok(Map::new()),
        Some(_) => Err(GraphqlViolation::Shape {
            field: "variables",
            expected: "an object",
        }),
    }
}
