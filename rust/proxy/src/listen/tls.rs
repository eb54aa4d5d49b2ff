//! TLS of listeners: certificates by name, read again with each new generation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lockgate_config::{Base, Entry, Listener, Problem};
use lockgate_policy::{ClientCertificate, authority_of, is_host};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::tls::{certificates, paired_certificates, private_key, provider};

/// Chooses a certificate by the name that a caller asks for (RFC 6066 §3).
#[derive(Debug)]
struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what stands after `*.`; one label is covered (RFC 6125 §6.4.3).
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.find(hello.server_name()).clone())
    }
}

impl ByName {
    fn find(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let Some(name) = name.map(str::to_ascii_lowercase) else {
            return &self.default;
        };
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.exact
            .get(&name)
            .or_else(|| self.wildcard.get(parent?))
            .unwrap_or(&self.default)
    }
}

/// TLS of a listener.
#[derive(Debug, Clone)]
pub struct ListenerTls {
    /// What a handshake goes by.
    pub config: Arc<ServerConfig>,
    /// Whose client certificates are taken.
    authorities: Arc<RootCertStore>,
    /// Its certificates by the names of their files, and when each ends.
    pub ends: Vec<CertificateEnd>,
}

/// A certificate of a listener, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateEnd {
    /// The file, as the document names it.
    pub file: String,
    /// In seconds since 1970.
    pub at: i64,
}

impl CertificateEnd {
    /// That of the first of a chain, which callers are shown; nothing when it cannot be read.
    fn of(file: &str, chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
        Some(Self {
            file: file.to_owned(),
            at: certificate.validity().not_after.timestamp(),
        })
    }

    /// What is said of a certificate that callers will not accept.
    pub fn warning(&self, listener: &Entry<Listener>) -> Option<Problem> {
        let end = jiff::Timestamp::from_second(self.at).ok()?;
        (end < jiff::Timestamp::now()).then(|| {
            let message = format!("the certificate `{}` ended at {end}", self.file);
            wrong(listener, &message)
                .warning()
                .help("callers refuse it; put a new one into the file, and its key beside it")
        })
    }
}

impl ListenerTls {
    /// What policies see of the certificates that a caller has presented in a handshake of this listener.
    pub fn caller(&self, chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
        let mut certificate = client_certificate(chain)?;
        certificate.authority = authority_of(chain, &self.authorities.roots, UnixTime::now());
        Some(certificate)
    }
}

/// The TLS settings of a listener; `None` when it speaks plain HTTP.
///
/// # Errors
/// Files that cannot be read, or that do not fit together.
pub fn listener_tls(
    listener: &Entry<Listener>,
    base: &Base,
) -> Result<Option<ListenerTls>, Problem> {
    let Some(tls) = &listener.value.tls else {
        return Ok(None);
    };
    check_names(listener)?;
    let wrong = |message: String| wrong(listener, &message);
    let mut ends = Vec::new();
    let mut key_of = |file: &str, key| {
        let certified = certified(file, key, base).map_err(wrong)?;
        ends.extend(CertificateEnd::of(file, &certified.cert));
        Ok(certified)
    };
    let mut names = ByName {
        exact: HashMap::new(),
        wildcard: HashMap::new(),
        default: key_of(&tls.certificate, &tls.key)?,
    };
    for named in &tls.names {
        let key = key_of(&named.certificate, &named.key)?;
        for host in &*named.hosts {
            let host = host.to_ascii_lowercase();
            match host.strip_prefix("*.") {
                Some(parent) => names.wildcard.insert(parent.to_owned(), key.clone()),
                None => names.exact.insert(host, key.clone()),
            };
        }
    }
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    let mut authorities = Arc::new(RootCertStore::empty());
    let builder = match &tls.client_authorities {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(base, file).map_err(wrong)? {
                roots.add(authority).map_err(|error| {
                    wrong(format!(
                        "`{file}` holds a certificate that is no authority: {error}"
                    ))
                })?;
            }
            authorities = Arc::new(roots);
            let verifier =
                WebPkiClientVerifier::builder_with_provider(authorities.clone(), provider())
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| wrong(format!("`{file}`: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(ListenerTls {
        config: Arc::new(config),
        authorities,
        ends,
    }))
}

/// Reads the certificates of a listener, and no key; gives when those end that callers are shown.
///
/// # Errors
/// A file that cannot be read or is no PEM.
pub fn check_certificates(
    listener: &Entry<Listener>,
    base: &Base,
) -> Result<Vec<CertificateEnd>, Problem> {
    let Some(tls) = &listener.value.tls else {
        return Ok(Vec::new());
    };
    check_names(listener)?;
    let wrong = |message: String| wrong(listener, &message);
    let named = tls.names.iter().map(|named| &named.certificate);
    let mut ends = Vec::new();
    for file in [&tls.certificate].into_iter().chain(named) {
        let chain = certificates(base, file).map_err(wrong)?;
        ends.extend(CertificateEnd::of(file, &chain));
    }
    if let Some(file) = &tls.client_authorities {
        certificates(base, file).map_err(wrong)?;
    }
    Ok(ends)
}

/// Names that no caller asks for, and those with two certificates, of which one would never be shown.
fn check_names(listener: &Entry<Listener>) -> Result<(), Problem> {
    let named = listener.value.tls.iter().flat_map(|tls| tls.names.iter());
    let mut known = HashSet::new();
    for host in named.flat_map(|named| named.hosts.iter()) {
        if !is_host(host) {
            let message = format!("`{host}` is not a host name");
            return Err(wrong(listener, &message).help(
                "write it without scheme and port, such as `api.example.com` or `*.example.com`",
            ));
        }
        if !known.insert(host.to_ascii_lowercase()) {
            let message = format!("`{host}` has two certificates");
            return Err(wrong(listener, &message).help("write each host once"));
        }
    }
    Ok(())
}

fn wrong(listener: &Entry<Listener>, message: &str) -> Problem {
    let id = &listener.id;
    Problem::new(
        &listener.span,
        format!("the TLS of the listener `{id}`: {message}"),
    )
}

fn certified(
    name: &str,
    key: &lockgate_config::Secret,
    base: &Base,
) -> Result<Arc<CertifiedKey>, String> {
    let chain = paired_certificates(base, name)?;
    let key = private_key(key, base)?;
    CertifiedKey::from_der(chain, key, &provider())
        .map(Arc::new)
        .map_err(|error| format!("`{name}` and its key do not fit: {error}"))
}

/// What a client certificate that was verified says. Names that are not one printable word are left out: they are none
/// (RFC 5280 §4.2.1.6), and a NUL within one has fooled readers before.
fn client_certificate(chain: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
    let first = chain.first()?;
    let mut names = Vec::new();
    if let Ok((_, certificate)) = X509Certificate::from_der(first)
        && let Ok(Some(extension)) = certificate.subject_alternative_name()
    {
        names.extend(
            extension
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DNSName(name) => Some(("dns", name)),
                    GeneralName::URI(name) => Some(("uri", name)),
                    GeneralName::RFC822Name(name) => Some(("email", name)),
                    _ => None,
                })
                .filter(|(_, name)| name.bytes().all(|byte| byte.is_ascii_graphic()))
                .map(|(sort, name)| format!("{sort}:{name}")),
        );
    }
    Some(ClientCertificate {
        sha256: Sha256::digest(first).into(),
        names,
        authority: None,
    })
}

#[cfg(test)]
#[path = "tls_fuzz.rs"]
mod fuzz;
