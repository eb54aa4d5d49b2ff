//! Views of a value: as it stands, and as bounded passes of decoding make of it.

use std::borrow::Cow;

use super::field::Location;

/// Decoding passes over one value; each pass undoes one layer of percent, entity and backslash escapes.
pub const DECODING_PASSES_MAX: usize = 3;

/// The value as it stands and each decoding that differs from the one before, at most
/// [`DECODING_PASSES_MAX`] of them, each with the layers of encoding undone. No view is longer than the value.
pub(super) fn views(location: Location, value: &[u8]) -> Vec<(u8, Cow<'_, [u8]>)> {
    let mut views = vec![(0, Cow::Borrowed(value))];
    if location.plus_is_space() && value.contains(&b'+') {
        let spaced = value
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        views.push((0, Cow::Owned(spaced)));
    }
    for _ in 0..DECODING_PASSES_MAX {
        let Some((layers, view)) = views.last() else {
            break;
        };
        let Some(decoded) = decode_once(view) else {
            break;
        };
        views.push((layers + 1, Cow::Owned(decoded)));
    }
    views
}

/// One pass from left to right; `None` when nothing was encoded.
fn decode_once(value: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr3(b'%', b'&', b'\\', value)?;
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut changed = false;
    while let Some(at) = memchr::memchr3(b'%', b'&', b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at)?;
        decoded.extend_from_slice(plain);
        let found = match escape.first() {
            Some(b'%') => percent(escape),
            Some(b'&') => entity(escape),
            _ => backslash(escape),
        };
        let length = match found {
            Some((code, length)) => {
                push(&mut decoded, code);
                changed = true;
                length
            }
            None => {
                decoded.extend(escape.first());
                1
            }
        };
        rest = escape.get(length..).unwrap_or_default();
    }
    decoded.extend_from_slice(rest);
    changed.then_some(decoded)
}

/// What an escape stands for: a byte, or a character.
#[derive(Clone, Copy)]
enum Code {
    Byte(u8),
    Character(u32),
}

fn push(decoded: &mut Vec<u8>, code: Code) {
    match code {
        Code::Byte(byte) => decoded.push(byte),
        Code::Character(code) => {
            // Full-width forms, which lenient decoders fold to ASCII.
            let code = if (0xff01..=0xff5e).contains(&code) {
                code - 0xfee0
            } else {
                code
            };
            let code = match code {
                0x2215 | 0x2044 => u32::from(b'/'),
                0x2216 => u32::from(b'\\'),
                _ => code,
            };
            let mut buffer = [0; 4];
            let each = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            decoded.extend_from_slice(each.encode_utf8(&mut buffer).as_bytes());
        }
    }
}

fn percent(escape: &[u8]) -> Option<(Code, usize)> {
    if let [_, b'u' | b'U', hex @ ..] = escape {
        return Some((Code::Character(hex_number(hex.get(..4)?)?), 6));
    }
    let first = hex_byte(escape)?;
    Some(overlong(first, escape).unwrap_or((Code::Byte(first), 3)))
}

/// An ASCII character in UTF-8 of two to six bytes, with the out-of-range last bytes that old decoders let through. A printable
/// byte is not taken for a part of it: a service that reads byte by byte would find it there, and it must not be hidden.
fn overlong(first: u8, escape: &[u8]) -> Option<(Code, usize)> {
    let (length, mut bits) = match first {
        0xc0 | 0xc1 => (2, first & 1),
        0xe0 => (3, 0),
        0xf0 => (4, 0),
        0xf8 => (5, 0),
        0xfc => (6, 0),
        _ => return None,
    };
    for index in 1..length {
        let byte = escape.get(3 * index..).and_then(hex_byte)?;
        let is_last = index + 1 == length;
        let hides = if is_last {
            (0x20..0x7f).contains(&byte) && (length > 2 || first == 0xc1 || byte >= 0x40)
        } else {
            !(0x80..=0x81).contains(&byte)
        };
        if hides {
            return None;
        }
        bits = if is_last {
            ((bits & 1) << 6) | (byte & 0x3f)
        } else {
            byte & 1
        };
    }
    Some((Code::Byte(bits), 3 * length))
}

fn hex_byte(escape: &[u8]) -> Option<u8> {
    match escape {
        [b'%', high, low, ..] => u8::try_from(hex_number(&[*high, *low])?).ok(),
        _ => None,
    }
}

fn hex_number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, byte| {
        Some(sum * 16 + char::from(*byte).to_digit(16)?)
    })
}

/// Named entities that matter to the detectors; browsers take the first four without a semicolon too.
const ENTITIES: [(&[u8], u8); 24] = [
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"amp", b'&'),
    (b"quot", b'"'),
    (b"apos;", b'\''),
    (b"colon;", b':'),
    (b"lpar;", b'('),
    (b"rpar;", b')'),
    (b"sol;", b'/'),
    (b"bsol;", b'\\'),
    (b"Tab;", b'\t'),
    (b"NewLine;", b'\n'),
    (b"nbsp;", b' '),
    (b"dollar;", b'$'),
    (b"lbrace;", b'{'),
    (b"rbrace;", b'}'),
    (b"lcub;", b'{'),
    (b"rcub;", b'}'),
    (b"period;", b'.'),
    (b"comma;", b','),
    (b"semi;", b';'),
    (b"equals;", b'='),
    (b"grave;", b'`'),
    (b"num;", b'#'),
];

fn entity(escape: &[u8]) -> Option<(Code, usize)> {
    let name = escape.get(1..)?;
    if let [b'#', digits @ ..] = name {
        return numeric_entity(digits).map(|(code, length)| (code, length + 2));
    }
    let (name, byte) = ENTITIES
        .iter()
        .find(|(entity, _)| name.starts_with(entity))?;
    let length = 1 + name.len();
    let semicolon = !name.ends_with(b";") && escape.get(length) == Some(&b';');
    // `&lta` is text unless a semicolon follows, but `&lt<` and `&ltscript` are read by browsers in text.
    Some((Code::Byte(*byte), length + usize::from(semicolon)))
}

fn numeric_entity(digits: &[u8]) -> Option<(Code, usize)> {
    let (digits, radix, prefix) = match digits {
        [b'x' | b'X', hex @ ..] => (hex, 16, 1),
        _ => (digits, 10, 0),
    };
    let zeros = digits
        .iter()
        .take(16)
        .take_while(|byte| **byte == b'0')
        .count();
    let body = digits.get(zeros..)?;
    let length = body
        .iter()
        .take(7)
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    if zeros + length == 0 {
        return None;
    }
    let number = body
        .iter()
        .take(length)
        .filter_map(|byte| char::from(*byte).to_digit(radix));
    let code = number.fold(0_u32, |sum, digit| {
        sum.saturating_mul(radix).saturating_add(digit)
    });
    let semicolon = usize::from(body.get(length) == Some(&b';'));
    Some((Code::Character(code), prefix + zeros + length + semicolon))
}

fn backslash(escape: &[u8]) -> Option<(Code, usize)> {
    match escape.get(1)? {
        b'u' => match escape.get(2) {
            Some(b'{') => {
                let digits = escape.get(3..)?;
                let length = digits.iter().take(8).position(|byte| *byte == b'}')?;
                Some((
                    Code::Character(hex_number(
                        digits.get(..length).filter(|hex| !hex.is_empty())?,
                    )?),
                    4 + length,
                ))
            }
            _ => Some((Code::Character(hex_number(escape.get(2..6)?)?), 6)),
        },
        b'x' => Some((
            Code::Byte(u8::try_from(hex_number(escape.get(2..4)?)?).ok()?),
            4,
        )),
        _ => None,
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
