//! # What it does
//! Lets only callers pass who have what the policy asks for: scopes, roles, a plan, claims.
//!
//! # When to use
//! Some requests need more than being known, such as deleting an order.
//!
//! # Example
//! ```yaml
//! - { id: may-delete, kind: require, scopes: [orders:write] }
//! - { id: staff, kind: require, any_of: [{ roles: [admin] }, { claims: { department: support } }] }
//! ```
//!
//! # On failure
//! 403 with `insufficient_scope` (RFC 6750 §3.1) when scopes are missing. Without a caller it is 401.

use http::header;
use indexmap::IndexMap;
use lockgate_config::{Each, OnError, PolicyEntry, Problem, decode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::env::Env;
use crate::identity::Identity;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::{Refusal, Verdict};

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "require",
    phase: Phase::Authorize,
    about: "Lets only callers pass who have the scopes, roles, plan or claims that it names.",
    on_error: OnError::Deny,
    needs_identity: true,
    needs_prompt: false,
    reasons: &[&UNIDENTIFIED, &SCOPE, &ROLE, &PLAN, &CLAIM],
    schema: Settings::json_schema,
    compile,
};

static UNIDENTIFIED: Reason = Reason::new(
    "require.unidentified",
    401,
    "Credential required",
    "send the credential that this API asks for",
);
static SCOPE: Reason = Reason::new(
    "require.scope",
    403,
    "Scope missing",
    "ask the API's owner for the missing scope, or use a token that has it",
);
static ROLE: Reason = Reason::new(
    "require.role",
    403,
    "Role missing",
    "ask the API's owner for the role that this needs",
);
static PLAN: Reason = Reason::new(
    "require.plan",
    403,
    "Not part of the plan",
    "move the application to a plan that includes this",
);
static CLAIM: Reason = Reason::new(
    "require.claim",
    403,
    "Claim missing",
    "use a token that carries the claim that this needs",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Scopes, all of which the credential must have.
    scopes: Option<Each<String>>,
    /// Roles, one of which the application must have.
    roles: Option<Each<String>>,
    /// Plans, one of which the application must be on.
    plans: Option<Each<String>>,
    /// Claims that the token must carry: one value, or a list of which one must match.
    claims: Option<IndexMap<String, Wanted>>,
    /// Alternatives, one of which must hold.
    any_of: Option<Each<Demand>>,
    /// Demands, all of which must hold.
    all_of: Option<Each<Demand>>,
}

/// What a caller must have. Everything that is written must hold.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Demand {
    /// Scopes, all of which the credential must have.
    scopes: Option<Each<String>>,
    /// Roles, one of which the application must have.
    roles: Option<Each<String>>,
    /// Plans, one of which the application must be on.
    plans: Option<Each<String>>,
    /// Claims that the token must carry.
    claims: Option<IndexMap<String, Wanted>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Wanted {
    /// One of several values.
    OneOf(Vec<Value>),
    /// This value.
    Exactly(Value),
}

#[derive(Debug)]
struct Require {
    all: Vec<Demand>,
    any: Vec<Demand>,
}

impl Demand {
    fn is_empty(&self) -> bool {
        self.scopes.is_none()
            && self.roles.is_none()
            && self.plans.is_none()
            && self.claims.as_ref().is_none_or(IndexMap::is_empty)
    }

    /// What the caller lacks, if anything.
    fn lacks(&self, identity: &Identity) -> Option<Box<Refusal>> {
        let application = identity.application.as_deref();
        if let Some(scopes) = &self.scopes {
            let missing: Vec<&str> = scopes
                .iter()
                .filter(|scope| !identity.scopes.contains(scope))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                let wanted = scopes.join(" ");
                let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{wanted}\"");
                let refusal = Refusal::new(
                    &SCOPE,
                    format!("the credential lacks the scope `{}`", missing.join("`, `")),
                );
                return Some(Box::new(
                    refusal.header(header::WWW_AUTHENTICATE, &challenge),
                ));
            }
        }
        if let Some(roles) = &self.roles
            && !application.is_some_and(|application| {
                roles.iter().any(|role| application.roles.contains(role))
            })
        {
            return Some(Box::new(Refusal::new(
                &ROLE,
                format!("this needs the role `{}`", roles.join("` or `")),
            )));
        }
        if let Some(plans) = &self.plans
            && !application
                .and_then(|application| application.plan.as_deref())
                .is_some_and(|plan| plans.iter().any(|wanted| wanted == plan))
        {
            return Some(Box::new(Refusal::new(
                &PLAN,
                format!("this is part of the plan `{}`", plans.join("` or `")),
            )));
        }
        let claims = self.claims.iter().flatten();
        for (name, wanted) in claims {
            let found = identity
                .claims
                .as_deref()
                .and_then(|claims| claims.get(name));
            if !found.is_some_and(|found| wanted.accepts(found)) {
                return Some(Box::new(Refusal::new(
                    &CLAIM,
                    format!("the token does not carry the claim `{name}` that this needs"),
                )));
            }
        }
        None
    }
}

impl Wanted {
    /// A claim that is a list holds when one of its items does.
    fn accepts(&self, found: &Value) -> bool {
        let matches = |wanted: &Value| {
            wanted == found || found.as_array().is_some_and(|items| items.contains(wanted))
        };
        match self {
            Self::Exactly(wanted) => matches(wanted),
            Self::OneOf(several) => several.iter().any(matches),
        }
    }
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    let own = Demand {
        scopes: settings.scopes,
        roles: settings.roles,
        plans: settings.plans,
        claims: settings.claims,
    };
    let mut all: Vec<Demand> = settings.all_of.into_iter().flatten().collect();
    let any: Vec<Demand> = settings.any_of.into_iter().flatten().collect();
    if all.iter().chain(&any).any(Demand::is_empty) {
        return Err(vec![
            Problem::new(&entry.span, "an empty demand would let everybody pass")
                .help("write `scopes`, `roles`, `plans` or `claims`"),
        ]);
    }
    if !own.is_empty() {
        all.push(own);
    }
    if all.is_empty() && any.is_empty() {
        return Err(vec![
            Problem::new(
                &entry.span,
                format!("the policy `{}` requires nothing", entry.id.value),
            )
            .help("write `scopes`, `roles`, `plans`, `claims`, `any_of` or `all_of`"),
        ]);
    }
    Ok(Box::new(Require { all, any }))
}

impl Policy for Require {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let Some(identity) = request.identity else {
            return Verdict::deny(&UNIDENTIFIED, "this needs a caller who is known");
        };
        if let Some(refusal) = self.all.iter().find_map(|demand| demand.lacks(identity)) {
            return Verdict::Deny(refusal);
        }
        let mut lacking = None;
        for demand in &self.any {
            match demand.lacks(identity) {
                None => return Verdict::allow(),
                Some(refusal) => lacking = lacking.or(Some(refusal)),
            }
        }
        lacking.map_or_else(Verdict::allow, Verdict::Deny)
    }
}
