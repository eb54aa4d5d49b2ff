//! The kinds that judge calls to models, and what they judge, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_models/documents.rs"]
mod documents;
#[path = "kinds_models/guards.rs"]
mod guards;
#[path = "kinds_models/limits.rs"]
mod limits;
#[path = "kinds_models/prompts.rs"]
mod prompts;
mod support;

use lockgate_policy::{ExplainAnswer, ExplainRequest, Trace};

/// A gateway that serves the models `fast` and `best`, with these policies of the version.
fn serving(policies: &[&str]) -> String {
    let hash = lockgate_config::sha256_hex(support::KEY.as_bytes());
    let policies = policies.join(", ");
    format!(
        "lockgate: 1
purposes: optional
upstreams: {{ orders: {{ targets: [\"http://127.0.0.1:9001\"] }} }}
applications: {{ shop: {{ plan: gold, team: search, keys: [{{ sha256: {hash} }}] }} }}
models:
  fast: {{ targets: [{{ provider: openai, model: m-1, key: \"${{env:K}}\", price: {{ input: 1 USD, output: 10 USD }} }}] }}
  best: {{ targets: [{{ provider: anthropic, model: m-2, key: \"${{env:K}}\" }}] }}
apis:
  ai: {{ versions: {{ v1: {{ base: /ai, models: [fast, best], policies: [{policies}] }} }} }}
  orders: {{ versions: {{ v1: {{ base: /orders, upstream: orders }} }} }}
"
    )
    .replace(", policies: []", "")
}

/// A chat that says this to a model.
fn chat(model: &str, text: &str) -> ExplainRequest {
    let body = serde_json::json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": text }] });
    ExplainRequest {
        body: Some(body.to_string()),
        ..support::call("POST", "/ai/v1/chat/completions", &[])
    }
}

/// The same, answered so by OpenAI.
fn answered(text: &str, answer: &str) -> ExplainRequest {
    let body = serde_json::json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m-1",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": answer }, "finish_reason": "stop" }] });
    ExplainRequest {
        answer: Some(ExplainAnswer {
            status: 200,
            headers: Vec::new(),
            body: body.to_string(),
        }),
        ..chat("fast", text)
    }
}

fn told(trace: &Trace) -> (&str, u16, &str) {
    (
        trace.decision,
        trace.status.unwrap_or_default(),
        support::code(trace),
    )
}
