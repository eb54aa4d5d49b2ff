use serde::Serialize;

/// Why a request was refused: one entry of the catalogue, stable over versions.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// The stable code, `<kind>.<what>`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A short title (RFC 9457 §3.1.3), the same for every occurrence.
    pub title: &'static str,
    /// What the caller can do about it.
    pub remedy: &'static str,
    /// A problem type of a standard, in place of the product's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_type: Option<&'static str>,
}

/// The start of the product's own problem type URIs.
const TYPE_BASE: &str = "https://lockgate.dev/problems/";

impl Reason {
    /// An entry with the product's own problem type.
    pub const fn new(
        code: &'static str,
        status: u16,
        title: &'static str,
        remedy: &'static str,
    ) -> Self {
        Self {
            code,
            status,
            title,
            remedy,
            standard_type: None,
        }
    }

    /// The same entry under a standard's problem type.
    #[must_use]
    pub const fn under(mut self, standard_type: &'static str) -> Self {
        self.standard_type = Some(standard_type);
        self
    }

    /// The problem type URI (RFC 9457 §3.1.1).
    pub fn type_uri(&self) -> String {
        self.standard_type
            .map_or_else(|| format!("{TYPE_BASE}{}", self.code), str::to_owned)
    }
}

macro_rules! reasons {
    ($(#[$doc:meta] $name:ident = $code:literal, $status:literal, $title:literal, $remedy:literal;)+) => {
        $(#[$doc] pub static $name: Reason = Reason::new($code, $status, $title, $remedy);)+
        /// The reasons that belong to the gateway itself, not to a policy.
        pub static GATEWAY_REASONS: &[&Reason] = &[$(&$name),+];
    };
}

reasons! {
    /// No route takes the request.
    NO_ROUTE = "route.not_found", 404, "No such path", "check the path against the API's documentation";
    /// The path exists, the method does not.
    WRONG_METHOD = "route.method_not_allowed", 405, "Method not allowed", "use one of the methods named in the `Allow` field";
    /// The request cannot be read in one way only.
    MALFORMED = "request.malformed", 400, "Malformed request", "send a request that follows RFC 9110 and RFC 9112";
    /// The path is not canonical and cannot be made so without guessing.
    BAD_PATH = "request.bad_path", 400, "Ambiguous path", "send the path without encoded slashes, control characters or dot segments";
    /// The request has passed this gateway again and again.
    LOOP = "request.loop", 508, "Request goes in circles", "tell the API's owner: a service behind the gateway sends the request back to it";
    /// The body did not arrive in time.
    BODY_TIMEOUT = "request.timeout", 408, "Request took too long", "send the whole request without long pauses";
    /// A body that a policy must see is too large to hold.
    BODY_TOO_LARGE = "request.body_too_large", 413, "Body too large", "send a smaller body, or ask the API's owner for a higher limit";
    /// A policy could not decide and refuses in doubt.
    UNDECIDED = "policy.undecided", 503, "Temporarily unable to decide", "try again in a moment";
    /// No target of the service can be used.
    UPSTREAM_UNAVAILABLE = "upstream.unavailable", 503, "Service unavailable", "try again in a moment";
    /// The service could not be reached or broke off.
    UPSTREAM_FAILED = "upstream.failed", 502, "Service failed", "try again in a moment";
    /// The service did not answer in time.
    UPSTREAM_TIMEOUT = "upstream.timeout", 504, "Service took too long", "try again later; repeat only what is safe to repeat";
    /// The service is protected from more requests.
    UPSTREAM_BUSY = "upstream.busy", 503, "Service is busy", "slow down and try again in a moment";
    /// A required part of an aggregated answer failed.
    PART_FAILED = "aggregate.part_failed", 502, "Part of the answer is missing", "try again in a moment";
    /// The caller's address is blocked for a time.
    SOURCE_BLOCKED = "source.blocked", 403, "Address blocked for a time", "wait until the time of `Retry-After` is over; tell the API's owner when you do not know why";
    /// The application is blocked for a time.
    APPLICATION_BLOCKED = "application.blocked", 403, "Application blocked for a time", "wait until the time of `Retry-After` is over; ask the API's owner why";
    /// The credential is blocked for a time.
    CREDENTIAL_BLOCKED = "credential.blocked", 403, "Credential blocked for a time", "use another credential of the application, or ask the API's owner why";
    /// The caller is slowed down for a time.
    THROTTLED = "caller.throttled", 429, "Slowed down for a time", "call less often, and again once the time of `Retry-After` is over";
    /// What is asked of a model cannot be read.
    MODEL_REQUEST = "model.bad_request", 400, "Request to a model not understood", "change the request as `detail` says and send it again";
    /// The variables of a prompt cannot be filled in.
    PROMPT_VARIABLES = "prompt.bad_variables", 400, "Variables of the prompt not understood", "send a JSON object with the variables of the prompt";
    /// There is no such model.
    MODEL_UNKNOWN = "model.unknown", 404, "No such model", "ask for one of the models that `detail` names";
    /// The gateway is stopping.
    DRAINING = "gateway.draining", 503, "Gateway is stopping", "connect again";
}
