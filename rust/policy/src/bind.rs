//! One policy compiled with what every kind has: mode, share, condition, end.

use std::sync::Arc;

use lockgate_config::{PolicyEntry, Problem};

use crate::catalogue::{self, KINDS};
use crate::condition::Condition;
use crate::directory::read_time;
use crate::policy::{BoundPolicy, Compiling, rule_of_words};

/// Compiles one policy with what every kind has.
pub(crate) fn bind(
    entry: &PolicyEntry,
    compiling: &Compiling<'_>,
) -> Result<BoundPolicy, Vec<Problem>> {
    let mut problems = Vec::new();
    let Some(kind) = catalogue::kind(&entry.kind) else {
        let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(vec![Problem::unknown(
            &entry.kind.span,
            "policy kind",
            &entry.kind,
            &names,
        )]);
    };
    let when = entry.when.as_ref().and_then(|text| {
        Condition::compile(text)
            .map_err(|problem| problems.push(problem))
            .ok()
    });
    let expires = entry.expires.as_ref().and_then(|text| {
        let time = read_time(text);
        if time.is_none() {
            problems.push(
                Problem::new(&text.span, format!("`{}` is not a time", text.value))
                    .help("write a date such as `2027-01-31` or an RFC 3339 time"),
            );
        }
        time
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is between 0 and 100"
    )]
    let share = (entry.percent.get() * 100.0).round() as u32;
    let declared = serde_json::to_value(entry).unwrap_or_default();
    let compiled = (kind.compile)(entry, compiling);
    if let (Ok(policy), Some(text)) = (&compiled, &entry.when)
        && policy.opens()
        && when.as_ref().is_some_and(Condition::names_caller)
    {
        let message = format!(
            "the policy `{}` is evaluated before anyone is identified",
            entry.id.value
        );
        problems.push(
            Problem::new(&text.span, message)
                .help("write a condition over `request`, `route` or `client`"),
        );
    }
    match compiled {
        Ok(policy) if problems.is_empty() => Ok(BoundPolicy {
            id: Arc::from(entry.id.as_str()),
            kind,
            origin: compiling.origin.clone(),
            scope: Arc::from(compiling.origin.to_string()),
            mode: entry.mode,
            share,
            when,
            on_error: entry.on_error.unwrap_or(kind.on_error),
            expires,
            is_final: entry.is_final,
            rule: rule_of_words(kind, &declared),
            declared,
            span: entry.span.clone(),
            policy,
        }),
        Ok(_) => Err(problems),
        Err(mut found) => {
            problems.append(&mut found);
            Err(problems)
        }
    }
}
