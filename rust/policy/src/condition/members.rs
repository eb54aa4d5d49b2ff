//! The members that the names of an expression have: a misspelt one is said at once, not by every request.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use lockgate_config::{Problem, Span, nearest};

use super::parts;

/// What a name or a member is.
#[derive(Clone, Copy)]
enum Shape {
    /// A thing with exactly these members.
    Of(&'static [(&'static str, Shape)]),
    Text,
    List,
    /// Names and values that requests bring.
    Any,
}

const REQUEST: Shape = Shape::Of(&[
    ("method", Shape::Text),
    ("scheme", Shape::Text),
    ("host", Shape::Text),
    ("path", Shape::Text),
    ("query", Shape::Any),
    ("headers", Shape::Any),
]);
const APPLICATION: Shape = Shape::Of(&[
    ("id", Shape::Text),
    ("plan", Shape::Text),
    ("scopes", Shape::List),
    ("roles", Shape::List),
]);

fn root(name: &str) -> Shape {
    match name {
        "request" => REQUEST,
        "route" => Shape::Of(&[("id", Shape::Text)]),
        "application" => APPLICATION,
        "client" => Shape::Of(&[("address", Shape::Text)]),
        _ => Shape::Any,
    }
}

/// Checks every member that an expression names. `own` are the names that its loops give.
///
/// # Errors
/// The first that does not exist, at the expression.
pub fn check(expression: &IdedExpr, own: &[&str], span: &Span) -> Result<(), Problem> {
    shape(expression, own, span)?;
    let inner = parts(expression);
    inner
        .into_iter()
        .try_for_each(|part| check(part, own, span))
}

/// What an expression is; `Any` when only requests can tell.
fn shape(expression: &IdedExpr, own: &[&str], span: &Span) -> Result<Shape, Problem> {
    let (operand, member) = match &expression.expr {
        Expr::Ident(name) if !own.contains(&name.as_str()) => return Ok(root(name)),
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) if call.func_name == cel::common::ast::operators::INDEX => {
            match call.args.as_slice() {
                [operand, index] => match &index.expr {
                    Expr::Literal(LiteralValue::String(name)) => (operand, name.inner()),
                    _ => return Ok(Shape::Any),
                },
                _ => return Ok(Shape::Any),
            }
        }
        _ => return Ok(Shape::Any),
    };
    let whole = name_of(operand);
    let none = |what: &str| {
        let message = format!("`{whole}` is {what} and has no member `{member}`");
        Err(Problem::new(span, message))
    };
    match shape(operand, own, span)? {
        Shape::Any => Ok(Shape::Any),
        Shape::Text => none("a text"),
        Shape::List => none("a list"),
        Shape::Of(members) => {
            let found = members.iter().find(|(name, _)| *name == member);
            found.map(|(_, shape)| *shape).ok_or_else(|| {
                let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
                let problem = Problem::new(span, format!("`{whole}` has no member `{member}`"));
                match nearest(member, &names) {
                    Some(near) => problem.help(format!("did you mean `{whole}.{near}`?")),
                    None => problem.help(format!("it has `{}`", names.join("`, `"))),
                }
            })
        }
    }
}

/// An operand as a person writes it. Only names and members of them have a shape.
fn name_of(expression: &IdedExpr) -> String {
    match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", name_of(&select.operand), select.field),
        Expr::Call(call) => match call.args.as_slice() {
            [operand, index] => match &index.expr {
                Expr::Literal(LiteralValue::String(name)) => {
                    format!("{}.{}", name_of(operand), name.inner())
                }
                _ => String::new(),
            },
            _ => String::new(),
        },
        _ => String::new(),
    }
}
