//! Which hosts are inside: addresses in every notation that resolvers take, and names.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Where an internal host leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The metadata service of a cloud; no value names it by accident.
    Metadata,
    /// The machine itself, or a private network.
    Internal,
}

/// Longest authority that is looked at; DNS names end at 253 bytes, the rest is room for user names and ports.
const AUTHORITY_BYTES_MAX: usize = 1_024;

const METADATA_NAMES: [&str; 5] = [
    "metadata.google.internal",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata",
    "instance-data",
];
const INTERNAL_NAMES: [&str; 8] = [
    "localhost",
    "localhost.localdomain",
    "localhost6",
    "ip6-localhost",
    "kubernetes.default.svc",
    "localtest.me",
    "lvh.me",
    "vcap.me",
];
const INTERNAL_SUFFIXES: [&str; 9] = [
    ".internal",
    ".localhost",
    ".local",
    ".localdomain",
    ".intranet",
    ".svc",
    ".cluster.local",
    ".localtest.me",
    ".lvh.me",
];
/// Public names that resolve to the address written in them.
const ADDRESS_SUFFIXES: [&str; 4] = [".nip.io", ".sslip.io", ".xip.io", ".traefik.me"];

/// Where the host of an authority (`user@host:port`) leads; `None` for public hosts and for what is no host.
pub(super) fn target_of(authority: &[u8]) -> Option<Target> {
    let authority = authority.get(..AUTHORITY_BYTES_MAX).unwrap_or(authority);
    let authority: String = String::from_utf8_lossy(authority)
        .chars()
        .map(fold)
        .collect::<String>()
        .to_ascii_lowercase();
    // Parsers disagree on which part of `a@b@c` is the host, so each is looked at.
    authority.split('@').find_map(target_of_host)
}

fn target_of_host(host: &str) -> Option<Target> {
    if let Some(rest) = host.strip_prefix('[') {
        let literal = rest.split([']', '%']).next()?;
        return target_of_v6(literal.parse().ok()?);
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return target_of_v6(address);
    }
    let host = host.split(':').next()?.trim_end_matches('.');
    if METADATA_NAMES.contains(&host) {
        // A bare word is a host only to a resolver with a search list; it must come with a scheme, which callers see to.
        return Some(if host.contains('.') {
            Target::Metadata
        } else {
            Target::Internal
        });
    }
    if INTERNAL_NAMES.contains(&host)
        || INTERNAL_SUFFIXES
            .iter()
            .any(|suffix| host.ends_with(suffix))
    {
        return Some(Target::Internal);
    }
    if let Some(inside) = ADDRESS_SUFFIXES
        .iter()
        .find_map(|suffix| host.strip_suffix(suffix))
    {
        return embedded_address(inside).and_then(target_of_v4);
    }
    target_of_v4(loose_v4(host)?)
}

/// The address that ends a name such as `app.10.0.0.1` or `app-10-0-0-1`.
fn embedded_address(name: &str) -> Option<Ipv4Addr> {
    let mut parts: Vec<&str> = name.rsplit(['.', '-']).take(4).collect();
    parts.reverse();
    parts.join(".").parse().ok()
}

/// An IPv4 address as `inet_aton` reads it: one to four parts, each decimal, octal or hexadecimal, the last one taking
/// the bytes that are left.
fn loose_v4(host: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = host
        .split('.')
        .take(5)
        .map(loose_number)
        .collect::<Option<_>>()?;
    let (last, leading) = parts
        .split_last()
        .filter(|(_, leading)| leading.len() <= 3)?;
    let mut address = 0_u64;
    for part in leading {
        address = (address << 8) | (*part <= 255).then_some(*part)?;
    }
    let left = 8 * (4 - leading.len() as u32);
    if *last >= 1 << left {
        return None;
    }
    u32::try_from((address << left) | last)
        .ok()
        .map(Ipv4Addr::from)
}

fn loose_number(part: &str) -> Option<u64> {
    let (digits, radix) = match part.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None if part.len() > 1 && part.starts_with('0') => (part, 8),
        None => (part, 10),
    };
    let zeros_only = digits.is_empty() && radix == 16;
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if zeros_only {
        Some(0)
    } else {
        u64::from_str_radix(digits, radix).ok().filter(|_| plain)
    }
}

fn target_of_v4(address: Ipv4Addr) -> Option<Target> {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        // Link-local, where AWS, Azure, Google and ECS put their metadata; Alibaba's lies in the shared range.
        (169, 254, ..) | (100, 100, 100, 200) => Some(Target::Metadata),
        // RFC 6890: this host, private use, shared, loopback, private use, protocol assignments, benchmarking.
        (0 | 10 | 127, ..)
        | (100, 64..=127, ..)
        | (172, 16..=31, ..)
        | (192, 168, ..)
        | (192, 0, 0, _)
        | (198, 18 | 19, ..) => Some(Target::Internal),
        _ => None,
    }
}

fn target_of_v6(address: Ipv6Addr) -> Option<Target> {
    let segments = address.segments();
    let v4 = |high: u16, low: u16| {
        target_of_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
    };
    match segments {
        [0xfd00, 0xec2, ..] => Some(Target::Metadata),
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Some(Target::Internal),
        // IPv4-mapped, IPv4-compatible (RFC 4291 §2.5.5), NAT64 (RFC 6052) and 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        // Unique local and link-local (RFC 4193, RFC 4291 §2.5.6).
        [0xfc00..=0xfdff | 0xfe80..=0xfebf, ..] => Some(Target::Internal),
        _ => None,
    }
}

/// Folds the characters that IDNA maps to digits and dots (UTS 46).
fn fold(each: char) -> char {
    let code = u32::from(each);
    let digit = match code {
        0x2460..=0x2468 => code - 0x2460 + 0x31,
        0x24ea => 0x30,
        0x3002 | 0xff61 => 0x2e,
        0xff01..=0xff5e => code - 0xfee0,
        _ => code,
    };
    char::from_u32(digit).unwrap_or(each)
}

#[cfg(test)]
#[path = "ssrf_host_tests.rs"]
mod tests;
