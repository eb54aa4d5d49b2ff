//! Looks at the bytes of a text in blocks.

/// Bytes that are looked at together; the compiler makes a few instructions of it.
const BLOCK: usize = 16;

/// Whether a text holds a byte that is `wanted`. Without an early end within a block: that is what lets the compiler look at all of
/// its bytes at once.
pub(crate) fn holds(text: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    let within = |block: &[u8; BLOCK]| {
        let found = |found, byte: &u8| found | wanted(*byte);
        block.iter().fold(false, found)
    };
    let (blocks, rest) = text.as_chunks();
    if blocks.iter().any(within) {
        return true;
    }
    match text.last_chunk() {
        _ if rest.is_empty() => false,
        // Some bytes are looked at twice, which costs less than looking at the rest one by one.
        Some(last) => within(last),
        None => rest.iter().any(|byte| wanted(*byte)),
    }
}
