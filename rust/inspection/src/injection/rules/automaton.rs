//! Expressions as deterministic automata. Looking at a byte is one look into a table, whatever expression and value are: no request
//! can make a rule slow (F1). What would need too large a table is refused here.

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::PatternID;
use regex_automata::{Input, MatchKind, PatternSet};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// The most bytes of the automaton of one rule.
const ONE_BYTES: usize = 2 * 1024 * 1024;
/// The most bytes of an automaton of several rules: what is larger leaves the caches of a processor.
const SEVERAL_BYTES: usize = 512 * 1024;
/// The most rules that are tried in one automaton.
const TOGETHER_MAX: usize = 128;
/// How many of those that go on without an end are tried first.
const TOGETHER_WIDE: usize = 4;
/// More bytes than letters and digits have are many.
const MANY_BYTES: usize = 64;
/// The most bytes of all automata of a set.
const ALL_BYTES: usize = 32 * 1024 * 1024;
/// How deep the groups of an expression may be nested.
const NESTING_MAX: u32 = 64;

/// Why an expression cannot be a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is none; what the parser says.
    #[error("this is not a regular expression: {0}")]
    Syntax(String),
    /// It finds the empty text.
    #[error("it finds the empty text, which is everywhere")]
    FindsEmpty,
    /// It finds nothing.
    #[error("it can find nothing")]
    FindsNothing,
    /// It finds every text that is not empty.
    #[error("it finds every text")]
    FindsAll,
    /// Its automaton would be too large.
    #[error("it is too large: its repeats have to be counted")]
    TooLarge,
}

/// The automata of a set would be too large together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLargeTogether;

/// Reads an expression: letter case does not matter, `.` is any byte, and classes are those of ASCII, unless it says otherwise itself.
pub(super) fn read(pattern: &str) -> Result<Hir, PatternError> {
    let read = ParserBuilder::new()
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .unicode(false)
        .utf8(false)
        .nest_limit(NESTING_MAX)
        .build()
        .parse(pattern);
    let hir = read.map_err(|error| PatternError::Syntax(last_line(&error.to_string())))?;
    match hir.properties().minimum_len() {
        None => return Err(PatternError::FindsNothing),
        Some(0) => return Err(PatternError::FindsEmpty),
        Some(_) => {}
    }
    let alone = Group::build(&[(0, &hir)], ONE_BYTES)?;
    let finds_all = (b' '..=b'~').all(|byte| alone.find(&[byte]).next().is_some());
    if finds_all {
        return Err(PatternError::FindsAll);
    }
    Ok(hir)
}

/// What a parser says, without the picture of where.
fn last_line(said: &str) -> String {
    let last = said.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Some expressions in one automaton.
#[derive(Debug)]
pub(super) struct Group {
    automaton: dense::DFA<Vec<u32>>,
    /// The rule of each of its patterns.
    pub(super) rules: Vec<usize>,
}

impl Group {
    fn build(expressions: &[(usize, &Hir)], bytes: usize) -> Result<Self, PatternError> {
        let hirs: Vec<&Hir> = expressions.iter().map(|(_, hir)| *hir).collect();
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(bytes)),
            )
            .build_many_from_hir(&hirs)
            .map_err(|_| PatternError::TooLarge)?;
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .match_kind(MatchKind::All)
                    .start_kind(StartKind::Unanchored)
                    .dfa_size_limit(Some(bytes))
                    .determinize_size_limit(Some(4 * bytes)),
            )
            .build_from_nfa(&nfa)
            .map_err(|error| {
                if error.is_size_limit_exceeded() {
                    PatternError::TooLarge
                } else {
                    let said = "a word boundary of Unicode; write `(?-u:\\b)`";
                    PatternError::Syntax(said.to_owned())
                }
            })?;
        Ok(Self {
            automaton,
            rules: expressions.iter().map(|(rule, _)| *rule).collect(),
        })
    }

    /// The rules that find something in a value.
    pub(super) fn find(&self, value: &[u8]) -> impl Iterator<Item = usize> {
        let mut found = PatternSet::new(self.rules.len());
        let looked = self
            .automaton
            .try_which_overlapping_matches(&Input::new(value), &mut found);
        // INVARIANT: only automata that give up on some bytes fail, and these do not. Were it otherwise, nothing may pass unseen.
        let all = looked.is_err();
        self.rules
            .iter()
            .enumerate()
            .filter(move |(at, _)| {
                all || PatternID::new(*at).is_ok_and(|pattern| found.contains(pattern))
            })
            .map(|(_, rule)| *rule)
    }
}

/// As few automata for these expressions as their size allows; each expression has been read on its own.
pub(super) fn group(hirs: &[Hir]) -> Result<Vec<Group>, TooLargeTogether> {
    // What goes on after some text until another may be on its way at any time, and doubles the states of what stands beside it.
    let (wide, narrow): (Vec<_>, Vec<_>) =
        hirs.iter().enumerate().partition(|(_, hir)| is_wide(hir));
    let (mut groups, mut bytes) = (Vec::new(), 0_usize);
    for (mut rest, mut size) in [(&*narrow, TOGETHER_MAX), (&*wide, TOGETHER_WIDE)] {
        while !rest.is_empty() {
            let (next, behind) = rest.split_at(size.min(rest.len()));
            let most = if next.len() == 1 {
                ONE_BYTES
            } else {
                SEVERAL_BYTES
            };
            match Group::build(next, most) {
                Ok(group) => {
                    let took = group.automaton.memory_usage();
                    bytes = bytes.saturating_add(took);
                    if took < SEVERAL_BYTES / 16 {
                        size = TOGETHER_MAX.min(2 * size);
                    }
                    groups.push(group);
                    rest = behind;
                }
                Err(_) if next.len() > 1 => size = next.len() / 2,
                Err(_) => return Err(TooLargeTogether),
            }
            if bytes > ALL_BYTES {
                return Err(TooLargeTogether);
            }
        }
    }
    Ok(groups)
}

/// Whether an expression holds a repeat without end of many different bytes. Groups are nested [`NESTING_MAX`] deep at most.
fn is_wide(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(repeat) => {
            (repeat.max.is_none() && takes_many(&repeat.sub)) || is_wide(&repeat.sub)
        }
        HirKind::Capture(capture) => is_wide(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(is_wide),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

fn takes_many(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Bytes(class)) => {
            let bytes = class.iter().map(|range| range.len());
            bytes.sum::<usize>() > MANY_BYTES
        }
        HirKind::Class(Class::Unicode(_)) => true,
        HirKind::Capture(capture) => takes_many(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(takes_many),
        _ => false,
    }
}
