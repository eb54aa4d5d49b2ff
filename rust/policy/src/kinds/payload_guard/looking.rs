//! Looking through a request for attacks and for what rules find.

use std::ops::ControlFlow;

use http::header;
use lockgate_inspection::injection::{
    Field, Finding, Inspection, Location, OverBudget, RuleFinding, RulesInspection, Viewer,
    show_cookies, show_form, show_json, show_query, show_xml,
};
use lockgate_inspection::{json, xml};

use crate::payload;
use crate::request::RequestView;

/// Attacks and rules look at the same fields, one after the other.
pub struct Looking<'g> {
    pub attacks: Option<Box<dyn Inspection + 'g>>,
    pub rules: Option<RulesInspection<'g>>,
}

/// What was found.
pub struct Seen {
    pub attack: Option<Finding>,
    pub rules: Vec<RuleFinding>,
    pub over: Option<OverBudget>,
}

impl Viewer for Looking<'_> {
    fn field(&mut self, field: &Field<'_>) -> ControlFlow<()> {
        let attacks = match &mut self.attacks {
            // Attacks are looked for in values.
            Some(attacks) if field.location != Location::Body => attacks.field(field),
            _ => ControlFlow::Break(()),
        };
        let rules = match &mut self.rules {
            Some(rules) => rules.field(field),
            None => ControlFlow::Break(()),
        };
        if rules.is_continue() { rules } else { attacks }
    }
}

impl Looking<'_> {
    pub fn finish(self) -> Seen {
        let attacks = self.attacks.map(|attacks| attacks.finish());
        let rules = self.rules.map(RulesInspection::finish);
        let (attack, over) = match attacks {
            None => (None, None),
            Some(Ok(found)) => (found.into_iter().next(), None),
            Some(Err(over)) => (None, Some(over)),
        };
        let (rules, too) = rules.map_or((Vec::new(), None), |rules| (rules.found, rules.over));
        Seen {
            attack,
            rules,
            over: over.or(too),
        }
    }
}

/// Shows path, query and fields.
pub fn show_head(viewer: &mut dyn Viewer, request: &RequestView<'_>) {
    let _ = viewer.field(&Field::new(Location::Path, "path", request.path.as_bytes()));
    if let Some(query) = request.query {
        let _ = show_query(viewer, query.as_bytes());
    }
    for (name, value) in request.headers {
        let _ = if name == header::COOKIE {
            show_cookies(viewer, value.as_bytes())
        } else {
            viewer.field(&Field::new(
                Location::Header,
                name.as_str(),
                value.as_bytes(),
            ))
        };
    }
}

/// Shows the body as it is, as what it says it is, and as what it looks like.
pub fn show_body(
    viewer: &mut dyn Viewer,
    request: &RequestView<'_>,
    body: &[u8],
) -> Result<(), String> {
    if body.is_empty() {
        return Ok(());
    }
    let _ = viewer.field(&Field::new(Location::Body, "the body", body));
    let (says_json, says_xml) = (
        payload::claims(request, "json"),
        payload::claims(request, "xml"),
    );
    if payload::claims(request, "x-www-form-urlencoded") {
        let _ = show_form(viewer, body);
    }
    if (says_json || json::looks_like_json(body))
        && let Err(violation) = show_json(viewer, body)
        && says_json
    {
        return Err(format!("the body is not JSON: {violation}"));
    }
    if (says_xml || xml::looks_like_xml(body))
        && let Err(violation) = show_xml(viewer, body)
        && says_xml
    {
        return Err(format!("the body is not XML: {violation}"));
    }
    Ok(())
}
