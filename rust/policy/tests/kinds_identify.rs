//! The kinds of the phase `identify`, from outside.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "kinds_identify/api_key.rs"]
mod api_key;
#[path = "kinds_identify/basic_auth.rs"]
mod basic_auth;
#[path = "kinds_identify/http_signature.rs"]
mod http_signature;
#[path = "kinds_identify/jwt.rs"]
mod jwt;
#[path = "kinds_identify/mtls.rs"]
mod mtls;
#[path = "kinds_identify/oauth2_introspection.rs"]
mod oauth2_introspection;
mod support;
