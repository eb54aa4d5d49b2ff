//! The id of a request.

use std::sync::Arc;

use http::HeaderValue;

/// 128 bits as 32 hexadecimal digits: in the record, in both messages and as the trace of a request.
#[derive(Debug, Clone)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id of these bits.
    pub fn of(words: [u64; 2]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut digits = [0; 32];
        let bytes = words.into_iter().flat_map(u64::to_be_bytes);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        Self(str::from_utf8(&digits).unwrap_or_default().into())
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits, shared with whoever keeps them.
    pub const fn text(&self) -> &Arc<str> {
        &self.0
    }

    /// The digits as the value of a field.
    pub fn value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(const { HeaderValue::from_static("") })
    }

    #[cfg(test)]
    pub fn read(digits: &'static str) -> Self {
        Self(digits.into())
    }
}
