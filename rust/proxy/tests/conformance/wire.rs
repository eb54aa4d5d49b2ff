//! Requests as bytes, over TCP or TLS.

use std::io::{BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use lockgate_policy::ExplainRequest;
use lockgate_testkit::{Authority, Issued, Message, read_head_only, read_message};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection to the gateway.
pub struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    to_head: bool,
}

/// TLS of a caller.
pub struct CallerTls<'a> {
    pub authority: &'a Authority,
    pub certificate: Option<&'a Issued>,
}

impl Wire {
    /// Connects from a loopback address.
    pub fn connect(to: SocketAddr, from: IpAddr, tls: Option<&CallerTls<'_>>) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        let plain = TcpStream::from(socket);
        plain
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let stream: Box<dyn Stream> = match tls {
            None => Box::new(plain),
            Some(tls) => {
                let name = "localhost".try_into().unwrap();
                let connection = ClientConnection::new(Arc::new(tls.config()), name).unwrap();
                Box::new(StreamOwned::new(connection, plain))
            }
        };
        Self {
            stream: BufReader::new(stream),
            to_head: false,
        }
    }

    pub fn send(&mut self, request: &ExplainRequest, forwarded_for: Option<IpAddr>) {
        let method = request.method.to_ascii_uppercase();
        self.to_head = method == "HEAD";
        let has = |name: &str| {
            let mut names = request.headers.iter().map(|(name, _)| name);
            names.any(|known| known.eq_ignore_ascii_case(name))
        };
        let (authority, target) = match request.url.split_once("://") {
            Some((_, rest)) if !request.url.starts_with('/') => {
                rest.find('/').map_or((rest, "/"), |at| rest.split_at(at))
            }
            _ => ("localhost", request.url.as_str()),
        };
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        if !has("host") {
            text.push_str(&format!("Host: {authority}\r\n"));
        }
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(address) = forwarded_for {
            text.push_str(&format!("X-Forwarded-For: {address}\r\n"));
        }
        let body = request.body.as_deref().unwrap_or_default();
        if request.body.is_some() && !has("content-length") && !has("transfer-encoding") {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
        self.stream.get_mut().flush().unwrap();
    }

    /// Reads the answer, and waits until the gateway has done everything about it: it has when it answers, on the same
    /// connection, a request that no policy sees.
    pub fn read(mut self) -> Message {
        let answer = if self.to_head {
            read_head_only(&mut self.stream)
        } else {
            read_message(&mut self.stream)
        };
        let next = b"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        if self.stream.get_mut().write_all(next).is_ok() && self.stream.get_mut().flush().is_ok() {
            let _ = read_message(&mut self.stream);
        }
        answer.expect("the gateway answers")
    }
}

impl CallerTls<'_> {
    fn config(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(&self.authority.path).unwrap())
            .unwrap();
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match self.certificate {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let chain = vec![CertificateDer::from(issued.der.clone())];
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(issued.key_der.clone()));
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }
}
