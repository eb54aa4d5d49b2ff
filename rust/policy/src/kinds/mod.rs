//! One file for each kind of policy, with a folder beside it where one file would not do. A kind is registered by its line in
//! [`crate::KINDS`] and nowhere else.

pub mod any_of;
pub mod api_key;
pub mod basic_auth;
pub mod budget;
pub mod cache;
pub mod completion_guard;
pub mod concurrency;
pub mod cors;
pub mod deprecation;
pub mod graphql_limits;
pub mod headers;
pub mod http_signature;
pub mod ip_filter;
pub mod json_limits;
pub mod jwt;
pub mod model_access;
pub mod model_cache;
pub mod mtls;
pub mod oauth2_introspection;
pub mod payload_guard;
mod payload_rules;
pub mod prompt_guard;
pub mod quota;
pub mod rate_limit;
pub mod redact;
pub mod redact_prompt;
pub mod redirect;
pub mod require;
pub mod respond;
pub mod response_headers;
pub mod rewrite;
pub mod schema;
pub mod size;
pub mod token_limit;
pub mod xml_limits;
