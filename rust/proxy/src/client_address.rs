//! The caller's address: the socket's, or the one that a listed proxy named (H5).

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// Goes back through `X-Forwarded-For`, from the nearest hop, over listed proxies only; the first hop that is none is the caller.
/// Anything that is no address ends the walk at the last hop that is known.
pub fn client_address(socket: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = socket.to_canonical();
    // Over bytes: a caller could make a line that is no text, and with it the hop that a proxy appended to it, go unseen.
    let lines: Vec<&[u8]> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| line.as_bytes())
        .collect();
    let mut hops = lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','));
    while is_proxy(client) {
        let hop = hops.next().and_then(|hop| str::from_utf8(hop).ok());
        match hop.map(|hop| hop.trim().parse::<IpAddr>()) {
            Some(Ok(hop)) => client = hop.to_canonical(),
            Some(Err(_)) | None => break,
        }
    }
    client
}

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "client_address_fuzz.rs"]
mod fuzz;
