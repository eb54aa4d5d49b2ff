//! `when`: conditions in the Common Expression Language, checked before they run.

mod functions;
mod reading;
mod types;

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr};
use cel::{Context, Program};
use serde::Serialize;

use lockgate_config::{Problem, Spanned};

use crate::request::RequestView;

use types::Type;

/// The names an expression may start from.
pub const ROOTS: &[&str] = &["request", "route", "application", "claims", "client"];

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
    /// Reads and checks an expression that is true or false: its syntax, the names it starts from and their members, the functions
    /// it calls, and the types of all.
    ///
    /// # Errors
    /// What is wrong, at the expression.
    pub fn compile(text: &Spanned<String>) -> Result<Self, Problem> {
        let (condition, gives) = Self::read(text)?;
        if matches!(gives, Type::Bool | Type::Any) {
            return Ok(condition);
        }
        let message = format!(
            "the condition gives {}, not `true` or `false`",
            gives.in_words()
        );
        Err(Problem::new(&text.span, message)
            .help("compare it with what it should be, as in `request.method == 'POST'`"))
    }

    /// Reads and checks an expression whose value is a key.
    ///
    /// # Errors
    /// What is wrong, at the expression.
    pub fn compile_key(text: &Spanned<String>) -> Result<Self, Problem> {
        let (condition, gives) = Self::read(text)?;
        if matches!(
            gives,
            Type::Text | Type::Int | Type::Uint | Type::Bool | Type::Any
        ) {
            return Ok(condition);
        }
        let message = format!("the expression gives {}, which is no key", gives.in_words());
        Err(Problem::new(&text.span, message)
            .help("write one that gives a text, as in `request.headers['x-tenant']`"))
    }

    fn read(text: &Spanned<String>) -> Result<(Self, Type), Problem> {
        if text.len() > MAX_BYTES {
            let message = format!("the expression has more than {MAX_BYTES} bytes");
            return Err(Problem::new(&text.span, message)
                .help("write several policies, each with a shorter expression"));
        }
        let program = Program::compile(text).map_err(|error| {
            let (message, help) = syntax(&error.to_string());
            Problem::new(&text.span, message).help(help)
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
        let gives = reading::of(program.expression(), &text.span)?;
        let condition = Self {
            program,
            source: text.value.clone(),
        };
        Ok((condition, gives))
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

/// What is wrong with the syntax, and what to write: the parser says it with the tokens of its grammar.
fn syntax(error: &str) -> (String, &'static str) {
    if error.contains("Recursion limit") {
        let help = "write several policies, each with a shorter expression";
        return ("the expression is nested too deep".to_owned(), help);
    }
    let first = error.lines().next().unwrap_or_default();
    let first = first.strip_prefix("ERROR: <input>:").unwrap_or(first);
    let mut parts = first.splitn(3, ':');
    let place = match (parts.next(), parts.next()) {
        (Some(line), Some(column)) if line.parse::<u32>().is_ok() => {
            column.parse::<u32>().ok().map(|column| (line, column))
        }
        _ => None,
    };
    let (what, at) = match place {
        Some((line, column)) => {
            let what = parts.next().unwrap_or_default().trim();
            let line = (line != "1").then(|| format!("line {line}, "));
            (
                what,
                format!(" at {}character {column}", line.unwrap_or_default()),
            )
        }
        None => (first, String::new()),
    };
    let what = what.strip_prefix("Syntax error: ").unwrap_or(what);
    let what = what.split(" expecting ").next().unwrap_or(what);
    let what = what
        .replace("mismatched input '<EOF>'", "its end comes too early")
        .replace("mismatched input", "unexpected")
        .replace("token recognition error at:", "unexpected");
    let words = ["'and'", "'or'", "'not'", "'= '", "'='"];
    let help = if words.iter().any(|word| what.contains(word)) {
        "write `&&` for and, `||` for or, `!` for not, `==` for equal"
    } else {
        "write one such as `request.method == 'POST' && request.path.startsWith('/orders')`"
    };
    (format!("this is not a CEL expression: {what}{at}"), help)
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
