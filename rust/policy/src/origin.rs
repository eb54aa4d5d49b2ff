//! Origins of web pages (RFC 6454), and patterns of them.

use http::uri::Authority;
use lockgate_config::{Problem, Spanned};

/// Origins as a document lists them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins {
    /// Whether every origin is meant.
    pub any: bool,
    exact: Vec<String>,
    patterns: Vec<Pattern>,
}

/// `https://*.example.com:*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    scheme: String,
    /// The host, or what comes after the one label that is free, with its dot.
    host: Host,
    port: Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Exact(String),
    Under(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Port {
    Exact(String),
    Any,
}

impl Origins {
    /// Whether an origin, as browsers send it, is one of these. `null` never is: any page can have it.
    pub fn contain(&self, origin: &str) -> bool {
        self.any
            || self.exact.iter().any(|known| known == origin)
            || self.patterns.iter().any(|pattern| pattern.matches(origin))
    }
}

impl Pattern {
    fn matches(&self, origin: &str) -> bool {
        let Some(rest) = origin
            .strip_prefix(self.scheme.as_str())
            .and_then(|rest| rest.strip_prefix("://"))
        else {
            return false;
        };
        let (host, port) = split_port(rest);
        let host_fits = match &self.host {
            Host::Exact(known) => known == host,
            Host::Under(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(is_label),
        };
        host_fits
            && match &self.port {
                Port::Exact(known) => known == port,
                Port::Any => port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()),
            }
    }
}

fn is_label(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    !text.is_empty() && text.bytes().all(plain)
}

/// Host and port; the port is empty when there is none.
fn split_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        // A colon within brackets belongs to an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    }
}

/// Reads origins and patterns.
pub fn read_origins(written: &[Spanned<String>], problems: &mut Vec<Problem>) -> Origins {
    let mut origins = Origins::default();
    for text in written {
        match text.as_str() {
            "*" => origins.any = true,
            "null" => problems.push(
                Problem::new(&text.span, "any page can make its origin `null`")
                    .help("list origins such as `https://shop.example.com`"),
            ),
            _ => match read(text) {
                Ok(Pattern {
                    scheme,
                    host: Host::Exact(host),
                    port: Port::Exact(port),
                }) => {
                    let colon = if port.is_empty() { "" } else { ":" };
                    origins
                        .exact
                        .push(format!("{scheme}://{host}{colon}{port}"));
                }
                Ok(pattern) => origins.patterns.push(pattern),
                Err(problem) => problems.push(problem),
            },
        }
    }
    if origins.any
        && let Some(other) = written.iter().find(|text| text.as_str() != "*")
    {
        problems.push(
            Problem::new(&other.span, format!("`*` already allows `{}`", other.value))
                .help("write `*` alone, or take it out"),
        );
    }
    origins
}

fn read(text: &Spanned<String>) -> Result<Pattern, Problem> {
    let none = || {
        Problem::new(&text.span, format!("`{}` is not an origin", text.value))
            .help("write scheme and host as browsers send them, such as `https://shop.example.com`, without a path")
    };
    let (scheme, authority) = text.split_once("://").ok_or_else(none)?;
    let (host, port) = split_port(authority);
    let parts = [(scheme, "https", "443"), (scheme, "http", "80")];
    if parts.contains(&(scheme, scheme, port)) {
        return Err(Problem::new(
            &text.span,
            format!("browsers leave the port out of `{}`", text.value),
        )
        .help(format!("write `{scheme}://{host}`")));
    }
    let scheme_fits = !scheme.is_empty()
        && scheme.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        });
    let port_fits = match port {
        "*" => true,
        "" => !authority.ends_with(':'),
        port => port.parse::<u16>().is_ok(),
    };
    let (labels, free) = match host.strip_prefix("*.") {
        Some(rest) => (rest, true),
        None => (host, false),
    };
    let host_fits = labels
        .parse::<Authority>()
        .is_ok_and(|parsed| parsed.host() == labels)
        && !labels.contains(['*', '@'])
        && !labels.bytes().any(|byte| byte.is_ascii_uppercase());
    if !scheme_fits || !port_fits || !host_fits {
        return Err(none());
    }
    if free && !labels.contains('.') {
        return Err(Problem::new(
            &text.span,
            format!("`{}` would allow hosts of strangers", text.value),
        )
        .help("write at least two labels after `*.`, such as `https://*.example.com`"));
    }
    Ok(Pattern {
        scheme: scheme.to_owned(),
        host: if free {
            Host::Under(format!(".{labels}"))
        } else {
            Host::Exact(labels.to_owned())
        },
        port: if port == "*" {
            Port::Any
        } else {
            Port::Exact(port.to_owned())
        },
    })
}
