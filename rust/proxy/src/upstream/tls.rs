//! TLS towards services.

use std::sync::Arc;

use lockgate_config::{HttpVersion, Problem, Upstream};
use lockgate_policy::Secrets;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use super::Building;
use crate::tls::{certificates, paired_certificates, private_key, provider};

/// The TLS settings of a service; `None` when no target speaks TLS.
///
/// # Errors
/// A file that cannot be read or is no PEM.
pub fn client_config(
    name: &str,
    settings: &Upstream,
    building: &Building<'_>,
) -> Result<Option<Arc<ClientConfig>>, Box<Problem>> {
    if !settings
        .targets
        .iter()
        .any(|target| target.url.starts_with("https"))
    {
        return Ok(None);
    }
    let at = settings
        .targets
        .iter()
        .next()
        .map(|target| target.span.clone())
        .unwrap_or_default();
    let wrong = |message: String| {
        Box::new(Problem::new(
            &at,
            format!("the TLS of the upstream `{name}`: {message}"),
        ))
    };
    let tls = settings.tls.as_ref();
    let mut roots = RootCertStore::empty();
    match tls.and_then(|tls| tls.authorities.as_deref()) {
        Some(file) => {
            for authority in certificates(building.base, file).map_err(wrong)? {
                roots.add(authority).map_err(|error| {
                    wrong(format!(
                        "`{file}` holds a certificate that is no authority: {error}"
                    ))
                })?;
            }
        }
        // What this machine trusts says nothing about the machine that will serve the document.
        None if building.secrets == Secrets::Skip => {}
        None => {
            let known = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(known.certs);
            if roots.is_empty() {
                return Err(Box::new(wrong(
                    "this machine has no store of authorities".into(),
                ).help("install the package `ca-certificates`, or name a PEM file with `tls: { authorities: FILE }`")));
            }
        }
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots);
    let mut config = match tls.and_then(|tls| Some((tls.certificate.as_deref()?, tls.key.as_ref())))
    {
        None => builder.with_no_client_auth(),
        Some((file, None)) => {
            return Err(Box::new(
                wrong(format!("`{file}` needs its private key"))
                    .help("write `key: \"${file:PATH}\"` beside `certificate`"),
            ));
        }
        Some((file, Some(key))) => {
            let chain: Vec<CertificateDer<'static>> =
                paired_certificates(building.base, file).map_err(wrong)?;
            match building.secrets {
                Secrets::Skip => builder.with_no_client_auth(),
                Secrets::Read => {
                    let key = private_key(key, building.base).map_err(wrong)?;
                    builder.with_client_auth_cert(chain, key).map_err(|error| {
                        wrong(format!("`{file}` and its key do not fit: {error}"))
                    })?
                }
            }
        }
    };
    config.alpn_protocols = match settings.http {
        HttpVersion::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        HttpVersion::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersion::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Some(Arc::new(config)))
}

/// TLS to servers of the web; `None` when this machine has no store of authorities.
pub fn public_tls() -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return None;
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}
