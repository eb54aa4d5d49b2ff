//! A checksum before each file: what the disk gives back is what was given to it, or it is known not to be.

use lockgate_config::sha256_hex;

const MARK: &str = "lockgate-sealed 1 ";

/// Puts a line with the checksum before `content`.
pub fn seal(content: &[u8]) -> Vec<u8> {
    let mut sealed = format!("{MARK}{}\n", sha256_hex(content)).into_bytes();
    sealed.extend_from_slice(content);
    sealed
}

/// What was sealed; none when a single bit of it, or of the checksum, is another.
pub fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let rest = sealed.strip_prefix(MARK.as_bytes())?;
    let (sum, rest) = rest.split_at_checked(64)?;
    let content = rest.strip_prefix(b"\n")?;
    (sha256_hex(content).as_bytes() == sum).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_flipped_bit_and_no_cut_goes_unnoticed(content: Vec<u8>, at: usize, bit in 0u8..8) {
            let sealed = seal(&content);
            proptest::prop_assert_eq!(unseal(&sealed), Some(&*content));
            let place = at % sealed.len();
            let mut flipped = sealed.clone();
            flipped[place] ^= 1 << bit;
            proptest::prop_assert_eq!(unseal(&flipped), None);
            proptest::prop_assert_eq!(unseal(&sealed[..place]), None);
        }
    }
}
