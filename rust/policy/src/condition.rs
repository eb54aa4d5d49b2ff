//! `when`: conditions in the Common Expression Language, checked before they run.

mod members;

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};
use cel::{Context, Program};
use serde::Serialize;

use lockgate_config::{Problem, Spanned};

use crate::request::RequestView;

/// The names an expression may start from.
pub const ROOTS: &[&str] = &["request", "route", "application", "claims", "client"];
/// The functions an expression may call.
const FUNCTIONS: &[&str] = &[
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "size",
    "has",
    "in",
    "int",
    "double",
    "string",
    "bool",
    "max",
    "min",
    "exists",
    "all",
    "exists_one",
    "filter",
    "map",
    "timestamp",
    "duration",
    "lowerAscii",
    "upperAscii",
    "toLowerAscii",
    "toUpperAscii",
];

/// The longest expression, in bytes. Reading and evaluating one recurses with its parts: so bounded, no expression comes near the
/// end of a thread's stack.
const MAX_BYTES: usize = 2_048;
/// How deep loops such as `exists` may stand within one another: each runs once for every item of those around it.
const MAX_LOOPS: usize = 2;

/// A checked expression.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    source: String,
}

#[derive(Serialize)]
struct RequestFields<'a> {
    method: &'a str,
    scheme: &'a str,
    host: &'a str,
    path: &'a str,
    query: std::collections::BTreeMap<String, String>,
    headers: std::collections::BTreeMap<String, String>,
}

impl Condition {
    /// Reads and checks an expression: its syntax, the names it starts from and their members, the functions it calls.
    ///
    /// # Errors
    /// What is wrong, at the expression.
    pub fn compile(text: &Spanned<String>) -> Result<Self, Problem> {
        if text.len() > MAX_BYTES {
            let message = format!("the expression has more than {MAX_BYTES} bytes");
            return Err(Problem::new(&text.span, message)
                .help("write several policies, each with a shorter expression"));
        }
        let program = Program::compile(text).map_err(|error| {
            let first = error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            Problem::new(&text.span, format!("this is not a CEL expression: {first}"))
        })?;
        if loops(program.expression()) > MAX_LOOPS {
            let message = format!("loops stand more than {MAX_LOOPS} deep within one another");
            return Err(Problem::new(&text.span, message)
                .help("take one of `all`, `exists`, `filter` or `map` out of the others"));
        }
        let references = program.references();
        let mut own = Vec::new();
        loop_names(program.expression(), &mut own);
        for name in references.variables() {
            if !ROOTS.contains(&name) && !own.contains(&name) {
                return Err(Problem::unknown(&text.span, "name", name, ROOTS));
            }
        }
        members::check(program.expression(), &own, &text.span)?;
        for name in references.functions() {
            let operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
            if !operator && !FUNCTIONS.contains(&name) {
                return Err(Problem::unknown(&text.span, "function", name, FUNCTIONS));
            }
        }
        Ok(Self {
            program,
            source: text.value.clone(),
        })
    }

    /// Whether it asks who calls.
    pub fn names_caller(&self) -> bool {
        let references = self.program.references();
        references
            .variables()
            .iter()
            .any(|name| matches!(*name, "application" | "claims"))
    }

    /// The expression as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// Why it has no truth value: a field is missing, or the result is not `true` or `false`.
    pub fn holds(&self, request: &RequestView<'_>, route: &str) -> Result<bool, String> {
        match self.value(request, route)? {
            cel::Value::Bool(value) => Ok(value),
            other => Err(format!(
                "`{}` gives {other:?}, not `true` or `false`",
                self.source
            )),
        }
    }

    /// The value of the expression as text, for keys.
    ///
    /// # Errors
    /// Why it has no value that can be a key.
    pub fn text(&self, request: &RequestView<'_>, route: &str) -> Result<String, String> {
        match self.value(request, route)? {
            cel::Value::String(text) => Ok(text.to_string()),
            cel::Value::Int(number) => Ok(number.to_string()),
            cel::Value::UInt(number) => Ok(number.to_string()),
            cel::Value::Bool(value) => Ok(value.to_string()),
            other => Err(format!(
                "`{}` gives {other:?}, which cannot be a key",
                self.source
            )),
        }
    }

    fn value(&self, request: &RequestView<'_>, route: &str) -> Result<cel::Value, String> {
        let mut context = Context::default();
        let references = self.program.references();
        for root in ROOTS.iter().filter(|root| references.has_variable(root)) {
            let value = root_value(root, request, route);
            context
                .add_variable(*root, value)
                .map_err(|error| error.to_string())?;
        }
        self.program
            .execute(&context)
            .map_err(|error| format!("`{}`: {error}", self.source))
    }
}

/// How deep loops stand within one another. Recurses as deep as the expression, which is bounded by its length.
fn loops(expression: &IdedExpr) -> usize {
    let deepest = |parts: Vec<&IdedExpr>| parts.into_iter().map(loops).max().unwrap_or(0);
    match &expression.expr {
        Expr::Comprehension(each) => {
            let once = vec![&each.iter_range, &each.accu_init, &each.result];
            let every_time = vec![&each.loop_cond, &each.loop_step];
            deepest(once).max(1 + deepest(every_time))
        }
        _ => deepest(parts(expression)),
    }
}

/// The names that loops give to what they go through.
fn loop_names<'a>(expression: &'a IdedExpr, names: &mut Vec<&'a str>) {
    if let Expr::Comprehension(each) = &expression.expr {
        names.extend([each.iter_var.as_str(), each.accu_var.as_str()]);
        names.extend(each.iter_var2.as_deref());
    }
    for part in parts(expression) {
        loop_names(part, names);
    }
}

/// What an expression consists of.
fn parts(expression: &IdedExpr) -> Vec<&IdedExpr> {
    match &expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.args.iter().chain(call.target.as_deref()).collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(entry_parts).collect(),
        Expr::Struct(made) => made.entries.iter().flat_map(entry_parts).collect(),
        Expr::Comprehension(each) => vec![
            &each.iter_range,
            &each.accu_init,
            &each.loop_cond,
            &each.loop_step,
            &each.result,
        ],
    }
}

fn entry_parts(entry: &IdedEntryExpr) -> Vec<&IdedExpr> {
    match &entry.expr {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

fn root_value(root: &str, request: &RequestView<'_>, route: &str) -> serde_json::Value {
    let identity = request.identity;
    match root {
        "request" => {
            let names = request.headers.keys();
            let headers = names
                .filter_map(|name| {
                    Some((
                        name.to_string(),
                        request.header(name.as_str())?.into_owned(),
                    ))
                })
                .collect();
            let query = request
                .query_pairs()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect();
            let fields = RequestFields {
                method: request.method.as_str(),
                scheme: request.scheme,
                host: request.host,
                path: request.path,
                query,
                headers,
            };
            serde_json::to_value(fields).unwrap_or_default()
        }
        "route" => serde_json::json!({ "id": route }),
        "application" => identity
            .and_then(|identity| identity.application.as_ref())
            .map_or_else(
                || serde_json::json!({ "id": "", "plan": "", "scopes": [], "roles": [] }),
                |application| {
                    serde_json::json!({
                        "id": &*application.id,
                        "plan": application.plan.as_deref().unwrap_or_default(),
                        "scopes": &*application.scopes,
                        "roles": &*application.roles,
                    })
                },
            ),
        "claims" => identity
            .and_then(|identity| identity.claims.as_deref().cloned())
            .unwrap_or_else(|| serde_json::json!({})),
        _ => serde_json::json!({ "address": request.client.to_string() }),
    }
}

#[cfg(test)]
#[path = "condition_fuzz.rs"]
mod fuzz;
