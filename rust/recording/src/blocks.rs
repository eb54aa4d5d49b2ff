//! Looks at the bytes of a text in blocks.

/// Whether a text holds a byte that is `wanted`.
pub(crate) fn holds(text: &[u8], wanted: impl Fn(u8) -> bool) -> bool {
    // The compiler looks at a block of either size with a few instructions.
    in_blocks::<16>(text, &wanted)
        .or_else(|| in_blocks::<4>(text, &wanted))
        .unwrap_or_else(|| text.iter().any(|byte| wanted(*byte)))
}

/// The same, unless the text is shorter than a block.
#[inline]
fn in_blocks<const BLOCK: usize>(text: &[u8], wanted: impl Fn(u8) -> bool) -> Option<bool> {
    let last = text.last_chunk::<BLOCK>()?;
    // Without an early end: that is what lets the compiler look at all bytes of a block at once.
    let within = |block: &[u8; BLOCK]| {
        let found = |found, byte: &u8| found | wanted(*byte);
        block.iter().fold(false, found)
    };
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    // Some bytes are looked at twice, which costs less than looking at the rest one by one.
    Some(blocks.iter().any(within) || (!rest.is_empty() && within(last)))
}
