use lockgate_policy::diff;

use super::{chat, serving, told};
use crate::support::*;

#[test]
fn a_version_that_serves_models_serves_nothing_else_and_knows_them() {
    for (written, expected) in [
        (
            "models: [fast, fats]",
            "unknown model `fats`; did you mean `fast`?",
        ),
        ("models: [fast, fast]", "the model `fast` is listed twice"),
        ("models: []", "the list is empty"),
        (
            "models: [fast], upstream: orders",
            "a version with `models` has no `upstream`; serve models by a version of their own",
        ),
        (
            "models: [fast], routes: [{ match: { path: /a }, upstream: orders }]",
            "a version with `models` has no `routes`",
        ),
        (
            "models: [fast], unlisted: refuse",
            "a version with `models` has no `unlisted`",
        ),
        (
            "models: [fast], record_prompts: { up_to: 1MiB }",
            "`up_to` is more than a recording keeps of a call; write at most `up_to: 128KiB`",
        ),
        ("models: [fast], record_prompts: {}", "`up_to` is missing"),
    ] {
        let text = serving(&[]).replace("models: [fast, best]", written);
        let found = messages(&text);
        assert!(found.contains(expected), "{written}: {found}");
    }
}

#[test]
fn words_are_recorded_of_calls_to_models_alone() {
    let served = "base: /orders, upstream: orders";
    let text = serving(&[]);
    let text = text.replace(
        served,
        &format!("{served}, record_prompts: {{ up_to: 1KiB }}"),
    );
    let found = messages(&text);
    assert!(
        found.contains(
            "a version without `models` has no `record_prompts`; move it to a version with `models`"
        ),
        "{found}"
    );
}

#[test]
fn a_question_that_is_too_long_to_be_read_is_refused() {
    let trace = trace(&serving(&[]), &chat("fast", &"x".repeat(33 << 20)));
    assert_eq!(told(&trace), ("refuse", 413, "request.body_too_large"));
}

#[test]
fn a_policy_of_prompts_stands_where_models_are_served() {
    let limit = "{ id: tokens, kind: token_limit, limit: 5, per: 1m }";
    let served = "base: /orders, upstream: orders";
    let text = serving(&[]).replace(served, &format!("{served}, policies: [{limit}]"));
    let found = messages(&text);
    assert!(
        found.contains("the policy `tokens` judges calls to models, and none is served here; move it to a version with `models`"),
        "{found}"
    );
    // That of the gateway judges the calls to models, and no other.
    let text = format!("{}policies: [{limit}]\n", serving(&[]));
    assert_eq!(
        told(&trace(&text, &call("GET", "/orders/7", &[]))).0,
        "forward"
    );
    assert_eq!(
        told(&trace(&text, &chat("fast", "Hi"))).2,
        "token_limit.exceeded"
    );
}

#[test]
fn a_cache_of_services_does_not_stand_where_models_answer() {
    let fresh = "{ id: fresh, kind: cache, for: 1m }";
    let expected = "the policy `fresh` keeps answers of services, and only models answer where it stands; write `kind: model_cache` to keep answers of models, or move it to a version with an `upstream`";
    let in_api = serving(&[]).replace(
        "ai: { versions",
        &format!("ai: {{ policies: [{fresh}], versions"),
    );
    let in_model = serving(&[]).replace(
        "best: { targets",
        &format!("best: {{ policies: [{fresh}], targets"),
    );
    let prompt =
        "{ id: sum, match: { path: /sum }, prompt: { model: fast, messages: [{ user: hi }] }";
    let of_prompt = serving(&[]).replace(
        "base: /orders, upstream: orders",
        &format!("base: /orders, routes: [{prompt}, policies: [{fresh}] }}]"),
    );
    let gateway = format!("{}policies: [{fresh}]\n", serving(&[]));
    let of_models_alone = gateway.replace(
        "  orders: { versions: { v1: { base: /orders, upstream: orders } } }\n",
        "",
    );
    for text in [
        serving(&[fresh]),
        in_api,
        in_model,
        of_prompt,
        of_models_alone,
    ] {
        let found = messages(&text);
        assert_eq!(found.matches(expected).count(), 1, "{text}\n{found}");
    }
    // In shadow it would do nothing either; what is off does nothing on purpose.
    let shadow = messages(&serving(&[
        "{ id: fresh, kind: cache, for: 1m, mode: shadow }",
    ]));
    assert!(shadow.contains(expected), "{shadow}");
    assert_eq!(
        messages(&serving(&[
            "{ id: fresh, kind: cache, for: 1m, mode: \"off\" }"
        ])),
        ""
    );
    // That of the gateway is for the services, and is left out where models answer.
    assert_eq!(messages(&gateway), "");
    let has_it = |call: &lockgate_policy::ExplainRequest| {
        let trace = trace(&gateway, call);
        trace.policies.iter().any(|policy| &*policy.id == "fresh")
    };
    assert!(has_it(&call("GET", "/orders/7", &[])));
    assert!(!has_it(&chat("fast", "Hi")));
}

#[test]
fn a_call_is_read_as_its_api_has_it() {
    let text = serving(&[]);
    let forwarded = trace(&text, &chat("fast", "Hi"));
    assert_eq!(told(&forwarded), ("forward", 0, ""));
    assert_eq!(forwarded.target.as_deref(), Some("models fast, best"));
    assert!(
        forwarded.forwarded.is_none(),
        "a provider gets another request"
    );
    let unknown = trace(&text, &chat("gpt-9", "Hi"));
    assert_eq!(told(&unknown), ("refuse", 404, "model.unknown"));
    assert_eq!(
        unknown.detail.as_deref(),
        Some("the models here are `fast`, `best`")
    );
    let mut garbled = chat("fast", "Hi");
    garbled.body = Some("{\"model\":".into());
    assert_eq!(
        told(&trace(&text, &garbled)),
        ("refuse", 400, "model.bad_request")
    );
    garbled.body = None;
    assert_eq!(
        told(&trace(&text, &garbled)),
        ("refuse", 400, "model.bad_request")
    );
    for (method, path, expected) in [
        ("GET", "/ai/v1/models", "forward"),
        ("GET", "/ai/v1beta/models", "forward"),
        ("GET", "/ai/v1/chat/completions", "refuse"),
        ("POST", "/ai/v1/files", "refuse"),
    ] {
        assert_eq!(
            told(&trace(&text, &call(method, path, &[]))).0,
            expected,
            "{path}"
        );
    }
    let mut gemini = call("POST", "/ai/v1beta/models/best:generateContent", &[]);
    gemini.body = Some(r#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#.into());
    assert_eq!(told(&trace(&text, &gemini)).0, "forward");
}

#[test]
fn a_policy_of_a_model_holds_for_its_calls_alone() {
    let own = "policies: [{ id: own, kind: token_limit, limit: 5, per: 1m }] }\napis:";
    let text = serving(&[]).replace("}] }\napis:", &format!("}}], {own}"));
    assert_eq!(
        told(&trace(&text, &chat("best", "Hi"))).2,
        "token_limit.exceeded"
    );
    let other = trace(&text, &chat("fast", "Hi"));
    assert_eq!(told(&other).0, "forward");
    assert_eq!(other.policies[0].verdict.unwrap().as_str(), "skip");
    assert_eq!(other.policies[0].origin, "model best");
}

#[test]
fn another_policy_of_a_model_is_a_difference_of_its_routes() {
    let before = compile(&serving(&[]));
    let after = compile(&serving(&[
        "{ id: tokens, kind: token_limit, limit: 5, per: 1m }",
    ]));
    let found = serde_json::to_value(diff(&before, &after))
        .unwrap()
        .to_string();
    assert!(found.contains("tokens"), "{found}");
    assert!(diff(&before, &compile(&serving(&[]))).is_empty());
}
