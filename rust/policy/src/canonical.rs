//! One path for policies and services (H8).
//!
//! Named rules, applied once, in this order:
//! 1. *refuse*: control characters, NUL, `\`, `#`, non-ASCII bytes, invalid escapes, and the escapes `%2F`, `%5C`, `%00`, `%3B`
//!    and of control characters: services disagree on what they mean;
//! 2. *parameters*: a raw `;` is refused: some services cut the segment there;
//! 3. *escapes*: escapes of unreserved characters are decoded (`%41` → `A`), other escapes get upper-case digits
//!    (RFC 3986 §6.2.2.1 and §6.2.2.2);
//! 4. *double escapes*: `%25` followed by two hexadecimal digits is refused: a second decoder would see another path;
//! 5. *long forms*: UTF-8 of more bytes than the character has (`%C0%AE` for `.`, RFC 3629 §3) is refused: old decoders read it;
//! 6. *dot segments*: a `.` or `..` segment, however it was written, is refused;
//! 7. *empty segments*: `//` is refused.
//!
//! A path without escapes and without the characters above, the usual case, is borrowed unchanged.

use std::borrow::Cow;

/// Why a path has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path does not start with `/`.
    #[error("the path does not start with `/`")]
    Relative,
    /// A byte that no path holds.
    #[error("the path holds a character that must be escaped or removed")]
    Character,
    /// `;`, raw or escaped.
    #[error("the path holds `;`, which services read differently")]
    Parameter,
    /// A `%` without two hexadecimal digits.
    #[error("the path holds an invalid escape")]
    Escape,
    /// `%2F` or `%5C`.
    #[error("the path holds an encoded slash or backslash")]
    EncodedSlash,
    /// `%25` before two hexadecimal digits.
    #[error("the path is escaped twice")]
    DoubleEscape,
    /// An ASCII character in UTF-8 of two to four bytes.
    #[error("the path holds a character in more bytes than it has")]
    Overlong,
    /// `.` or `..`.
    #[error("the path holds a dot segment")]
    DotSegment,
    /// `//`.
    #[error("the path holds an empty segment")]
    EmptySegment,
}

/// The canonical form of a path.
///
/// # Errors
/// The rule that the path breaks.
pub fn canonical_path(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::Relative);
    }
    let canonical = if path.bytes().all(is_plain) {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(decode(path)?)
    };
    check_segments(&canonical)?;
    Ok(canonical)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Characters that stand for themselves in a path (RFC 3986 §3.3) without `;` and `%`.
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
        )
}

fn decode(path: &str) -> Result<String, PathError> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => escape(&mut bytes, &mut out)?,
            b';' => return Err(PathError::Parameter),
            byte if is_plain(byte) => out.push(char::from(byte)),
            _ => return Err(PathError::Character),
        }
    }
    // Looked for in what came out: the second escape may have been escaped itself (`%25%32%65`).
    if escaped_twice(&out) {
        return Err(PathError::DoubleEscape);
    }
    if is_overlong(&out) {
        return Err(PathError::Overlong);
    }
    Ok(out)
}

/// A first byte and what may not follow it (RFC 3629 §4). A first byte alone may be of another encoding, and stays.
fn is_overlong(path: &str) -> bool {
    const FORBIDDEN: [(&str, &[u8]); 4] = [
        ("%C0", b"89AB"),
        ("%C1", b"89AB"),
        ("%E0", b"89"),
        ("%F0", b"8"),
    ];
    FORBIDDEN.iter().any(|(first, next)| {
        path.match_indices(first).any(|(at, _)| {
            let rest = path.as_bytes().get(at + first.len()..);
            matches!(rest, Some([b'%', digit, ..]) if next.contains(digit))
        })
    })
}

fn escaped_twice(path: &str) -> bool {
    path.match_indices("%25").any(|(at, escape)| {
        let rest = path.get(at + escape.len()..).unwrap_or_default();
        hex_pair(&mut rest.bytes()).is_some()
    })
}

fn escape(bytes: &mut std::str::Bytes<'_>, out: &mut String) -> Result<(), PathError> {
    let value = hex_pair(bytes).ok_or(PathError::Escape)?;
    match value {
        0..=0x1f | 0x7f => Err(PathError::Character),
        b'/' | b'\\' => Err(PathError::EncodedSlash),
        b';' => Err(PathError::Parameter),
        value if is_unreserved(value) => {
            out.push(char::from(value));
            Ok(())
        }
        value => {
            use std::fmt::Write as _;
            let _ = write!(out, "%{value:02X}");
            Ok(())
        }
    }
}

fn hex_pair(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let high = char::from(bytes.next()?).to_digit(16)?;
    let low = char::from(bytes.next()?).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn check_segments(path: &str) -> Result<(), PathError> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(PathError::DotSegment),
            "" if segments.peek().is_some() => return Err(PathError::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// Whether an authority is a host alone, or a host and a port. The parser takes anything behind a host for a port, and who splits
/// elsewhere finds another host.
pub fn is_host_and_port(authority: &http::uri::Authority) -> bool {
    let text = authority.as_str();
    let (is_named, rest) = match text.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((address, rest)) => (address.parse::<std::net::Ipv6Addr>().is_ok(), rest),
            None => (false, ""),
        },
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            let is_of_names = |byte: u8| !matches!(byte, b'[' | b']' | b'%' | b'@');
            (!host.is_empty() && host.bytes().all(is_of_names), rest)
        }
    };
    is_named
        && match rest.strip_prefix(':') {
            Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()),
            None => rest.is_empty(),
        }
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "canonical_fuzz.rs"]
mod fuzz;
