//! Places on the network that facts come from. The engine never opens a connection; it says where the driver may.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use lockgate_config::{Problem, Spanned};

use crate::canonical::is_host_and_port;

/// Where a fact comes from, and how long its answers may be used.
///
/// The driver must check every address that the host resolves to with [`is_private`], unless `allow_private`: a name says nothing
/// about where it leads.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The URL, `https` unless it is on this machine.
    pub url: Arc<str>,
    /// Whether private addresses may be asked.
    pub allow_private: bool,
    /// How the gateway proves itself there.
    pub client: Option<ClientCredentials>,
    /// The longest time an answer may be used; an answer with an earlier end of its own ends then.
    pub keep: Duration,
    /// The longest time a negative answer, or none, may be used.
    pub keep_negative: Duration,
}

/// A client id and its secret (RFC 6749 §2.3.1).
#[derive(PartialEq, Eq, Hash)]
pub struct ClientCredentials {
    /// The client id.
    pub id: Arc<str>,
    /// The secret; `None` after a check, which reads no secret. Never printed.
    pub secret: Option<Box<[u8]>>,
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Reads the URL of an endpoint.
///
/// # Errors
/// It is no URL, carries a password, is not encrypted, or leads to a private address that was not allowed (F23).
pub fn read_url(text: &Spanned<String>, allow_private: bool) -> Result<Arc<str>, Problem> {
    let wrong = |message: String| Problem::new(&text.span, message);
    let uri = text
        .value
        .parse::<Uri>()
        .ok()
        .filter(|uri| uri.host().is_some_and(|host| !host.is_empty()))
        .ok_or_else(|| {
            wrong(format!("`{}` is not a URL", text.value))
                .help("write a URL such as `https://id.example.com/keys`")
        })?;
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(
            wrong("a URL in a document has no user name or password".into())
                .help("take out everything between `//` and `@`"),
        );
    }
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    if !uri.authority().is_some_and(is_host_and_port) {
        return Err(wrong(format!("`{}` is not a URL", text.value))
            .help("write a host name or an address, and a port if need be, between `//` and `/`"));
    }
    let private = is_private_host(&host)
        .ok_or_else(|| wrong(format!("`{host}` is neither a host name nor an address")))?;
    if private && !allow_private {
        return Err(wrong(format!("`{host}` is a private address"))
            .help("add `allow_private: true` if the gateway may ask servers of its own network"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(Arc::from(text.as_str())),
        Some("http") if is_loopback(&host) => Ok(Arc::from(text.as_str())),
        _ => {
            Err(wrong(format!("`{}` is not encrypted", text.value))
                .help("write a URL with `https://`"))
        }
    }
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether a host is private by its name or address; `None` when it is an address in a form that only some resolvers read
/// (`0x7f.1`, `2130706433`).
fn is_private_host(host: &str) -> Option<bool> {
    if let Some(ip) = address(host) {
        return Some(is_private(ip));
    }
    let name = host.trim_end_matches('.');
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    {
        return None;
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.is_empty() || last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(matches!(last, "localhost" | "local" | "internal"))
}

/// Whether an address is not one of the public Internet (RFC 6890): this machine, private and shared networks, link-local ones,
/// documentation, multicast, and IPv6 forms that lead to such an IPv4 address.
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || a == 0
                || a >= 224
                || (a == 100 && b & 0xc0 == 64)
                || (a, b, c) == (192, 0, 0)
                || (a == 198 && b & 0xfe == 18)
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let inner = |at: usize| -> Option<IpAddr> {
                let octets: [u8; 4] = v6.octets().get(at..at + 4)?.try_into().ok()?;
                Some(IpAddr::from(octets))
            };
            let embedded = match (first, second) {
                (0x2002, _) => inner(2),
                (0x64, 0xff9b) => inner(12),
                // RFC 4291 §2.5.5.1, deprecated; some stacks still translate it.
                (0, 0) if v6.octets().iter().take(12).all(|byte| *byte == 0) => inner(12),
                _ => None,
            };
            embedded.is_some_and(is_private)
                || v6 == Ipv6Addr::UNSPECIFIED
                || v6.is_loopback()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || first & 0xffc0 == 0xfec0
                || (first, second) == (0x2001, 0x0db8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_in_doubtful_forms_are_neither_public_nor_private() {
        for (host, expected) in [
            ("id.example.com", Some(false)),
            ("id.example.com.", Some(false)),
            ("localhost.", Some(true)),
            ("db.internal", Some(true)),
            ("[::1]", Some(true)),
            ("[::1%25eth0]", None),
            ("127.1", None),
            ("0x7f000001", None),
            (".", None),
        ] {
            assert_eq!(is_private_host(host), expected, "{host}");
        }
    }

    #[test]
    fn private_addresses_are_known_in_every_form() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "2002:7f00:1::",
            "64:ff9b::a00:1",
            "::127.0.0.1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}

#[cfg(test)]
#[path = "endpoint_fuzz.rs"]
mod fuzz;
