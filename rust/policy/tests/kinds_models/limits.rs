use std::sync::Arc;

use lockgate_policy::{Counters, ExplainRequest, explain_with};

use super::{chat, serving, told};
use crate::support::*;

const IDENTIFIED: &str = "{ id: key, kind: api_key, in: { header: Authorization } }";

fn of_shop(model: &str) -> ExplainRequest {
    let mut request = chat(model, "Hi");
    let key = format!("Bearer {KEY}");
    request.headers.push(("Authorization".into(), key));
    request
}

#[test]
fn bad_settings_say_what_to_write() {
    for (policy, expected) in [
        (
            "token_limit, per: day",
            "the policy has no limit; write `limit: 60000` or",
        ),
        (
            "token_limit, limit: 0, per: day",
            "a limit of 0 refuses every call; write how many tokens",
        ),
        (
            "token_limit, by_plan: { gold: 0 }, per: day",
            "a limit of 0 refuses every call",
        ),
        ("token_limit, limit: 9", "the field `per` is missing"),
        (
            "token_limit, limit: 9, per: 1m, time_zone: UTC",
            "a time that is no unit of the calendar has no time zone; take `time_zone` out, or write `per: day`",
        ),
        (
            "token_limit, limit: 9, per: day, time_zone: Mars",
            "`Mars` is not a time zone; write a name of the IANA database",
        ),
        (
            "token_limit, limit: 9, per: 10ms",
            "the window is shorter than one second; write `per: 1s`",
        ),
        (
            "token_limit, limit: 9, per: day, by: tem",
            "did you mean `team`?",
        ),
        (
            "budget, per: day",
            "the policy has no limit; write `limit: 50 USD` or",
        ),
        ("budget, limit: 5, per: day", "USD"),
        ("budget, limit: 5 EUR, per: day", "USD"),
        ("model_cache", "the field `for` is missing"),
        (
            "model_cache, for: 1h, by: teams",
            "unknown value `teams`; did you mean `team`?",
        ),
        (
            "model_access",
            "the policy names nobody and no model; write `by_plan: { gold: [fast] }`",
        ),
        (
            "model_access, others: [fats]",
            "unknown model `fats`; did you mean `fast`?",
        ),
        (
            "model_access, by_plan: { gold: [fats] }",
            "unknown model `fats`",
        ),
        ("prompt_guard, look_for: []", "the list is empty"),
        ("prompt_guard, look_for: [overide]", "override"),
        (
            "prompt_guard, look_for: [override, secret], threshold: 2",
            "the threshold 2 is never reached: 1 sorts of attempts are looked for; write a smaller one",
        ),
        ("prompt_guard, threshold: 0", "0"),
        ("redact_prompt, replace: []", "the list is empty"),
        ("redact_prompt, replace: [mail]", "email"),
        (
            "completion_guard",
            "the policy looks for nothing; write `look_for: [secret]` or",
        ),
        (
            "completion_guard, phrases: ['  ']",
            "the text is empty; write a value",
        ),
    ] {
        let policy = format!("{{ id: p, kind: {policy} }}");
        let found = messages(&serving(&[IDENTIFIED, &policy]));
        assert!(found.contains(expected), "{policy}: {found}");
    }
    let long = format!(
        "{{ id: p, kind: completion_guard, phrases: [{}] }}",
        "a".repeat(201)
    );
    let found = messages(&serving(&[&long]));
    assert!(
        found.contains("the phrase has more than 200 letters; write the part"),
        "{found}"
    );
    let many = format!(
        "{{ id: p, kind: completion_guard, phrases: [{}] }}",
        "ab, ".repeat(257)
    );
    let found = messages(&serving(&[&many]));
    assert!(
        found.contains("more than 256 phrases; write several policies"),
        "{found}"
    );
}

/// Codes of calls of which none has ended.
fn at_once(policy: &str, calls: usize, request: &ExplainRequest) -> Vec<String> {
    let revision = compile(&serving(&[IDENTIFIED, policy]));
    let counters = Arc::new(Counters::default());
    let explained: Vec<_> = (0..calls)
        .map(|_| explain_with(&revision, request, NOW, &counters).unwrap())
        .collect();
    explained
        .iter()
        .map(|explained| code(&explained.trace).to_owned())
        .collect()
}

#[test]
fn calls_that_run_at_once_do_not_take_more_than_the_limit_together() {
    let over = "token_limit.exceeded";
    // A call of two letters and fifty tokens of answer can take some hundred.
    let codes = at_once(
        "{ id: t, kind: token_limit, limit: 250, per: day }",
        4,
        &of_shop("fast"),
    );
    assert_eq!(
        codes.iter().filter(|code| code.is_empty()).count(),
        2,
        "{codes:?}"
    );
    assert_eq!(codes.last().unwrap(), over);
}

#[test]
fn a_limit_in_shadow_counts_what_it_would_and_refuses_nobody() {
    let policy = "{ id: t, kind: token_limit, limit: 250, per: day, mode: shadow }";
    let revision = compile(&serving(&[IDENTIFIED, policy]));
    let counters = Arc::new(Counters::default());
    let explained: Vec<_> = (0..4)
        .map(|_| explain_with(&revision, &of_shop("fast"), NOW, &counters).unwrap())
        .collect();
    assert!(explained.iter().all(|one| one.trace.decision == "forward"));
    let last = explained.last().unwrap().trace.policies.last().unwrap();
    assert_eq!(last.verdict.unwrap().as_str(), "deny");
}

#[test]
fn a_call_whose_price_nobody_knows_cannot_be_decided_about() {
    let policy = "{ id: purse, kind: budget, limit: 1 USD, per: day }";
    let text = serving(&[IDENTIFIED, policy]);
    assert_eq!(
        told(&trace(&text, &of_shop("best"))),
        ("refuse", 503, "policy.undecided")
    );
    assert_eq!(told(&trace(&text, &of_shop("fast"))).0, "forward");
    let allowing = policy.replace("per: day", "per: day, on_error: allow");
    let text = serving(&[IDENTIFIED, &allowing]);
    assert_eq!(told(&trace(&text, &of_shop("best"))).0, "forward");
}

#[test]
fn the_list_of_models_takes_nothing() {
    let text = serving(&["{ id: t, kind: token_limit, limit: 1, per: day }"]);
    let listed = trace(&text, &call("GET", "/ai/v1/models", &[]));
    assert_eq!(told(&listed).0, "forward");
    assert_eq!(listed.policies[0].verdict.unwrap().as_str(), "pass");
}

#[test]
fn a_caller_may_ask_the_models_of_its_name_then_of_its_plan_then_of_the_others() {
    for (settings, model, expected) in [
        ("by_plan: { gold: [fast] }", "fast", ""),
        ("by_plan: { gold: [fast] }", "best", "model_access.denied"),
        (
            "by_plan: { gold: [fast] }, by_application: { shop: [best] }",
            "fast",
            "model_access.denied",
        ),
        ("by_plan: { free: [fast] }, others: [best]", "best", ""),
        ("by_plan: { free: [fast] }", "fast", "model_access.denied"),
    ] {
        let policy = format!("{{ id: m, kind: model_access, {settings} }}");
        let found = trace(&serving(&[IDENTIFIED, &policy]), &of_shop(model));
        assert_eq!(code(&found), expected, "{settings}");
    }
}
