use std::path::{Path, PathBuf};

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use sha2::{Digest as _, Sha256};

/// An authority that issues certificates into a folder: `NAME.pem` with `NAME.key`.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: PathBuf,
    /// Its own certificate.
    pub path: PathBuf,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate as a PEM file.
    pub certificate: PathBuf,
    /// The key as a PEM file.
    pub key: PathBuf,
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// The key in DER (PKCS #8).
    pub key_der: Vec<u8>,
    /// SHA-256 of the certificate in DER, as hexadecimal digits.
    pub sha256: String,
}

impl Authority {
    /// A new authority.
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        let path = folder.join("authority.pem");
        std::fs::write(&path, params.self_signed(&key).unwrap().pem()).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder: folder.to_owned(),
            path,
        }
    }

    /// Issues a certificate for subject alternative names: `dns:…`, `uri:…` or `email:…`.
    pub fn issue(&self, name: &str, alternatives: &[String]) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = alternatives.iter().map(|name| alternative(name)).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |end: &str| self.folder.join(format!("{name}.{end}"));
        let issued = Issued {
            certificate: file("pem"),
            key: file("key"),
            der: certificate.der().to_vec(),
            key_der: key.serialize_der(),
            sha256: Sha256::digest(certificate.der())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        };
        std::fs::write(&issued.certificate, certificate.pem()).unwrap();
        std::fs::write(&issued.key, key.serialize_pem()).unwrap();
        issued
    }
}

fn alternative(name: &str) -> SanType {
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    match name.split_once(':') {
        Some(("dns", host)) => SanType::DnsName(text(host)),
        Some(("uri", uri)) => SanType::URI(text(uri)),
        Some(("email", address)) => SanType::Rfc822Name(text(address)),
        _ => panic!("`{name}` is not a subject alternative name"),
    }
}
