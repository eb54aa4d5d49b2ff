//! The pure policy engine of Lockgate: compile a document, decide about a request, explain the decision.
//!
//! Nothing here does I/O while deciding, and time comes from [`Env`]: live traffic, shadow, replay, tests and `explain` run this
//! same code and cannot disagree.
//!
//! The way through it: a [`lockgate_config::Document`] is compiled into a [`Revision`]; its [`Router`] finds the [`Route`] of a
//! request; the route's [`Chain`] is advanced with a [`RequestView`], an [`Env`] and a [`Progress`] until it is decided.

mod answer_keeping;
mod answer_rules;
mod authority;
mod bearer;
mod bind;
mod block;
mod cache_rule;
mod caller;
pub mod canonical;
mod catalogue;
mod chain;
mod condition;
mod counters;
mod diff;
mod directory;
pub mod endpoint;
mod env;
pub mod evidence;
mod explain;
mod facts;
mod finding;
mod forwarding;
mod held;
mod hex;
mod identity;
mod jose;
pub mod keys;
mod kind_doc;
pub mod kinds;
mod masking;
mod need;
mod openapi;
mod origin;
mod outline;
mod password;
mod payload;
mod period;
mod place;
mod plan_limits;
mod policy;
mod preflight;
mod price;
mod problem_details;
mod prompt;
mod prompt_data;
mod prompt_keeping;
mod prompt_reading;
mod readable_answer;
mod reason;
mod recorded_prompt;
mod request;
mod revision;
mod router;
mod schedule;
mod signature_key;
mod signatures;
mod spending;
mod text_template;
mod time;
mod usage_fields;
mod verdict;

pub use answer_keeping::{KeepRule, Keeping};
pub use answer_rules::{AnswerGuard, AnswerRules, AnswerWatch};
pub use authority::{Authority, authorities, authority_of};
pub use block::{blocked, is_block};
pub use cache_rule::CacheRule;
pub use catalogue::{KINDS, catalogue, document_schema, kind, reasons};
pub use chain::{Chain, Outcome, Progress, SaidBefore, Step, VerdictRecord, Word};
pub use condition::Condition;
pub use counters::{
    CalendarWindow, CounterKey, Counters, Noted, Permit, Reservation, Run, SavedQuota, SavedUse,
    Usage, Wanted, Window,
};
pub use diff::{Difference, diff};
pub use directory::{Directory, KeyLookup, Revoked, User, read_time};
pub use endpoint::{ClientCredentials, Endpoint, is_private};
pub use env::Env;
pub use explain::{
    ExplainAnswer, ExplainCertificate, ExplainRequest, Explained, Forwarded, Trace, TracedPolicy,
    TracedRoute, explain, explain_with,
};
pub use facts::{Fact, FactRequest, Facts};
pub use forwarding::{forwarded_query, query_without, remove_cookie};
pub use held::{Held, Unit};
pub use hex::read_hash;
pub use identity::{Application, Identity};
pub use need::Need;
pub use outline::{OutlinedPolicy, OutlinedRoute, Place, descriptions, outline};
pub use password::{PasswordError, hash_password};
pub use policy::{BoundPolicy, Compiling, Kind, Origin, Phase, Policy, Secrets, stable_hash};
pub use price::{KnownPrice, dialect_of, price_of};
pub use problem_details::{Form, problem_response};
pub use prompt::{Asked, AskedFor, Prompt, Recalled, Rewritten};
pub use reason::{GATEWAY_REASONS, Reason};
pub use recorded_prompt::{RecordedPrompt, RecordedText, RecordedTexts, TakenOut};
pub use request::{Body, ClientCertificate, RequestView, ResponseView};
pub use revision::{Part, Revision, Route, RouteTarget, is_host};
pub use router::{Conditions, Found, Router, Template};
pub use time::Timestamp;
pub use verdict::{Effect, Effects, Refusal, Reply, ResponseEdit, ResponseVerdict, Verdict};

/// The reasons that belong to the gateway itself, by name.
pub mod gateway_reasons {
    pub use crate::kinds::completion_guard::WITHHELD as ANSWER_WITHHELD;
    pub use crate::reason::{
        APPLICATION_BLOCKED, BAD_PATH, BODY_TIMEOUT, BODY_TOO_LARGE, CREDENTIAL_BLOCKED, DRAINING,
        LOOP, MALFORMED, NO_ROUTE, PART_FAILED, SOURCE_BLOCKED, THROTTLED, UNDECIDED,
        UPSTREAM_BUSY, UPSTREAM_FAILED, UPSTREAM_TIMEOUT, UPSTREAM_UNAVAILABLE, WRONG_METHOD,
    };
}
