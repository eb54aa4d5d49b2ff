//! What a JSON body may contain.

/// Bounds on a JSON text. Each bound is inclusive: a text at the bound passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonLimits {
    /// Open arrays and objects at one point.
    pub depth: usize,
    /// Items of one array.
    pub array_items: usize,
    /// Keys of one object.
    pub object_keys: usize,
    /// Bytes of one key after unescaping.
    pub key_bytes: usize,
    /// Bytes of one string value after unescaping.
    pub string_bytes: usize,
    /// Characters of one number. Upstreams that parse integers of any size do so in more than linear time.
    pub number_bytes: usize,
    /// Keys, scalar values and opening brackets of the whole text.
    pub tokens: usize,
    /// Whether one object may hold a key twice. Parsers disagree on which one wins (RFC 8259 §4).
    pub allow_duplicate_keys: bool,
    /// Whether one object may hold two keys that differ only in letter case, which case-blind decoders merge.
    pub allow_case_variant_keys: bool,
    /// Keys refused at every depth, also as a segment of a dotted or bracketed key such as `a[__proto__][b]`.
    pub forbidden_keys: Vec<String>,
    /// Whether `prototype` may be a key of the object under `constructor`. Either word alone is ordinary
    /// (`{"constructor": "Acme Builders"}`); only the pair reaches the prototype of a merged JavaScript object.
    pub allow_constructor_prototype: bool,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            depth: 50,
            array_items: 1_000,
            object_keys: 100,
            key_bytes: 256,
            string_bytes: 262_144,
            number_bytes: 256,
            tokens: 10_000,
            allow_duplicate_keys: false,
            allow_case_variant_keys: false,
            forbidden_keys: vec!["__proto__".to_owned()],
            allow_constructor_prototype: false,
        }
    }
}
