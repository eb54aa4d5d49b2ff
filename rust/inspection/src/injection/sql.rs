//! SQL injection: the fingerprints of libinjection, confirmed by structure, and structures that stand alone.

use std::borrow::Cow;

use regex::bytes::Regex;

use super::Detector;
use super::field::Field;
use super::finding::{Class, Finding, Sensitivity};
use super::pattern::PackError;
use super::pattern::compile;

const ID: &str = "sql_injection.statement";

/// Structures that prose and ordinary filters do not have.
const STRUCTURES: &str = r#"
  # a second query
    \bunion \s* (?:all|distinct)? [\s(]* select \b [\s(]* (?: [-\d'"@*~!+] | null\b | (?:[\w.$]+ \s* (?: [,(\#;)] | -- | \x20from\b ) ) )
  # a comparison of two constants behind a connective
  | (?: \b(?:or|and|xor|having|where|when|not) \b | \|\| | && ) [\s(]*
      (?: -?\d[\d.+*/-]* | 0x[\da-f]+ | true | null ) \s* (?: = | <> | != | <=> | like\b ) \s* (?: -?\d | 0x[\da-f] | true\b | null\b )
  | (?: \b(?:or|and|xor|having|where|when|not) \b | \|\| | && ) [\s(]* (?: '[^']{0,40}' | "[^"]{0,40}" ) \s* (?: = | <> | != | < | > | like\b ) \s* ['"]
  # a stacked statement
  | (?: ; | ^ \s* ['\x22] ) [\s()]* (?: drop \s+ (?:table|database|schema|view|user|index|procedure|column|trigger) \b
      | delete \s+ from \b | insert \s+ into \b | truncate \s+ table \b | update \s+ [\w.`\[\]"]+ \s+ set \b
      | alter \s+ (?:table|user|database|login) \b | create \s+ (?:table|user|login|function|database|trigger) \b
      | exec(?:ute)? \s* (?: \( | immediate\b | @ ) | shutdown \s* (?: with\b | ; | -- | $ )
      | declare \s+ @ | waitfor \s+ (?:delay|time) \b | call \s+ [\w.]+ \s* \( | copy \s+ [\w.]+ \s+ (?:from|to) \s
      | select \s+ (?: [\w.]+ \s* \( | [\w*,.\s@]{1,120} \s from \b | @@ ) )
  | \b exec(?:ute)? \s+ (?: master\.\. | xp_ | sp_ ) \w
  # functions that wait, fail on purpose or reach outside
  | (?: \b(?:and|or|xor|select|if|when|then|else|not|rlike|like) \b | [,=(|;+'"] | && | ^ [\s()]* ) [\s(]* (?:sleep|benchmark) \s* \( \s* [\d(] 
  | \b (?: pg_sleep | extractvalue | updatexml | load_file | randomblob | dbms_pipe\.receive_message | dbms_lock\.sleep | utl_http\.request
      | utl_inaddr\.get_host_address | sys_exec | sys_eval | xp_cmdshell | xp_dirtree | procedure \s+ analyse ) \s* \(
  | \b waitfor \s+ delay \s* ['"(]
  | \b into \s+ (?:out|dump)file \s* ['"] | \b from \s+ program \s* ['"]
  | \b information_schema \. | \b from \s+ (?: sqlite_master | pg_catalog\. | sysobjects | all_tables | v\$version | pg_user | pg_shadow | mysql\.user ) \b
  # a query inside an expression
  | \( \s* select \s* (?: [\d'"@(*] | case\b | top\s+\d | [\w.]+ \s* \( | [\w*,.\s]{1,80} \s from \b )
  # a name whose string is closed and whose rest is cut off
  | ^ [\w.@-]{1,40} ' \s* \# \s* $
  # sorting by position or expression behind a value
  | ^ -?\d+ ['")]* \s+ order \s+ by \s+ \d+ \s* (?: -- | \# | $ ) | ^ \s* order \s+ by \s+ \d+ \s* (?: -- | \# )
  # a column compared to itself, and the rest cut off
  | \b or \s+ \w{1,40} \s* = \s* \w{1,40} \s* (?: --\s* | \# ) $
  | ^ [^'"\s]{0,40} ['"] [\s)]* (?:order|group) \s+ by \s+ [\w.(]+ [^'"]{0,80} (?: \( | -- | \# )
"#;

/// A value that closes the string it is put into: its first quote is followed by SQL. Counts with a fingerprint.
const BREAK_OUT: &str = r#"
  ^ [^'"`]{0,80} ['"`] [\s)]* (?:
      (?: or | and | xor | \|\| | && | having | rlike | like ) \b? [\s(!~+'"`-]* (?: not \b \s*)?
        (?: exists \s* \( | ['"]{2} \s* [-&^*=<>] | (?:true|false|\d+) \s* (?: -- | \# | $ ) | [\w.@]+ \s* \(
          | [\w.@'"`]{1,40} \s* (?: = | < | > | ! | like\b | is\b | in\b | between\b | rlike\b | regexp\b ) )
    | ; \s* (?: -- | \# | $ )
    | -- [\s+-]* $ | \# \s* $ | /\* [^*]* $
    | union \b )
"#;

pub(super) struct SqlInjection {
    sensitivity: Sensitivity,
    structures: Regex,
    break_out: Regex,
}

impl SqlInjection {
    pub(super) fn new(sensitivity: Sensitivity) -> Result<Self, PackError> {
        Ok(Self {
            sensitivity,
            structures: compile(STRUCTURES)?,
            break_out: compile(BREAK_OUT)?,
        })
    }
}

impl Detector for SqlInjection {
    fn id(&self) -> &'static str {
        ID
    }

    fn class(&self) -> Class {
        Class::SqlInjection
    }

    fn needles(&self) -> &'static [&'static str] {
        &[
            "'", "\"", "`", "=", "<>", ";", "(", "--", "union", "select", "like", "order",
            "outfile", "dumpfile", "_schema", "from",
        ]
    }

    fn inspect(&self, field: &Field<'_>) -> Option<Finding> {
        let squeezed = without_comments(field.value);
        let at = if let Some(found) = self.structures.find(&squeezed) {
            found.start()
        } else if self.sensitivity == Sensitivity::Strict || self.break_out.is_match(&squeezed) {
            let bounded = with_bounded_words(field.value);
            if !libinjectionrs::detect_sqli(&bounded).is_injection() {
                return None;
            }
            0
        } else {
            return None;
        };
        let shown = Field {
            value: &squeezed,
            ..*field
        };
        Some(Finding::new(Class::SqlInjection, ID, &shown, at))
    }
}

/// The value with comments turned to spaces and the bodies of MySQL's executable comments kept.
fn without_comments(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(value, b"/*").is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    // No closing mark behind here is ever looked for twice, so unclosed comments stay linear.
    while let Some(at) = memchr::memmem::find(rest, b"/*") {
        let (before, comment) = rest.split_at_checked(at).unwrap_or((rest, &[]));
        out.extend_from_slice(before);
        let Some(end) = memchr::memmem::find(comment.get(2..).unwrap_or_default(), b"*/") else {
            rest = comment;
            break;
        };
        let body = comment.get(2..end + 2).unwrap_or_default();
        out.push(b' ');
        if let [b'!', body @ ..] = body {
            let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
            out.extend_from_slice(body.get(digits..).unwrap_or_default());
            out.push(b' ');
        }
        rest = comment.get(end + 4..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Longest prefix of a word that libinjection could know; its keywords are shorter.
const WORD_BYTES_MAX: usize = 64;

/// The value with dots and backticks behind the first 64 bytes of a word turned to underscores.
///
/// libinjection looks up the prefix in front of each of them, which over one long word is quadratic. No keyword is
/// that long, so the look-ups that are left out could not have found one.
fn with_bounded_words(value: &[u8]) -> Cow<'_, [u8]> {
    if value.len() <= WORD_BYTES_MAX {
        return Cow::Borrowed(value);
    }
    let mut bounded = value.to_vec();
    let mut length = 0_usize;
    for byte in &mut bounded {
        length = if ends_word(*byte) { 0 } else { length + 1 };
        if length > WORD_BYTES_MAX && matches!(byte, b'.' | b'`') {
            *byte = b'_';
        }
    }
    Cow::Owned(bounded)
}

/// Whether a byte ends a word for libinjection.
fn ends_word(byte: u8) -> bool {
    matches!(byte, 0 | 0xa0 | b'\t'..=b'\r')
        || memchr::memchr(byte, b" []{}<>:\\?=@!#~+-*/&|^%(),';\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::{with_bounded_words, without_comments};

    #[test]
    fn comments_turn_to_spaces_and_executable_comments_keep_their_body() {
        for (value, plain) in [
            ("a/**/b", "a b"),
            ("/*!50000union*//*x*/select", " union  select"),
            ("a/*b", "a/*b"),
            ("a/*b*/c/*d", "a c/*d"),
            ("/*/", "/*/"),
        ] {
            assert_eq!(
                without_comments(value.as_bytes()).as_ref(),
                plain.as_bytes(),
                "{value}"
            );
        }
    }

    #[test]
    fn only_dots_behind_what_could_be_a_keyword_are_changed() {
        let short = b"a.b.c`d".repeat(9);
        assert_eq!(with_bounded_words(&short).as_ref(), short.as_slice());
        let long = b"a.".repeat(40);
        let bounded = with_bounded_words(&long);
        assert_eq!(bounded.iter().filter(|byte| **byte == b'.').count(), 32);
        assert_eq!(bounded.len(), long.len());
        let spaced = b"a.b ".repeat(90);
        assert_eq!(with_bounded_words(&spaced).as_ref(), spaced.as_slice());
    }
}
