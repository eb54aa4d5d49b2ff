//! A document: counted by the lexer, then parsed, then split into operations and fragments.

use std::collections::HashMap;

use apollo_parser::cst::{self, CstNode as _, Definition};
use apollo_parser::{Lexer, Parser, TokenKind};

use super::cut;
use super::limits::{GraphqlBound, GraphqlViolation};

/// Nested brackets of any kind that are handed to the parser, whatever the limits say.
pub(super) const NESTING_MAX: usize = 128;
/// The parser's own bound; above what [`NESTING_MAX`] brackets need, so it is the second line.
const RECURSION_MAX: usize = 4 * NESTING_MAX;

/// Counts tokens on top of `before`, and refuses bracket nesting that the parser must not see. Linear.
pub(super) fn count_tokens(query: &str, before: u64, limit: u64) -> Result<u64, GraphqlViolation> {
    let mut tokens = before;
    let mut open = 0_usize;
    for token in Lexer::new(query) {
        let token = token.map_err(|error| GraphqlViolation::Syntax {
            offset: error.index(),
        })?;
        match token.kind() {
            TokenKind::Whitespace | TokenKind::Comment | TokenKind::Comma | TokenKind::Eof => {
                continue;
            }
            TokenKind::LCurly | TokenKind::LParen | TokenKind::LBracket => open += 1,
            TokenKind::RCurly | TokenKind::RParen | TokenKind::RBracket => {
                open = open.saturating_sub(1)
            }
            _ => {}
        }
        tokens += 1;
        if tokens > limit {
            return Err(GraphqlViolation::Limit {
                bound: GraphqlBound::Tokens,
                limit,
                seen: tokens,
            });
        }
        if open > NESTING_MAX {
            return Err(GraphqlViolation::Nesting { limit: NESTING_MAX });
        }
    }
    Ok(tokens)
}

/// The operations and fragments of a document.
pub(super) struct Document {
    pub operations: Vec<cst::OperationDefinition>,
    pub fragments: HashMap<String, cst::FragmentDefinition>,
}

impl Document {
    /// INVARIANT: [`count_tokens`] has passed, so size and nesting are bounded.
    pub(super) fn parse(query: &str) -> Result<Self, GraphqlViolation> {
        let tree = Parser::new(query).recursion_limit(RECURSION_MAX).parse();
        if let Some(error) = tree.errors().next() {
            return Err(GraphqlViolation::Syntax {
                offset: error.index(),
            });
        }
        let mut operations = Vec::new();
        let mut fragments = HashMap::new();
        for definition in tree.document().definitions() {
            match definition {
                Definition::OperationDefinition(operation) => operations.push(operation),
                Definition::FragmentDefinition(fragment) => {
                    let name = fragment.fragment_name().and_then(|name| name.name());
                    let name = name.map(|name| name.text().to_string()).unwrap_or_default();
                    if fragments.contains_key(&name) {
                        return Err(GraphqlViolation::DuplicateFragment { name: cut(&name) });
                    }
                    fragments.insert(name, fragment);
                }
                _ => return Err(GraphqlViolation::TypeSystem),
            }
        }
        if operations.is_empty() {
            return Err(GraphqlViolation::NoOperation);
        }
        Ok(Self {
            operations,
            fragments,
        })
    }

    /// Every operation is measured, as upstreams differ in which one they run; the named one must exist.
    pub(super) fn require_operation(&self, name: Option<&str>) -> Result<(), GraphqlViolation> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        let known = self
            .operations
            .iter()
            .any(|each| each.name().is_some_and(|each| each.text() == name));
        if known {
            Ok(())
        } else {
            Err(GraphqlViolation::UnknownOperation { name: cut(name) })
        }
    }
}

/// Names of the fragments spread below a node, in the order of the document.
pub(super) fn spreads(fragment: &cst::FragmentDefinition) -> Vec<String> {
    let below = fragment
        .syntax()
        .descendants()
        .filter_map(cst::FragmentSpread::cast);
    below.filter_map(|spread| spread_name(&spread)).collect()
}

pub(super) fn spread_name(spread: &cst::FragmentSpread) -> Option<String> {
    Some(spread.fragment_name()?.name()?.text().to_string())
}
