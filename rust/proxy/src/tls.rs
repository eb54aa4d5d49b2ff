//! Certificates and keys from files.

use std::sync::Arc;

use lockgate_config::{Base, MAX_CERTIFICATES_BYTES, Secret};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The cryptography that all TLS of the node uses.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates of a PEM file; `name` is what the document calls it.
///
/// # Errors
/// What is wrong with the file.
pub fn certificates(base: &Base, name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    parsed(base.read_certificates(name, MAX_CERTIFICATES_BYTES), name)
}

/// The same, of a certificate that has a private key beside it.
///
/// # Errors
/// What is wrong with the file.
pub fn paired_certificates(
    base: &Base,
    name: &str,
) -> Result<Vec<CertificateDer<'static>>, String> {
    parsed(base.read_with_secret(name, MAX_CERTIFICATES_BYTES), name)
}

fn parsed(
    text: std::io::Result<Vec<u8>>,
    name: &str,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let text = text.map_err(|error| format!("the certificate `{name}` cannot be read: {error}"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(format!(
            "`{name}` holds no certificate; a PEM file with `-----BEGIN CERTIFICATE-----` is expected"
        )),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!(
            "`{name}` is not a PEM file of certificates: {error}"
        )),
    }
}

/// A private key behind a reference.
///
/// # Errors
/// What is wrong with it; never its text.
pub fn private_key(key: &Secret, base: &Base) -> Result<PrivateKeyDer<'static>, String> {
    let text = key
        .read(base.path())
        .map_err(|error| format!("the key `{key}`: {error}"))?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| format!("the key `{key}` is not a private key in PEM"))
}

#[cfg(test)]
#[path = "tls_fuzz.rs"]
mod fuzz;
