//! `discriminator`: the one branch that a property names, in place of trying them all.

use serde_json::{Map, Value, json};

use super::pass::Pass;
use super::pointer::join;
use super::words::cut;

/// Whether a value has the form of a discriminator.
pub(super) fn is_one(value: &Value) -> bool {
    let mapping = value.get("mapping");
    let maps = |mapping: &Value| {
        let named = mapping.as_object();
        named.is_some_and(|named| named.values().all(Value::is_string))
    };
    value.get("propertyName").is_some_and(Value::is_string)
        && mapping.is_none_or(maps)
        && value.get("defaultMapping").is_none_or(Value::is_string)
}

/// A choice between schemas by the value of a property (OpenAPI 3.2.0 §4.25).
pub(super) struct Discriminator<'a> {
    property: &'a str,
    mapping: Option<&'a Map<String, Value>>,
    default: Option<&'a str>,
    /// `oneOf` or `anyOf`.
    keyword: &'static str,
    branches: Vec<&'a str>,
}

impl<'a> Discriminator<'a> {
    /// A discriminator whose branches are all references, as the specification demands. Others are no more than a hint.
    pub(super) fn read(object: &'a Map<String, Value>) -> Option<Self> {
        let discriminator = object.get("discriminator")?;
        let (keyword, branches) = ["oneOf", "anyOf"]
            .into_iter()
            .find_map(|keyword| Some((keyword, object.get(keyword)?.as_array()?)))
            .filter(|(_, branches)| !branches.is_empty())?;
        let branches: Option<Vec<&str>> = branches
            .iter()
            .map(|branch| branch.get("$ref")?.as_str())
            .collect();
        Some(Self {
            property: discriminator.get("propertyName")?.as_str()?,
            mapping: discriminator.get("mapping").and_then(Value::as_object),
            default: discriminator.get("defaultMapping").and_then(Value::as_str),
            keyword,
            branches: branches?,
        })
    }

    /// Replaces the branches in `out` by: the property must have a known value, and the branch of this value must hold.
    pub(super) fn apply(&self, pass: &mut Pass<'_>, pointer: &str, out: &mut Map<String, Value>) {
        let place = join(pointer, "discriminator");
        let mut values: Vec<Value> = Vec::new();
        let mut branches: Vec<Value> = Vec::new();
        let mapped = self.mapping.into_iter().flatten();
        let mapped = mapped.map(|(value, named)| (value.as_str(), named.as_str().unwrap_or("")));
        let implied = self.branches.iter().map(|reference| {
            let name = reference.rsplit('/').next().unwrap_or_default();
            (name, *reference)
        });
        for (value, named) in mapped.chain(implied) {
            if values.iter().any(|known| known == value) {
                continue;
            }
            let Some(reference) = self.resolve(pass, named, &place) else {
                continue;
            };
            branches.push(json!({
                "if": { "properties": { self.property: { "const": value } }, "required": [self.property] },
                "then": { "$ref": reference },
            }));
            values.push(value.into());
        }
        let known = json!({ "properties": { self.property: { "enum": values } }, "required": [self.property] });
        match self.default {
            None => branches.push(known),
            Some(named) => {
                if let Some(reference) = self.resolve(pass, named, &place) {
                    branches.push(json!({ "if": known, "else": { "$ref": reference } }));
                }
            }
        }
        out.remove(self.keyword);
        if let Some(all) = out
            .entry("allOf")
            .or_insert_with(|| json!([]))
            .as_array_mut()
        {
            all.push(json!({ "type": "object" }));
            all.extend(branches);
        }
    }

    /// A name of a schema, or a reference to one.
    fn resolve(&self, pass: &mut Pass<'_>, named: &str, place: &str) -> Option<String> {
        let by_name = join("/components/schemas", named);
        if pass.source.at(&by_name).is_some() {
            return Some(pass.reference(by_name));
        }
        if !named.starts_with('#') {
            let message = format!("`{}` is not a schema of this document", cut(named));
            let problem = pass.source.problem(place, message);
            pass.note(problem.help("write the name of a schema under `components.schemas`"));
            return None;
        }
        match pass.source.target(named, place) {
            Ok(target) => Some(pass.reference(target)),
            Err(problem) => {
                pass.note(problem);
                None
            }
        }
    }
}
