//! Authorities of client certificates, told apart by name and key, as the validation of a path does (RFC 5280 §6.1.1 (d)): one that
//! was renewed with the same key is the same authority.

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest as _, Sha256};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// The SHA-256 of an authority's name and key.
pub type Authority = [u8; 32];

/// The authorities of a PEM file.
///
/// # Errors
/// What is wrong with the file.
pub fn authorities(pem: &[u8]) -> Result<Vec<Authority>, String> {
    CertificateDer::pem_slice_iter(pem)
        .map(|certificate| {
            let certificate = certificate.map_err(|error| error.to_string())?;
            let anchor = anchor_from_trusted_cert(&certificate)
                .map_err(|error| format!("a certificate is no authority: {error}"))?;
            Ok(authority(&anchor))
        })
        .collect()
}

/// The authority that a chain of certificates, the caller's first, leads to; nothing when it leads to none of these.
pub fn authority_of(
    chain: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    now: UnixTime,
) -> Option<Authority> {
    let (first, others) = chain.split_first()?;
    let certificate = EndEntityCert::try_from(first).ok()?;
    let (algorithms, usage) = (ALL_VERIFICATION_ALGS, KeyUsage::client_auth());
    let path = certificate
        .verify_for_usage(algorithms, anchors, others, now, usage, None, None)
        .ok()?;
    Some(authority(path.anchor()))
}

fn authority(anchor: &TrustAnchor<'_>) -> Authority {
    let (name, key) = (&anchor.subject, &anchor.subject_public_key_info);
    Sha256::new()
        .chain_update(name.len().to_be_bytes())
        .chain_update(name)
        .chain_update(key)
        .finalize()
        .into()
}
