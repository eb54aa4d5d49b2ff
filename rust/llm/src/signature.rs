//! Seals of thoughts, on their way through callers that speak another language.
//!
//! Providers seal thoughts, and take a conversation with tools back only with the seals. The gateway keeps no state: a seal is given to
//! the caller where its language has room for one, with the name of the provider before it, and comes back with the next call. A seal
//! that reaches another provider is left out, and that is reported.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use crate::dialect::Dialect;
use crate::model::{Origin, Signature};

/// What stands before a seal that was given to a caller in another language.
const MARK: &str = "lockgate.";
/// The same in base64, as Gemini's callers carry it: the first eight bytes of the mark, whose base64 stands alone.
const MARK_BASE64: &str = "bG9ja2dhdGUu";

const EITHER: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD_EITHER: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, EITHER);
const URL_EITHER: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, EITHER);

/// To what a seal belongs, where a language has room only beside thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    /// The thought itself.
    Thought,
    /// An encrypted thought without text.
    Redacted,
    /// The tool call that follows.
    NextCall,
    /// The text that follows.
    NextText,
}

impl Belongs {
    const ALL: [(Self, &str); 4] = [
        (Self::Thought, "thought"),
        (Self::Redacted, "redacted"),
        (Self::NextCall, "call"),
        (Self::NextText, "text"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(belongs, _)| *belongs == self)
            .map_or("thought", |(_, word)| word)
    }
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::Dialect(dialect) => dialect.name(),
            Self::Responses => "responses",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        if word == "responses" {
            return Some(Self::Responses);
        }
        Dialect::of_name(word).map(Self::Dialect)
    }
}

/// The seal for a caller whose language is not that of the seal.
pub(crate) fn pack(signature: &Signature, belongs: Belongs, home: Origin) -> String {
    if signature.origin == home && matches!(belongs, Belongs::Thought | Belongs::Redacted) {
        return signature.value.clone();
    }
    format!(
        "{MARK}{}.{}.{}",
        signature.origin.word(),
        belongs.word(),
        signature.value
    )
}

/// The seal that came back from a caller. One without our mark is that of the language's own provider.
pub(crate) fn unpack(value: &str, home: Origin) -> (Signature, Belongs) {
    let packed = || {
        let (origin, rest) = value.strip_prefix(MARK)?.split_once('.')?;
        let (belongs, seal) = rest.split_once('.')?;
        let (belongs, _) = Belongs::ALL
            .into_iter()
            .find(|(_, word)| *word == belongs)?;
        Some((
            Signature {
                origin: Origin::of_word(origin)?,
                value: seal.to_owned(),
            },
            belongs,
        ))
    };
    packed().unwrap_or_else(|| {
        (
            Signature {
                origin: home,
                value: value.to_owned(),
            },
            Belongs::Thought,
        )
    })
}

/// As [`pack`], for Gemini's callers, who take a seal for base64 and may write it in the other alphabet.
pub(crate) fn pack_base64(signature: &Signature, belongs: Belongs) -> String {
    let home = Origin::Dialect(Dialect::Gemini);
    if signature.origin == home {
        return signature.value.clone();
    }
    STANDARD.encode(pack(signature, belongs, home))
}

/// As [`unpack`], for what [`pack_base64`] wrote.
pub(crate) fn unpack_base64(value: &str) -> (Signature, Belongs) {
    let home = Origin::Dialect(Dialect::Gemini);
    if value.starts_with(MARK_BASE64)
        && let Ok(bytes) = STANDARD_EITHER
            .decode(value)
            .or_else(|_| URL_EITHER.decode(value))
        && let Ok(text) = String::from_utf8(bytes)
    {
        return unpack(&text, home);
    }
    (
        Signature {
            origin: home,
            value: value.to_owned(),
        },
        Belongs::Thought,
    )
}

/// Whether a body may hold a seal that another provider gave. Such a body is never passed on as it is.
#[must_use]
pub fn holds_foreign_seal(body: &[u8]) -> bool {
    memchr::memmem::find(body, MARK.as_bytes()).is_some()
        || memchr::memmem::find(body, MARK_BASE64.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANTHROPIC: Origin = Origin::Dialect(Dialect::Anthropic);

    fn seal(origin: Origin) -> Signature {
        Signature {
            origin,
            value: "EqQB.+/==".into(),
        }
    }

    #[test]
    fn a_seal_comes_back_as_it_went_in_every_language() {
        for dialect in Dialect::ALL {
            for (belongs, _) in Belongs::ALL {
                let signature = seal(Origin::Dialect(dialect));
                // Anthropic's own encrypted thoughts are told by the block that holds them.
                if dialect == Dialect::Anthropic && belongs == Belongs::Redacted {
                    continue;
                }
                let packed = pack(&signature, belongs, ANTHROPIC);
                assert_eq!(unpack(&packed, ANTHROPIC), (signature.clone(), belongs));
                if dialect != Dialect::Gemini {
                    let packed = pack_base64(&signature, belongs);
                    assert_eq!(unpack_base64(&packed), (signature.clone(), belongs));
                    let other = packed.replace('+', "-").replace('/', "_");
                    let other = other.trim_end_matches('=');
                    assert_eq!(unpack_base64(other), (signature, belongs));
                }
            }
        }
    }

    #[test]
    fn a_providers_own_seal_is_left_alone() {
        assert_eq!(
            pack(&seal(ANTHROPIC), Belongs::Thought, ANTHROPIC),
            "EqQB.+/=="
        );
        assert_eq!(unpack("EqQB.+/==", ANTHROPIC).0, seal(ANTHROPIC));
        assert_eq!(
            unpack("lockgate.nobody.thought.x", ANTHROPIC).0.value,
            "lockgate.nobody.thought.x"
        );
    }

    #[test]
    fn a_body_with_a_foreign_seal_is_known() {
        let gemini = seal(Origin::Dialect(Dialect::Gemini));
        let packed = pack(&gemini, Belongs::NextCall, ANTHROPIC);
        assert!(holds_foreign_seal(packed.as_bytes()));
        assert!(holds_foreign_seal(
            pack_base64(&seal(ANTHROPIC), Belongs::Thought).as_bytes()
        ));
        assert!(!holds_foreign_seal(b"lock gate"));
    }
}
