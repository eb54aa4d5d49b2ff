//! Why a JSON text was refused, and where.

use thiserror::Error;

/// A refused JSON text: the reason, the byte offset and the JSON pointer (RFC 6901) of the value being read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} at byte {offset}, pointer `{pointer}`")]
pub struct JsonViolation {
    /// The reason.
    pub problem: JsonProblem,
    /// Offset from the start of the body, in bytes.
    pub offset: usize,
    /// Pointer of the value being read, cut to at most 512 bytes; empty for the whole text.
    pub pointer: String,
}

/// The reason a JSON text was refused. `seen` is the value that crossed the limit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonProblem {
    /// More open arrays and objects than allowed.
    #[error("nested {seen} levels deep, {limit} are allowed")]
    Depth {
        /// Levels allowed.
        limit: usize,
        /// Levels open.
        seen: usize,
    },
    /// An array with more items than allowed.
    #[error("array has {seen} items or more, {limit} are allowed")]
    ArrayItems {
        /// Items allowed.
        limit: usize,
        /// Items read so far.
        seen: usize,
    },
    /// An object with more keys than allowed.
    #[error("object has {seen} keys or more, {limit} are allowed")]
    ObjectKeys {
        /// Keys allowed.
        limit: usize,
        /// Keys read so far.
        seen: usize,
    },
    /// A key longer than allowed.
    #[error("key has {seen} bytes, {limit} are allowed")]
    KeyBytes {
        /// Bytes allowed.
        limit: usize,
        /// Bytes of the key after unescaping.
        seen: usize,
    },
    /// A string longer than allowed.
    #[error("string has {seen} bytes, {limit} are allowed")]
    StringBytes {
        /// Bytes allowed.
        limit: usize,
        /// Bytes of the string after unescaping.
        seen: usize,
    },
    /// A number with more characters than allowed.
    #[error("number has {seen} characters, {limit} are allowed")]
    NumberBytes {
        /// Characters allowed.
        limit: usize,
        /// Characters of the number.
        seen: usize,
    },
    /// More tokens than allowed.
    #[error("text has {seen} tokens or more, {limit} are allowed")]
    Tokens {
        /// Tokens allowed.
        limit: usize,
        /// Tokens read so far.
        seen: usize,
    },
    /// A key that its object already holds.
    #[error("key `{key}` appears twice in one object, send it once")]
    DuplicateKey {
        /// The key, cut to 64 characters.
        key: String,
    },
    /// A key that its object already holds in another letter case.
    #[error(
        "key `{key}` differs from another key of the object only in letter case, send one of them"
    )]
    CaseVariantKey {
        /// The key, cut to 64 characters.
        key: String,
    },
    /// A key that reaches into the prototype of JavaScript objects, or another forbidden one.
    #[error("key `{key}` is not allowed")]
    ForbiddenKey {
        /// The key, cut to 64 characters.
        key: String,
    },
    /// The text is not JSON as RFC 8259 defines it.
    #[error("not valid JSON: {0}")]
    Syntax(JsonSyntax),
}

/// How a text breaks the grammar of RFC 8259.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JsonSyntax {
    /// The body holds no value.
    #[error("the body is empty")]
    Empty,
    /// The text ends inside a value.
    #[error("the text ends too early")]
    UnexpectedEnd,
    /// A byte order mark (RFC 8259 §8.1).
    #[error("the text starts with a byte order mark, leave it out")]
    ByteOrderMark,
    /// Bytes that are not UTF-8 (RFC 8259 §8.1).
    #[error("the text is not UTF-8")]
    InvalidUtf8,
    /// A value was expected; also `NaN`, `Infinity`, single quotes and comments.
    #[error("expected a value")]
    ExpectedValue,
    /// A key in double quotes was expected; also a comma before `}`.
    #[error("expected a key in double quotes")]
    ExpectedKey,
    /// A colon was expected after a key.
    #[error("expected `:` after the key")]
    ExpectedColon,
    /// A comma or the closing bracket was expected.
    #[error("expected `,` or the closing bracket")]
    ExpectedCommaOrEnd,
    /// A number with a leading zero, an empty fraction or an empty exponent.
    #[error("malformed number")]
    MalformedNumber,
    /// An unescaped control character in a string.
    #[error("control characters in strings must be escaped")]
    ControlCharacter,
    /// An escape that RFC 8259 §7 does not know.
    #[error("unknown escape")]
    InvalidEscape,
    /// Half of a surrogate pair.
    #[error("half of a surrogate pair")]
    LoneSurrogate,
    /// Something after the value.
    #[error("something follows the value")]
    TrailingData,
}
