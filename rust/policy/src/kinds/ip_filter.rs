//! # What it does
//! Lets requests pass by the caller's address: those of `allow`, and none of `deny`.
//!
//! # When to use
//! An API is for known networks only, or a network must be kept out.
//!
//! # Example
//! ```yaml
//! - { id: offices, kind: ip_filter, allow: [192.0.2.0/24, "2001:db8::/32"] }
//! ```
//!
//! # On failure
//! 403. The address is the socket's, or the one that a listed proxy named; no header of the caller changes it (H5).

use std::net::IpAddr;

use ipnet::IpNet;
use lockgate_config::{Each, OnError, PolicyEntry, Problem, Spanned, decode};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::env::Env;
use crate::policy::{Compiled, Compiling, Kind, Phase, Policy};
use crate::reason::Reason;
use crate::request::RequestView;
use crate::verdict::Verdict;

/// The catalogue entry.
pub static KIND: Kind = Kind {
    name: "ip_filter",
    phase: Phase::Authorize,
    about: "Lets requests pass by the caller's address.",
    on_error: OnError::Deny,
    needs_identity: false,
    needs_prompt: false,
    reasons: &[&REFUSED],
    schema: Settings::json_schema,
    compile,
};

static REFUSED: Reason = Reason::new(
    "ip_filter.refused",
    403,
    "Address not allowed",
    "call from a network that the API's owner has allowed",
);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Networks whose callers pass; all others are refused.
    allow: Option<Each<Spanned<String>>>,
    /// Networks whose callers are refused, also when `allow` holds them.
    deny: Option<Each<Spanned<String>>>,
}

#[derive(Debug)]
struct Filter {
    allow: Option<Vec<IpNet>>,
    deny: Vec<IpNet>,
}

fn compile(entry: &PolicyEntry, _: &Compiling<'_>) -> Compiled {
    let settings: Settings = decode(&entry.settings)?;
    if settings.allow.is_none() && settings.deny.is_none() {
        let problem = Problem::new(
            &entry.span,
            format!("the policy `{}` filters nothing", entry.id.value),
        );
        return Err(vec![problem.help(
            "write `allow` or `deny` with networks such as `192.0.2.0/24`",
        )]);
    }
    let mut problems = Vec::new();
    let mut read = |list: Each<Spanned<String>>| -> Vec<IpNet> {
        list.into_iter()
            .filter_map(|text| {
                network(&text)
                    .map_err(|problem| problems.push(problem))
                    .ok()
            })
            .collect()
    };
    let filter = Filter {
        allow: settings.allow.map(&mut read),
        deny: settings.deny.map(&mut read).unwrap_or_default(),
    };
    if problems.is_empty() {
        Ok(Box::new(filter))
    } else {
        Err(problems)
    }
}

/// A network, or one address.
fn network(text: &Spanned<String>) -> Result<IpNet, Problem> {
    if let Ok(network) = text.parse::<IpNet>() {
        // `192.0.2.7/24` reads as one address to some and as a network to others.
        if network.trunc() == network {
            return Ok(network);
        }
        return Err(Problem::new(
            &text.span,
            format!("`{}` has bits outside its network", text.value),
        )
        .help(format!(
            "write `{}` for the network or `{}` for the address",
            network.trunc(),
            network.addr()
        )));
    }
    text.parse::<IpAddr>().map(IpNet::from).map_err(|_| {
        Problem::new(&text.span, format!("`{}` is not a network", text.value))
            .help("write one such as `192.0.2.0/24`")
    })
}

impl Policy for Filter {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        let client = request.client.to_canonical();
        let among = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&client));
        if among(&self.deny) || self.allow.as_deref().is_some_and(|allow| !among(allow)) {
            return Verdict::deny(&REFUSED, "calls from this address are not allowed");
        }
        Verdict::allow()
    }
}
