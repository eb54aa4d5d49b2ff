//! Look-ups of Log4j that reach JNDI, however nested look-ups spell the word.

use super::Detector;
use super::field::Field;
use super::finding::{Class, Finding, Sensitivity};

const ID: &str = "log4shell.lookup";
/// Nested look-ups that are resolved; each level may move the text inside it once, so this bounds the work per byte.
const NESTING_MAX: usize = 32;

pub(super) struct Log4shell {
    sensitivity: Sensitivity,
}

impl Log4shell {
    pub(super) fn new(sensitivity: Sensitivity) -> Self {
        Self { sensitivity }
    }
}

impl Detector for Log4shell {
    fn id(&self) -> &'static str {
        ID
    }

    fn class(&self) -> Class {
        Class::Log4shell
    }

    fn needles(&self) -> &'static [&'static str] {
        &["${"]
    }

    fn inspect(&self, field: &Field<'_>) -> Option<Finding> {
        let at = memchr::memmem::find(field.value, b"${")?;
        let reaches = match resolve(field.value) {
            Some(resolved) => {
                names_jndi(&resolved)
                    || self.sensitivity == Sensitivity::Strict && names_lookup(&resolved)
            }
            // Nothing but an attack nests this deep.
            None => true,
        };
        reaches.then(|| Finding::new(Class::Log4shell, ID, field, at))
    }
}

/// Resolves inner look-ups to their texts: `${lower:x}`, `${upper:x}`, `${date:'x'}` to `x`, and whatever has a default
/// to that. `None` when nested too deep.
fn resolve(value: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(value.len());
    let mut open = Vec::new();
    let mut rest = value;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        match (first, behind.first()) {
            (b'$', Some(b'{')) => {
                if open.len() >= NESTING_MAX {
                    return None;
                }
                open.push(out.len());
                out.extend_from_slice(b"${");
                rest = behind.get(1..).unwrap_or_default();
            }
            (b'}', _) => match open.pop() {
                Some(start) => close(&mut out, start),
                None => out.push(b'}'),
            },
            _ => out.push(*first),
        }
    }
    Some(out)
}

/// Replaces the look-up that starts at `start` by its text, or closes it when its text is not known here.
fn close(out: &mut Vec<u8>, start: usize) {
    let body = out.get(start + 2..).unwrap_or_default();
    let text = if names_jndi_body(body) {
        None
    } else if let Some(at) = memchr::memmem::rfind(body, b":-") {
        body.get(at + 2..)
    } else {
        let known = [&b"lower:"[..], b"upper:", b"date:"].into_iter();
        known
            .filter(|each| starts_with(body, each))
            .find_map(|each| body.get(each.len()..))
    };
    match text.map(<[u8]>::to_vec) {
        Some(text) => {
            let is_date = starts_with(body, b"date:");
            out.truncate(start);
            out.extend(text.into_iter().filter(|byte| !(is_date && *byte == b'\'')));
        }
        None => out.push(b'}'),
    }
}

fn starts_with(body: &[u8], word: &[u8]) -> bool {
    body.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn names_jndi_body(body: &[u8]) -> bool {
    starts_with(body.trim_ascii_start(), b"jndi:")
}

fn names_jndi(resolved: &[u8]) -> bool {
    openings(resolved).any(names_jndi_body)
}

/// Look-ups that give away the environment.
fn names_lookup(resolved: &[u8]) -> bool {
    let sources = [
        &b"env:"[..],
        b"sys:",
        b"java:",
        b"ctx:",
        b"docker:",
        b"k8s:",
        b"bundle:",
        b"log4j:",
        b"main:",
        b"web:",
    ];
    openings(resolved).any(|body| sources.iter().any(|each| starts_with(body, each)))
}

fn openings(resolved: &[u8]) -> impl Iterator<Item = &[u8]> {
    memchr::memmem::find_iter(resolved, b"${").filter_map(|at| resolved.get(at + 2..))
}
