//! The strings and numbers of a JSON text.

use std::borrow::Cow;

use super::violation::JsonSyntax;

/// A syntax problem with the byte offset where it was found.
pub(super) type Fault = (JsonSyntax, usize);

/// Reads the string whose opening quote stands at `open`; gives its unescaped value and the offset behind it.
pub(super) fn read_string(text: &str, open: usize) -> Result<(Cow<'_, str>, usize), Fault> {
    let bytes = text.as_bytes();
    let start = open + 1;
    let mut plain_from = start;
    let mut at = start;
    let mut unescaped: Option<String> = None;
    loop {
        match bytes.get(at) {
            None => return Err((JsonSyntax::UnexpectedEnd, at)),
            Some(b'"') => {
                let tail = text.get(plain_from..at).unwrap_or_default();
                let value = match unescaped {
                    None => Cow::Borrowed(tail),
                    Some(mut value) => {
                        value.push_str(tail);
                        Cow::Owned(value)
                    }
                };
                return Ok((value, at + 1));
            }
            Some(b'\\') => {
                let value = unescaped.get_or_insert_default();
                value.push_str(text.get(plain_from..at).unwrap_or_default());
                at = read_escape(bytes, at, value)?;
                plain_from = at;
            }
            Some(0..=0x1f) => return Err((JsonSyntax::ControlCharacter, at)),
            Some(_) => at += 1,
        }
    }
}

fn read_escape(bytes: &[u8], at: usize, value: &mut String) -> Result<usize, Fault> {
    let plain = match bytes.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return read_unicode_escape(bytes, at, value),
        Some(_) => return Err((JsonSyntax::InvalidEscape, at)),
        None => return Err((JsonSyntax::UnexpectedEnd, at)),
    };
    value.push(plain);
    Ok(at + 2)
}

fn read_unicode_escape(bytes: &[u8], at: usize, value: &mut String) -> Result<usize, Fault> {
    let first = hex4(bytes, at + 2).ok_or((JsonSyntax::InvalidEscape, at))?;
    if let Some(plain) = char::from_u32(first) {
        value.push(plain);
        return Ok(at + 6);
    }
    // INVARIANT: four hex digits that are no character are a surrogate.
    let lone = (JsonSyntax::LoneSurrogate, at);
    if first > 0xdbff || bytes.get(at + 6..at + 8) != Some(b"\\u") {
        return Err(lone);
    }
    let second = hex4(bytes, at + 8).ok_or((JsonSyntax::InvalidEscape, at + 6))?;
    if !(0xdc00..=0xdfff).contains(&second) {
        return Err(lone);
    }
    let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    value.push(char::from_u32(joined).ok_or(lone)?);
    Ok(at + 12)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |sum, byte| {
        Some(sum * 16 + char::from(*byte).to_digit(16)?)
    })
}

/// Reads the number that starts at `start` (RFC 8259 §6); gives the offset behind it.
pub(super) fn read_number(bytes: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => skip_digits(bytes, at),
        _ => return Err((JsonSyntax::MalformedNumber, start)),
    };
    if bytes.get(at) == Some(&b'.') {
        at = some_digits(bytes, at + 1).ok_or((JsonSyntax::MalformedNumber, start))?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = some_digits(bytes, at + 1 + sign).ok_or((JsonSyntax::MalformedNumber, start))?;
    }
    // `01`, `1x` and `0x10` are refused here rather than as a missing comma.
    match bytes.get(at) {
        Some(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-') => {
            Err((JsonSyntax::MalformedNumber, start))
        }
        _ => Ok(at),
    }
}

fn skip_digits(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn some_digits(bytes: &[u8], from: usize) -> Option<usize> {
    let end = skip_digits(bytes, from);
    (end > from).then_some(end)
}
