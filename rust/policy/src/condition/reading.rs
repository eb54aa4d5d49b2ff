//! The types in an expression: what can never hold, or never has a value, is said at once and not by every request.

use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, operators,
};
use lockgate_config::{Problem, Span, nearest};

use super::types::Type;
use super::{functions, parts};

/// How deep parts of an expression may stand within one another: so bounded, reading it comes nowhere near the end of a thread's stack.
const MAX_DEPTH: usize = 200;

/// The type of an expression whose names are known.
///
/// # Errors
/// The first part of it that can never be right, at the expression.
pub(super) fn of(expression: &IdedExpr, span: &Span) -> Result<Type, Problem> {
    let mut reading = Reading {
        span,
        own: Vec::new(),
        depth: 0,
    };
    reading.of(expression)
}

/// Goes through an expression once.
pub(super) struct Reading<'a> {
    pub(super) span: &'a Span,
    /// The names that loops give, innermost last.
    own: Vec<(&'a str, Type)>,
    /// How many parts are being read, each within the one before.
    depth: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn of(&mut self, expression: &'a IdedExpr) -> Result<Type, Problem> {
        if self.depth >= MAX_DEPTH {
            let message = format!("the expression is more than {MAX_DEPTH} parts deep");
            let help = "write several policies, each with a shorter expression";
            return self.problem(message, Some(help.to_owned()));
        }
        self.depth += 1;
        let found = self.of_part(expression);
        self.depth -= 1;
        found
    }

    fn of_part(&mut self, expression: &'a IdedExpr) -> Result<Type, Problem> {
        match &expression.expr {
            Expr::Ident(name) => Ok(self.name(name)),
            Expr::Literal(literal) => Ok(Type::of_literal(literal)),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(each) => self.each(each),
            Expr::List(list) => self.list(list),
            Expr::Map(_) => self.parts(expression).map(|()| Type::Map),
            Expr::Struct(_) | Expr::Unspecified => self.parts(expression).map(|()| Type::Any),
        }
    }

    pub(super) fn problem<T>(&self, message: String, help: Option<String>) -> Result<T, Problem> {
        let problem = Problem::new(self.span, message);
        Err(match help {
            Some(help) => problem.help(help),
            None => problem,
        })
    }

    fn parts(&mut self, expression: &'a IdedExpr) -> Result<(), Problem> {
        for part in parts(expression) {
            self.of(part)?;
        }
        Ok(())
    }

    fn name(&self, name: &str) -> Type {
        let own = self.own.iter().rev().find(|(own, _)| *own == name);
        own.map_or_else(|| Type::of_root(name), |(_, found)| *found)
    }

    fn list(&mut self, list: &'a ListExpr) -> Result<Type, Problem> {
        let mut all = None;
        for element in &list.elements {
            let found = self.of(element)?;
            all = match all {
                None => Some(found),
                Some(other) if other == found => all,
                Some(_) => Some(Type::Any),
            };
        }
        Ok(match all {
            Some(Type::Text) => Type::Texts,
            _ => Type::List,
        })
    }

    fn each(&mut self, each: &'a ComprehensionExpr) -> Result<Type, Problem> {
        let over = self.of(&each.iter_range)?;
        if over != Type::Any && !over.is_list() && !over.is_mapping() {
            let subject = subject(&each.iter_range, over);
            return self.problem(format!("{subject} is no list to go through"), None);
        }
        let gathered = self.of(&each.accu_init)?;
        let before = self.own.len();
        self.own.push((&each.iter_var, over.item()));
        let second = each.iter_var2.as_deref().map(|name| (name, Type::Any));
        self.own.extend(second);
        self.own.push((&each.accu_var, gathered));
        self.of(&each.loop_cond)?;
        self.of(&each.loop_step)?;
        let result = self.of(&each.result)?;
        self.own.truncate(before);
        Ok(result)
    }

    fn select(&mut self, select: &'a SelectExpr) -> Result<Type, Problem> {
        let operand = self.of(&select.operand)?;
        let member = self.member(&select.operand, operand, &select.field)?;
        Ok(if select.test { Type::Bool } else { member })
    }

    fn member(&self, operand: &IdedExpr, found: Type, member: &str) -> Result<Type, Problem> {
        let members = match found {
            Type::Any | Type::Map => return Ok(Type::Any),
            Type::Fields => return Ok(Type::Text),
            Type::Of(members) => members,
            other => {
                let whole = subject(operand, Type::Any);
                let message = format!(
                    "{whole} is {} and has no member `{member}`",
                    other.in_words()
                );
                return self.problem(message, None);
            }
        };
        if let Some((_, found)) = members.iter().find(|(name, _)| *name == member) {
            return Ok(*found);
        }
        let whole = name_of(operand);
        let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        let help = match nearest(member, &names) {
            Some(near) => format!("did you mean `{whole}.{near}`?"),
            None => format!("it has `{}`", names.join("`, `")),
        };
        self.problem(format!("`{whole}` has no member `{member}`"), Some(help))
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<Type, Problem> {
        let name = call.func_name.as_str();
        match (name, call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
                self.truth(name, left)?;
                self.truth(name, right)
            }
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [one]) => {
                self.truth(name, one)
            }
            (operators::CONDITIONAL, [asked, one, other]) => self.choice(asked, one, other),
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => self.equal(left, right),
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [left, right],
            ) => self.order(name, left, right),
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                [left, right],
            ) => self.join(name, left, right),
            (operators::NEGATE, [one]) => self.negate(one),
            (operators::IN, [one, all]) => self.within(one, all),
            (operators::INDEX, [operand, index]) => self.index(operand, index),
            _ if name.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                functions::call(self, call)
            }
            // What is left are looks at members that may be missing.
            _ => {
                for part in call.args.iter().chain(call.target.as_deref()) {
                    self.of(part)?;
                }
                Ok(Type::Any)
            }
        }
    }

    fn truth(&mut self, operator: &str, one: &'a IdedExpr) -> Result<Type, Problem> {
        let found = self.of(one)?;
        if matches!(found, Type::Bool | Type::Any) {
            return Ok(Type::Bool);
        }
        let message = format!(
            "`{}` is asked of what is true or false, and not of {}",
            shown(operator),
            subject(one, found)
        );
        self.problem(message, compare(one, found))
    }

    fn choice(
        &mut self,
        asked: &'a IdedExpr,
        one: &'a IdedExpr,
        other: &'a IdedExpr,
    ) -> Result<Type, Problem> {
        self.truth("?", asked)?;
        let (first, second) = (self.of(one)?, self.of(other)?);
        if !first.may_equal(second) {
            let message = format!(
                "`:` stands between {} and {}; both must be of one sort",
                subject(one, first),
                subject(other, second)
            );
            return self.problem(message, None);
        }
        Ok(if first == second { first } else { Type::Any })
    }

    fn equal(&mut self, left: &'a IdedExpr, right: &'a IdedExpr) -> Result<Type, Problem> {
        let (one, other) = (self.of(left)?, self.of(right)?);
        if one.may_equal(other) {
            return Ok(Type::Bool);
        }
        let message = format!(
            "{} never equals {}",
            subject(left, one),
            subject(right, other)
        );
        let quotes = [(one, left, other), (other, right, one)]
            .into_iter()
            .find_map(|(found, part, beside)| {
                quoted(part).filter(|_| found.is_number() && beside == Type::Text)
            });
        self.problem(
            message,
            quotes.map(|text| format!("write `{text}` in quotes")),
        )
    }

    fn order(
        &mut self,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Result<Type, Problem> {
        let (one, other) = (self.of(left)?, self.of(right)?);
        if one.is_ordered_with(other) {
            return Ok(Type::Bool);
        }
        let message = format!(
            "`{}` cannot compare {} with {}",
            shown(operator),
            subject(left, one),
            subject(right, other)
        );
        let text = [one, other].contains(&Type::Text) && (one.is_number() || other.is_number());
        let help = "`int(…)` makes a number of a text, and `size(…)` gives its length";
        self.problem(message, text.then(|| help.to_owned()))
    }

    fn join(
        &mut self,
        operator: &str,
        left: &'a IdedExpr,
        right: &'a IdedExpr,
    ) -> Result<Type, Problem> {
        let (one, other) = (self.of(left)?, self.of(right)?);
        if let Some(made) = one.joined(operator, other) {
            return Ok(made);
        }
        let message = format!(
            "`{}` cannot join {} and {}",
            shown(operator),
            subject(left, one),
            subject(right, other)
        );
        let help = match (one.is_number(), other.is_number()) {
            (true, true) => Some("`int(…)` and `double(…)` make both of one sort"),
            _ if [one, other].contains(&Type::Text) => Some("`string(…)` makes a text of a value"),
            _ => None,
        };
        self.problem(message, help.map(str::to_owned))
    }

    fn negate(&mut self, one: &'a IdedExpr) -> Result<Type, Problem> {
        let found = self.of(one)?;
        if found == Type::Any || found.is_number() {
            return Ok(found);
        }
        self.problem(
            format!("`-` cannot stand before {}", subject(one, found)),
            None,
        )
    }

    fn within(&mut self, one: &'a IdedExpr, all: &'a IdedExpr) -> Result<Type, Problem> {
        let (sought, found) = (self.of(one)?, self.of(all)?);
        if found != Type::Any && !found.is_list() && !found.is_mapping() {
            let message = format!(
                "`in` looks into a list, and not into {}",
                subject(all, found)
            );
            let help = (found == Type::Text).then(|| "write `text.contains(…)`".to_owned());
            return self.problem(message, help);
        }
        if !found.item().may_equal(sought) {
            let message = format!(
                "{} never holds {}",
                subject(all, found),
                subject(one, sought)
            );
            return self.problem(message, None);
        }
        Ok(Type::Bool)
    }

    fn index(&mut self, operand: &'a IdedExpr, index: &'a IdedExpr) -> Result<Type, Problem> {
        let (found, place) = (self.of(operand)?, self.of(index)?);
        if let Expr::Literal(LiteralValue::String(name)) = &index.expr {
            return self.member(operand, found, name.inner());
        }
        let fits = match found {
            Type::List | Type::Texts => place == Type::Any || place.is_number(),
            Type::Fields | Type::Of(_) => matches!(place, Type::Any | Type::Text),
            Type::Map | Type::Any => true,
            _ => false,
        };
        if !fits {
            let message = format!(
                "{} has no member {}",
                subject(operand, found),
                place.in_words()
            );
            return self.problem(message, None);
        }
        Ok(match found {
            Type::Of(_) => Type::Any,
            found => found.item(),
        })
    }
}

/// How a person writes an operator.
fn shown(operator: &str) -> &str {
    match operator {
        operators::CONDITIONAL => "?",
        other => other.trim_matches(['_', '@']),
    }
}

/// What to write in place of a value that is not true or false.
fn compare(one: &IdedExpr, found: Type) -> Option<String> {
    let name = name_of(one);
    let beside = match found {
        Type::Text if !name.is_empty() => "'value'",
        found if found.is_number() && !name.is_empty() => "1",
        _ => return None,
    };
    Some(format!("compare it, such as `{name} == {beside}`"))
}

/// A part of an expression in a message: its name, when it has one, and what it is.
pub(super) fn subject(expression: &IdedExpr, found: Type) -> String {
    let name = name_of(expression);
    match (name.is_empty(), found) {
        (true, Type::Any) => "what stands there".to_owned(),
        (true, found) => found.in_words().to_owned(),
        (false, Type::Any) => format!("`{name}`"),
        (false, found) => format!("`{name}` ({})", found.in_words()),
    }
}

/// A number as it would be written as a text.
fn quoted(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Literal(LiteralValue::Int(number)) => Some(format!("'{}'", number.inner())),
        _ => None,
    }
}

/// An operand as a person writes it; empty for what is no name or member of one.
fn name_of(expression: &IdedExpr) -> String {
    let within = |operand: &IdedExpr, member: &str| match name_of(operand) {
        operand if operand.is_empty() => operand,
        operand => format!("{operand}.{member}"),
    };
    match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => within(&select.operand, &select.field),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, index] => match &index.expr {
                Expr::Literal(LiteralValue::String(name)) => within(operand, name.inner()),
                _ => String::new(),
            },
            _ => String::new(),
        },
        _ => String::new(),
    }
}
