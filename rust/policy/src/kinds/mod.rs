//! One file for each kind of policy. A kind is registered by its line in [`crate::KINDS`] and nowhere else.

pub mod any_of;
pub mod api_key;
pub mod basic_auth;
pub mod cache;
pub mod concurrency;
pub mod graphql_limits;
pub mod headers;
pub mod http_signature;
pub mod ip_filter;
pub mod json_limits;
pub mod jwt;
pub mod mtls;
pub mod oauth2_introspection;
pub mod payload_guard;
pub mod quota;
pub mod rate_limit;
pub mod require;
pub mod schema;
pub mod size;
pub mod xml_limits;
