//! The caller's address: the socket's, or the one that a listed proxy named (H5).

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// Goes back through `X-Forwarded-For`, from the nearest hop, over listed proxies only; the first hop that is none is the caller.
/// Anything that is no address ends the walk at the last hop that is known.
pub fn client_address(socket: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = socket.to_canonical();
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    while is_proxy(client) {
        match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
            Some(Ok(hop)) => client = hop.to_canonical(),
            Some(Err(_)) | None => break,
        }
    }
    client
}

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;
