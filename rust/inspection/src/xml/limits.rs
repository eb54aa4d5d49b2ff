//! What an XML body may contain, and why one was refused.

use thiserror::Error;

/// Bounds on an XML document. Each bound is inclusive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XmlLimits {
    /// Open elements at one point.
    pub depth: usize,
    /// Elements of the whole document.
    pub elements: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
    /// Bytes of one element or attribute name, prefix included.
    pub name_bytes: usize,
    /// Bytes of one attribute value after references are resolved.
    pub attribute_bytes: usize,
    /// Bytes of the text between two tags after references are resolved, CDATA included.
    pub text_bytes: usize,
    /// Bytes of one comment.
    pub comment_bytes: usize,
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            depth: 50,
            elements: 10_000,
            attributes: 50,
            name_bytes: 256,
            attribute_bytes: 65_536,
            text_bytes: 262_144,
            comment_bytes: 65_536,
        }
    }
}

/// A refused XML document: the reason, the byte offset and the path of open elements.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem} at byte {offset}, element `{path}`")]
pub struct XmlViolation {
    /// The reason.
    pub problem: XmlProblem,
    /// Offset from the start of the body, in bytes: behind the construct that was refused.
    pub offset: usize,
    /// Names of the open elements joined by `/`, cut to at most 512 bytes; `/` outside the root.
    pub path: String,
}

/// The reason an XML document was refused. `seen` is the value that crossed the limit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlProblem {
    /// One of the sizes in [`XmlLimits`] was crossed.
    #[error("{bound} is {seen} or more, {limit} are allowed")]
    Limit {
        /// Which bound.
        bound: XmlBound,
        /// The value allowed.
        limit: usize,
        /// The value seen.
        seen: usize,
    },
    /// A document type declaration: the way to entity expansion and external entities.
    #[error("document type declarations are not allowed")]
    DocumentType,
    /// A processing instruction other than the XML declaration.
    #[error("processing instructions are not allowed")]
    ProcessingInstruction,
    /// An entity outside the five predefined ones, or a character reference to no XML character.
    #[error("only the five predefined entities and references to XML characters are allowed")]
    Entity,
    /// A declared encoding other than UTF-8, or bytes that are not UTF-8.
    #[error("the document must be UTF-8")]
    Encoding,
    /// A character that XML 1.0 §2.2 excludes.
    #[error("control characters are not allowed")]
    ControlCharacter,
    /// One element with the same attribute twice.
    #[error("an attribute appears twice in one element")]
    DuplicateAttribute,
    /// The document is not well-formed.
    #[error("not well-formed XML: {0}")]
    Syntax(XmlSyntax),
}

/// A bound of [`XmlLimits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum XmlBound {
    /// Open elements.
    #[error("nesting depth")]
    Depth,
    /// Elements of the document.
    #[error("number of elements")]
    Elements,
    /// Attributes of an element.
    #[error("number of attributes")]
    Attributes,
    /// Length of a name.
    #[error("length of a name in bytes")]
    NameBytes,
    /// Length of an attribute value.
    #[error("length of an attribute value in bytes")]
    AttributeBytes,
    /// Length of a text.
    #[error("length of a text in bytes")]
    TextBytes,
    /// Length of a comment.
    #[error("length of a comment in bytes")]
    CommentBytes,
}

/// How a document breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum XmlSyntax {
    /// No root element.
    #[error("there is no root element")]
    NoRoot,
    /// A second root element.
    #[error("there is a second root element")]
    SecondRoot,
    /// Text outside the root element.
    #[error("text outside the root element")]
    TextOutsideRoot,
    /// An XML declaration that is not at the very start.
    #[error("the XML declaration must come first")]
    MisplacedDeclaration,
    /// An element left open, or a closing tag without its element.
    #[error("tags do not match")]
    UnmatchedTag,
    /// A name that is empty or holds characters names cannot have.
    #[error("malformed name")]
    MalformedName,
    /// An attribute without quotes, without a value or with `<` in it.
    #[error("malformed attribute")]
    MalformedAttribute,
    /// Anything else.
    #[error("malformed markup")]
    MalformedMarkup,
}
