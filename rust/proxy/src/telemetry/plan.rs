//! What a document asks for, checked before anything is started.

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING,
    UPGRADE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_config::{
    Balance, Circuit, Duration, Entry, HostHeader, HttpVersion, Otlp, Percent, Problem, Secret,
    Spanned, Target, Timeouts, Upstream,
};
use lockgate_policy::Secrets;

use crate::upstream::{Building, Service};

/// What the gateway adds to the endpoint.
pub const PATH: &str = "/v1/traces";
/// No service of a document has a `/` in its name.
const NAME: &str = "telemetry/otlp";
/// Where collectors take OTLP over gRPC.
const GRPC_PORT: u16 = 4317;
/// Fields that every export has, and those of one connection (RFC 9110 §7.6.1).
const OWN: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    USER_AGENT,
];

/// What a document asks for.
#[derive(Debug)]
pub struct Plan {
    /// As it says it.
    pub settings: Otlp,
    /// Who is asked: a service as any other, so that what no route may lead to is out of reach (H4).
    pub service: Service,
    /// The fields of each export.
    pub headers: HeaderMap,
    /// What a person should look at again.
    pub warning: Option<Problem>,
}

impl Plan {
    /// What the document asks for, when it does.
    ///
    /// # Errors
    /// An address that is none, fields that cannot be sent, secrets that cannot be read.
    pub fn of(building: &Building<'_>) -> Result<Option<Self>, Vec<Problem>> {
        let Some(telemetry) = &building.document.telemetry else {
            return Ok(None);
        };
        let settings = telemetry.otlp.clone();
        let mut problems = Vec::new();
        let endpoint = &settings.endpoint;
        if endpoint.trim_end_matches('/').ends_with(PATH) {
            let message = format!(
                "`{}` ends with `{PATH}`, which is added to it",
                endpoint.value
            );
            problems.push(Problem::new(&endpoint.span, message).help("write it without that"));
        }
        let building = Building {
            previous: None,
            ..*building
        };
        let service = Service::new(NAME, &upstream(&settings), &building, &mut problems);
        let mut headers = HeaderMap::new();
        for entry in &settings.headers {
            match field(entry, &building) {
                Ok((name, value)) if !headers.contains_key(&name) => {
                    headers.insert(name, value);
                }
                Ok((name, _)) => {
                    let message = format!("the field `{name}` is written twice");
                    let problem = Problem::new(&entry.span, message);
                    problems.push(problem.help("names of fields have no case; keep one"));
                }
                Err(problem) => problems.push(*problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let target = service.first();
        let port = target.and_then(|target| target.authority.port_u16());
        let warning = (port == Some(GRPC_PORT)).then(|| {
            let message = format!("{GRPC_PORT} is the port of OTLP over gRPC");
            Problem::new(&endpoint.span, message)
                .help("OTLP over HTTP is spoken here; collectors take it on port 4318")
                .warning()
        });
        Ok(Some(Self {
            settings,
            service,
            headers,
            warning,
        }))
    }
}

/// A field of each export; a check reads no secret.
fn field(
    entry: &Entry<Spanned<Secret>>,
    building: &Building<'_>,
) -> Result<(HeaderName, HeaderValue), Box<Problem>> {
    let wrong = |message: String| Box::new(Problem::new(&entry.span, message));
    // Names of entries are letters, digits, `-`, `_` and `.`, all of which a field's may have.
    let name = HeaderName::from_bytes(entry.id.as_bytes())
        .map_err(|_| wrong(format!("`{}` is not the name of a field", entry.id)))?;
    if OWN.contains(&name) {
        let problem = wrong(format!("the gateway writes the field `{name}` itself"));
        return Err(Box::new(problem.help("take it out of `headers`")));
    }
    let secret = &entry.value;
    if let Some(file) = secret.file() {
        building.base.note(building.base.join(file));
    }
    if building.secrets == Secrets::Skip {
        return Ok((name, HeaderValue::from_static("")));
    }
    let wrong = |message: String| Box::new(Problem::new(&secret.span, message));
    let value = secret
        .read(building.base.path())
        .map_err(|error| wrong(format!("the field `{name}`: {error}")))?;
    let mut value = HeaderValue::from_bytes(&value).map_err(|_| {
        wrong(format!(
            "the value behind `{}` cannot be the value of a field",
            secret.value
        ))
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// The collector as a service.
fn upstream(settings: &Otlp) -> Upstream {
    Upstream {
        targets: vec![Target {
            span: settings.endpoint.span.clone(),
            url: settings.endpoint.value.clone(),
            weight: std::num::NonZeroU32::MIN,
            zone: None,
        }]
        .into(),
        balance: Balance::default(),
        hash_by: None,
        // One export after the other: nothing is gained by several at a time on a connection.
        http: HttpVersion::Http1,
        health: None,
        timeouts: Timeouts {
            connect: Duration::from_secs(3),
            ..Timeouts::default()
        },
        retries: None,
        circuit: Circuit::default(),
        slow_start: None,
        panic_threshold: Percent::whole(50),
        tls: settings.tls.clone(),
        host: HostHeader::default(),
    }
}
