//! What the parts of an expression give.

use cel::common::ast::{LiteralValue, operators};

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Type {
    /// A thing with exactly these members.
    Of(&'static [(&'static str, Type)]),
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    /// A list of texts.
    Texts,
    List,
    /// Texts by names that requests bring.
    Fields,
    Map,
    Time,
    Span,
    Null,
    /// Only requests can tell.
    Any,
}

const REQUEST: Type = Type::Of(&[
    ("method", Type::Text),
    ("scheme", Type::Text),
    ("host", Type::Text),
    ("path", Type::Text),
    ("query", Type::Fields),
    ("headers", Type::Fields),
]);
const APPLICATION: Type = Type::Of(&[
    ("id", Type::Text),
    ("plan", Type::Text),
    ("scopes", Type::Texts),
    ("roles", Type::Texts),
]);

impl Type {
    pub(super) fn of_root(name: &str) -> Self {
        match name {
            "request" => REQUEST,
            "route" => Self::Of(&[("id", Self::Text)]),
            "application" => APPLICATION,
            "client" => Self::Of(&[("address", Self::Text)]),
            _ => Self::Any,
        }
    }

    pub(super) fn of_literal(literal: &LiteralValue) -> Self {
        match literal {
            LiteralValue::Boolean(_) => Self::Bool,
            LiteralValue::Bytes(_) => Self::Bytes,
            LiteralValue::Double(_) => Self::Double,
            LiteralValue::Int(_) => Self::Int,
            LiteralValue::UInt(_) => Self::Uint,
            LiteralValue::Null => Self::Null,
            LiteralValue::String(_) => Self::Text,
        }
    }

    /// As a person calls it.
    pub(super) const fn in_words(self) -> &'static str {
        match self {
            Self::Bool => "`true` or `false`",
            Self::Int | Self::Uint | Self::Double => "a number",
            Self::Text => "a text",
            Self::Bytes => "bytes",
            Self::Texts => "a list of texts",
            Self::List => "a list",
            Self::Of(_) | Self::Fields | Self::Map => "a mapping",
            Self::Time => "a time",
            Self::Span => "a span of time",
            Self::Null => "`null`",
            Self::Any => "a value",
        }
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    pub(super) const fn is_list(self) -> bool {
        matches!(self, Self::List | Self::Texts)
    }

    pub(super) const fn is_mapping(self) -> bool {
        matches!(self, Self::Of(_) | Self::Fields | Self::Map)
    }

    /// Whether a value of one may equal a value of the other.
    pub(super) fn may_equal(self, other: Self) -> bool {
        self == Self::Any
            || other == Self::Any
            || self == other
            || (self.is_number() && other.is_number())
            || (self.is_list() && other.is_list())
            || (self.is_mapping() && other.is_mapping())
    }

    /// Whether values of both have an order.
    pub(super) fn is_ordered_with(self, other: Self) -> bool {
        self.may_equal(other)
            && ![self, other]
                .iter()
                .any(|one| one.is_list() || one.is_mapping() || *one == Self::Null)
    }

    /// What one loop over it sees at a time: names of a mapping, members of a list.
    pub(super) const fn item(self) -> Self {
        match self {
            Self::Texts | Self::Fields | Self::Of(_) => Self::Text,
            _ => Self::Any,
        }
    }

    /// What `+`, `-`, `*`, `/` or `%` makes of two; `None` when there is nothing that it makes.
    pub(super) fn joined(self, operator: &str, other: Self) -> Option<Self> {
        let adds = operator == operators::ADD;
        let subtracts = operator == operators::SUBSTRACT;
        Some(match (self, other) {
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Double, Self::Double) if operator == operators::MODULO => return None,
            (one, other) if one.is_number() && one == other => one,
            (Self::Text, Self::Text) if adds => Self::Text,
            (Self::Bytes, Self::Bytes) if adds => Self::Bytes,
            (Self::Texts, Self::Texts) if adds => Self::Texts,
            (one, other) if adds && one.is_list() && other.is_list() => Self::List,
            (Self::Span, Self::Time) if adds => Self::Time,
            (Self::Time, Self::Span) if adds || subtracts => Self::Time,
            (Self::Span, Self::Span) if adds || subtracts => Self::Span,
            (Self::Time, Self::Time) if subtracts => Self::Span,
            _ => return None,
        })
    }
}
