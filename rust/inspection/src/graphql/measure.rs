//! Depth, aliases, directives and cost of the operations of a document.

use std::collections::HashMap;

use apollo_parser::cst::{self, CstNode as _, Selection, Value};
use serde_json::{Map, Value as Json};

use super::cut;
use super::document::{Document, spread_name, spreads};
use super::limits::{GraphqlViolation, Measure};

/// Arguments that ask for a number of items.
const LIST_SIZES: [&str; 6] = ["first", "last", "limit", "take", "pageSize", "page_size"];

pub(super) fn measure(
    document: &Document,
    variables: &Map<String, Json>,
) -> Result<Measure, GraphqlViolation> {
    let order = fragments_in_order(document)?;
    let mut total = Measure::default();
    for operation in &document.operations {
        let defaults = defaults(operation);
        let mut pass = Pass {
            fragments: HashMap::new(),
            variables,
            defaults: &defaults,
        };
        // Variables mean what the operation says, so fragments are measured per operation.
        for name in &order {
            if let Some(fragment) = document.fragments.get(*name) {
                let mut inside = pass.selections(fragment.selection_set());
                inside.directives = inside
                    .directives
                    .saturating_add(count(fragment.directives()));
                pass.fragments.insert(name, inside);
            }
        }
        let mut one = pass.selections(operation.selection_set());
        one.directives = one.directives.saturating_add(count(operation.directives()));
        total.add(one);
    }
    Ok(total)
}

/// Fragments such that each comes behind those it spreads; every spread of the document is checked. Iterative.
fn fragments_in_order(document: &Document) -> Result<Vec<&str>, GraphqlViolation> {
    #[derive(PartialEq)]
    enum Mark {
        Open,
        Done,
    }
    for operation in &document.operations {
        let below = operation
            .syntax()
            .descendants()
            .filter_map(cst::FragmentSpread::cast);
        for name in below.filter_map(|spread| spread_name(&spread)) {
            known(document, &name)?;
        }
    }
    let mut marks: HashMap<&str, Mark> = HashMap::new();
    let mut order = Vec::new();
    for start in document.fragments.keys() {
        let mut stack = vec![(start.as_str(), false)];
        while let Some((name, children_done)) = stack.pop() {
            if children_done {
                marks.insert(name, Mark::Done);
                order.push(name);
                continue;
            }
            if marks.contains_key(name) {
                continue;
            }
            marks.insert(name, Mark::Open);
            stack.push((name, true));
            for child in document
                .fragments
                .get(name)
                .map(spreads)
                .unwrap_or_default()
            {
                let child = known(document, &child)?;
                match marks.get(child) {
                    Some(Mark::Open) => {
                        return Err(GraphqlViolation::FragmentCycle { name: cut(child) });
                    }
                    Some(Mark::Done) => {}
                    None => stack.push((child, false)),
                }
            }
        }
    }
    Ok(order)
}

fn known<'d>(document: &'d Document, name: &str) -> Result<&'d str, GraphqlViolation> {
    let found = document
        .fragments
        .get_key_value(name)
        .map(|(name, _)| name.as_str());
    found.ok_or_else(|| GraphqlViolation::UnknownFragment { name: cut(name) })
}

/// List sizes in the default values of the operation's variables.
fn defaults(operation: &cst::OperationDefinition) -> HashMap<String, Value> {
    let definitions = operation
        .variable_definitions()
        .into_iter()
        .flat_map(|all| all.variable_definitions());
    definitions
        .filter_map(|each| {
            Some((
                each.variable()?.name()?.text().to_string(),
                each.default_value()?.value()?,
            ))
        })
        .collect()
}

fn count(directives: Option<cst::Directives>) -> u64 {
    directives.map_or(0, |all| all.directives().count() as u64)
}

struct Pass<'p> {
    fragments: HashMap<&'p str, Measure>,
    variables: &'p Map<String, Json>,
    defaults: &'p HashMap<String, Value>,
}

impl Pass<'_> {
    /// Recursion is bounded by the nesting of brackets that the lexer admitted.
    fn selections(&self, set: Option<cst::SelectionSet>) -> Measure {
        let mut sum = Measure::default();
        for selection in set.into_iter().flat_map(|set| set.selections()) {
            sum.add(match selection {
                Selection::Field(field) => self.field(&field),
                Selection::InlineFragment(inline) => {
                    let mut inside = self.selections(inline.selection_set());
                    inside.directives =
                        inside.directives.saturating_add(count(inline.directives()));
                    inside
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread_name(&spread).unwrap_or_default();
                    let mut inside = self
                        .fragments
                        .get(name.as_str())
                        .copied()
                        .unwrap_or_default();
                    inside.directives =
                        inside.directives.saturating_add(count(spread.directives()));
                    inside
                }
            });
        }
        sum
    }

    fn field(&self, field: &cst::Field) -> Measure {
        let inside = self.selections(field.selection_set());
        Measure {
            depth: inside.depth.saturating_add(1),
            aliases: inside
                .aliases
                .saturating_add(u64::from(field.alias().is_some())),
            directives: inside.directives.saturating_add(count(field.directives())),
            tokens: 0,
            cost: inside
                .cost
                .saturating_add(1)
                .saturating_mul(self.list_size(field.arguments())),
        }
    }

    fn list_size(&self, arguments: Option<cst::Arguments>) -> u64 {
        let arguments = arguments.into_iter().flat_map(|all| all.arguments());
        let sizes =
            arguments.filter_map(|each| Some(self.size_in(&each.name()?.text(), &each.value()?)));
        sizes.max().unwrap_or(1).max(1)
    }

    /// The list size that an argument asks for; 0 if none. Recursion is bounded as in [`Self::selections`].
    fn size_in(&self, name: &str, value: &Value) -> u64 {
        let counts = LIST_SIZES.contains(&name);
        match value {
            Value::IntValue(_) | Value::FloatValue(_) | Value::StringValue(_) if counts => {
                number_in(&value.syntax().text().to_string())
            }
            Value::ObjectValue(object) => {
                let sizes = object
                    .object_fields()
                    .filter_map(|each| Some(self.size_in(&each.name()?.text(), &each.value()?)));
                sizes.max().unwrap_or(0)
            }
            Value::ListValue(list) => list
                .values()
                .map(|each| self.size_in(name, &each))
                .max()
                .unwrap_or(0),
            Value::Variable(variable) => {
                let key = variable
                    .name()
                    .map(|name| name.text().to_string())
                    .unwrap_or_default();
                match (self.variables.get(&key), self.defaults.get(&key)) {
                    (Some(given), _) => size_in_json(name, given),
                    // A default holds no variables (GraphQL §2.10), so this does not recurse further.
                    (None, Some(default)) if !matches!(default, Value::Variable(_)) => {
                        self.size_in(name, default)
                    }
                    _ => 0,
                }
            }
            _ => 0,
        }
    }
}

/// Recursion is bounded by the nesting that the JSON parser admits, 128.
fn size_in_json(name: &str, value: &Json) -> u64 {
    match value {
        Json::Number(number) if LIST_SIZES.contains(&name) => number_in(&number.to_string()),
        // Lenient servers coerce strings to numbers.
        Json::String(text) if LIST_SIZES.contains(&name) => number_in(text),
        Json::Object(members) => members
            .iter()
            .map(|(key, value)| size_in_json(key, value))
            .max()
            .unwrap_or(0),
        Json::Array(items) => items
            .iter()
            .map(|item| size_in_json(name, item))
            .max()
            .unwrap_or(0),
        _ => 0,
    }
}

fn number_in(text: &str) -> u64 {
    let text = text.trim_matches(|each: char| each == '"' || each.is_ascii_whitespace());
    // A cast from float saturates, and makes 0 of negative numbers and of what is no number.
    text.parse::<u64>()
        .unwrap_or_else(|_| text.parse::<f64>().unwrap_or(0.0) as u64)
}
