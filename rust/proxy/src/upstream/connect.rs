//! A connection to a target: name, TCP, TLS.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Service, Target};

/// Bytes to and from a target.
#[derive(Debug)]
pub enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name of the host is not known.
    #[error("the name cannot be resolved: {0}")]
    Name(std::io::Error),
    /// Nobody listens.
    #[error("no connection: {0}")]
    Tcp(std::io::Error),
    /// The handshake failed.
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    /// The address must not be reached through the gateway.
    #[error("the address {0} is not reachable through the gateway")]
    Forbidden(SocketAddr),
    /// The target does not speak the protocol it must.
    #[error("the target does not speak HTTP/2")]
    Protocol,
    /// It took too long.
    #[error("no connection in time")]
    Timeout,
    /// The service has as many connections as it may.
    #[error("the service has as many connections as it may")]
    TooMany,
}

/// Addresses that no route leads to: the admin listener of this node, and those where machines serve their credentials (H4).
#[derive(Debug, Clone, Copy)]
pub struct Forbidden {
    /// The admin listener.
    pub admin: Option<SocketAddr>,
}

impl Forbidden {
    /// Whether an address is out of reach.
    pub fn forbids(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let own = self.admin.is_some_and(|admin| {
            admin.port() == address.port()
                && (admin.ip() == ip
                    || ip.is_loopback()
                    || ip.is_unspecified()
                    || admin.ip().is_unspecified())
        });
        own || is_metadata_address(ip)
    }
}

/// Whether a host is written as an address where machines serve their credentials.
pub fn is_metadata(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse()
        .is_ok_and(|ip: IpAddr| is_metadata_address(ip.to_canonical()))
        || host.eq_ignore_ascii_case("metadata.google.internal")
}

/// Link-local networks (RFC 3927, RFC 4291 §2.5.6), and the one address outside them that is used alike.
fn is_metadata_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local()
                || ip == std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// Connects, and says whether the target chose HTTP/2.
pub async fn connect(
    service: &Service,
    target: &Target,
    forbidden: Forbidden,
) -> Result<(Transport, bool), ConnectError> {
    let prior_knowledge = service.protocol == lockgate_config::HttpVersion::Http2;
    let stream = tcp(target, forbidden).await?;
    let _ = stream.set_nodelay(true);
    let Some(config) = service.tls.as_ref().filter(|_| target.tls) else {
        return Ok((Transport::Plain(stream), prior_knowledge));
    };
    let host = service
        .server_name
        .as_deref()
        .unwrap_or_else(|| target.authority.host());
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(host)
        .map_err(|error| ConnectError::Tls(std::io::Error::other(error)))?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(ConnectError::Tls)?;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if prior_knowledge && !h2 {
        return Err(ConnectError::Protocol);
    }
    Ok((Transport::Tls(Box::new(stream)), h2))
}

async fn tcp(target: &Target, forbidden: Forbidden) -> Result<TcpStream, ConnectError> {
    let port = target
        .authority
        .port_u16()
        .unwrap_or(if target.tls { 443 } else { 80 });
    let host = target
        .authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((host, port))
            .await
            .map_err(ConnectError::Name)?
            .collect(),
    };
    let mut last = ConnectError::Name(std::io::Error::other("it has no address"));
    for address in addresses {
        // The address is judged, not the name: a name may point anywhere by the time it is used.
        if forbidden.forbids(address) {
            last = ConnectError::Forbidden(address);
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = ConnectError::Tcp(error),
        }
    }
    Err(last)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_listener_and_link_local_addresses_are_out_of_reach() {
        let forbidden = Forbidden {
            admin: "127.0.0.1:9901".parse().ok(),
        };
        for (address, expected) in [
            ("127.0.0.1:9901", true),
            ("[::ffff:127.0.0.1]:9901", true),
            ("127.9.9.9:9901", true),
            ("0.0.0.0:9901", true),
            ("[::1]:9901", true),
            ("127.0.0.1:9001", false),
            ("10.0.0.1:9901", false),
            ("169.254.169.254:80", true),
            ("[fd00:ec2::254]:80", true),
            ("[fe80::1]:80", true),
        ] {
            let address: SocketAddr = address.parse().unwrap_or_else(|_| panic!("{address}"));
            assert_eq!(forbidden.forbids(address), expected, "{address}");
        }
    }
}
