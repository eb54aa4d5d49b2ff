//! HTTP message signatures (RFC 9421): what a request says it has signed, and the text that was signed.

use http::header;
use ring::digest;
use sfv::{Dictionary, FieldType as _, InnerList, ListEntry, Parameters, Parser};

use crate::request::RequestView;

/// The components of a request that are no fields (RFC 9421 §2.2) and can be signed here.
pub const DERIVED: &[&str] = &[
    "@method",
    "@target-uri",
    "@authority",
    "@scheme",
    "@path",
    "@query",
];
/// The most components of a signature.
const MAX_COMPONENTS: usize = 64;

/// The signature fields cannot be read, or sign what cannot be checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A signature of a request that nobody has checked yet.
#[derive(Debug)]
pub struct Unverified {
    components: Vec<String>,
    /// The parameters, as they are signed.
    signed_params: String,
    /// The bytes of the signature.
    pub signature: Vec<u8>,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
    /// The key, by its name.
    pub key: Option<String>,
    /// The algorithm, when the signer names it.
    pub algorithm: Option<String>,
}

impl Unverified {
    /// The signature of a request, or the one with this `tag` when it is given; none when there is none.
    ///
    /// # Errors
    /// It cannot be read, or there are several.
    pub fn read(request: &RequestView<'_>, tag: Option<&str>) -> Result<Option<Self>, Malformed> {
        let inputs = dictionary(request, "signature-input")?;
        let signatures = dictionary(request, "signature")?;
        let (inputs, signatures) = match (inputs, signatures) {
            (None, None) => return Ok(None),
            (Some(inputs), Some(signatures)) => (inputs, signatures),
            _ => return Err(Malformed),
        };
        let mut chosen = inputs.iter().filter_map(|(label, entry)| match entry {
            ListEntry::InnerList(list) if tag.is_none() || text(&list.params, "tag") == tag => {
                Some((label, list))
            }
            _ => None,
        });
        let Some((label, list)) = chosen.next() else {
            return if tag.is_some() {
                Ok(None)
            } else {
                Err(Malformed)
            };
        };
        if chosen.next().is_some() {
            return Err(Malformed);
        }
        let signature = match signatures.get(label) {
            Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence().ok_or(Malformed)?,
            _ => return Err(Malformed),
        };
        Ok(Some(Self {
            components: components(list)?,
            signed_params: vec![ListEntry::InnerList(list.clone())]
                .serialize()
                .ok_or(Malformed)?,
            signature: signature.to_vec(),
            created: time(&list.params, "created")?,
            expires: time(&list.params, "expires")?,
            key: text(&list.params, "keyid").map(str::to_owned),
            algorithm: text(&list.params, "alg").map(str::to_owned),
        }))
    }

    /// Whether a component was signed; the whole URI contains its parts.
    pub fn covers(&self, component: &str) -> bool {
        let has = |name: &str| self.components.iter().any(|signed| signed == name);
        let part = matches!(component, "@authority" | "@scheme" | "@path" | "@query");
        has(component) || part && has("@target-uri")
    }

    /// The text that was signed (RFC 9421 §2.5).
    ///
    /// # Errors
    /// A component is not in the request.
    pub fn base(&self, request: &RequestView<'_>) -> Result<Vec<u8>, Malformed> {
        let mut base = Vec::new();
        for component in &self.components {
            base.extend_from_slice(format!("\"{component}\": ").as_bytes());
            base.extend_from_slice(&value(request, component).ok_or(Malformed)?);
            base.push(b'\n');
        }
        base.extend_from_slice(b"\"@signature-params\": ");
        base.extend_from_slice(self.signed_params.as_bytes());
        Ok(base)
    }
}

/// All lines of a field as one dictionary (RFC 9651 §3.2); none when it is absent.
fn dictionary(request: &RequestView<'_>, name: &str) -> Result<Option<Dictionary>, Malformed> {
    if !request.headers.contains_key(name) {
        return Ok(None);
    }
    let value = request.header(name).ok_or(Malformed)?;
    let parsed = Parser::new(&*value).parse::<Dictionary>();
    parsed.map(Some).map_err(|_| Malformed)
}

/// The names of the components. Those with parameters sign parts or other forms of a field, which this gateway does not check, and
/// a name that stands twice could be read in two ways.
fn components(list: &InnerList) -> Result<Vec<String>, Malformed> {
    let mut names: Vec<String> = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let name = item.bare_item.as_string().ok_or(Malformed)?.as_str();
        let known = if name.starts_with('@') {
            DERIVED.contains(&name)
        } else {
            name == name.to_ascii_lowercase()
                && http::HeaderName::from_bytes(name.as_bytes()).is_ok()
        };
        if !known
            || !item.params.is_empty()
            || names.iter().any(|earlier| earlier == name)
            || names.len() >= MAX_COMPONENTS
        {
            return Err(Malformed);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn text<'a>(params: &'a Parameters, name: &str) -> Option<&'a str> {
    Some(params.get(name)?.as_string()?.as_str())
}

fn time(params: &Parameters, name: &str) -> Result<Option<u64>, Malformed> {
    let Some(value) = params.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_integer().ok_or(Malformed)?;
    u64::try_from(i64::from(seconds))
        .map(Some)
        .map_err(|_| Malformed)
}

fn value(request: &RequestView<'_>, component: &str) -> Option<Vec<u8>> {
    let query = || {
        request
            .query
            .map_or("?".to_owned(), |query| format!("?{query}"))
    };
    Some(match component {
        "@method" => request.method.as_str().into(),
        "@scheme" => request.scheme.into(),
        "@authority" => authority(request).into_bytes(),
        "@path" => request.path.into(),
        "@query" => query().into_bytes(),
        "@target-uri" => {
            let query = request.query.map_or(String::new(), |_| query());
            let (scheme, path) = (request.scheme, request.path);
            format!("{scheme}://{}{path}{query}", authority(request)).into_bytes()
        }
        field => field_value(request, field)?,
    })
}

/// The host in lower case, with the port when it is not the scheme's own (RFC 9421 §2.2.3).
fn authority(request: &RequestView<'_>) -> String {
    let usual = if request.scheme == "https" {
        "443"
    } else {
        "80"
    };
    let named = request.headers.get(header::HOST);
    let port = named
        .and_then(|host| host.to_str().ok())
        .and_then(|host| host.rsplit_once(':'))
        .filter(|(host, port)| {
            host.eq_ignore_ascii_case(request.host)
                && *port != usual
                && !port.is_empty()
                && port.bytes().all(|byte| byte.is_ascii_digit())
        });
    port.map_or_else(
        || request.host.to_owned(),
        |(_, port)| format!("{}:{port}", request.host),
    )
}

/// All lines of a field, without spaces around them, joined with `, ` (RFC 9421 §2.1).
fn field_value(request: &RequestView<'_>, name: &str) -> Option<Vec<u8>> {
    let mut lines = request.headers.get_all(name).iter();
    let mut joined = lines.next()?.as_bytes().trim_ascii().to_vec();
    for line in lines {
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(line.as_bytes().trim_ascii());
    }
    Some(joined)
}

/// Whether `Content-Digest` (RFC 9530) is that of a body: every SHA-256 and SHA-512 of it, and at least one. Others are not looked at.
///
/// # Errors
/// It cannot be read, or has neither of the two.
pub fn digest_matches(request: &RequestView<'_>, body: &[u8]) -> Result<bool, Malformed> {
    let digests = dictionary(request, "content-digest")?.ok_or(Malformed)?;
    let mut checked = 0;
    for (name, algorithm) in [("sha-256", &digest::SHA256), ("sha-512", &digest::SHA512)] {
        let Some(entry) = digests.get(name) else {
            continue;
        };
        let ListEntry::Item(item) = entry else {
            return Err(Malformed);
        };
        let said = item.bare_item.as_byte_sequence().ok_or(Malformed)?;
        if digest::digest(algorithm, body).as_ref() != said {
            return Ok(false);
        }
        checked += 1;
    }
    if checked == 0 {
        return Err(Malformed);
    }
    Ok(true)
}

#[cfg(test)]
#[path = "signatures_fuzz.rs"]
mod fuzz;
