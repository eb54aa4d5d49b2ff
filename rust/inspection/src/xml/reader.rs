//! One pass over a document: the rules of XML 1.0 that a gateway relies on, the limits, and the walk.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::escape::unescape;
use quick_xml::events::attributes::{AttrError, Attributes};
use quick_xml::events::{BytesDecl, BytesStart, Event};

use super::XmlText;
use super::limits::{XmlBound, XmlLimits, XmlProblem, XmlSyntax, XmlViolation};

const PATH_BYTES_MAX: usize = 512;

type Visitor<'v> = &'v mut dyn FnMut(XmlText<'_>) -> ControlFlow<()>;

pub(super) fn read(
    body: &[u8],
    limits: &XmlLimits,
    visit: Visitor<'_>,
) -> Result<(), XmlViolation> {
    let refuse = |problem, offset| XmlViolation {
        problem,
        offset,
        path: "/".to_owned(),
    };
    let text = std::str::from_utf8(body)
        .map_err(|error| refuse(XmlProblem::Encoding, error.valid_up_to()))?;
    // XML 1.0 §2.2; looking at the whole body first also covers names, comments and declarations.
    if let Some(offset) = text
        .bytes()
        .position(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r'))
    {
        return Err(refuse(XmlProblem::ControlCharacter, offset));
    }
    let mut reader = Reader::from_str(text);
    let settings = reader.config_mut();
    settings.check_end_names = true;
    settings.check_comments = true;
    settings.allow_unmatched_ends = false;
    settings.allow_dangling_amp = false;
    settings.expand_empty_elements = false;
    let mut pass = Pass {
        limits,
        visit,
        path: String::new(),
        ends: Vec::new(),
        elements: 0,
        events: 0,
        text: String::new(),
    };
    loop {
        let event = reader.read_event().map_err(|error| problem_of(&error));
        let offset = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match event.and_then(|event| pass.event(event)) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(()),
            Err(problem) => {
                let path = if pass.path.is_empty() {
                    "/".to_owned()
                } else {
                    pass.path
                };
                return Err(XmlViolation {
                    problem,
                    offset,
                    path,
                });
            }
        }
    }
}

struct Pass<'p> {
    limits: &'p XmlLimits,
    visit: Visitor<'p>,
    path: String,
    /// Length of the path before each open element.
    ends: Vec<usize>,
    elements: usize,
    events: usize,
    /// Text since the last tag.
    text: String,
}

type Step = Result<ControlFlow<()>, XmlProblem>;
const GO_ON: Step = Ok(ControlFlow::Continue(()));

impl Pass<'_> {
    fn event(&mut self, event: Event<'_>) -> Step {
        self.events += 1;
        match event {
            Event::Start(tag) => self.open(&tag),
            Event::Empty(tag) => {
                if self.open(&tag)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                self.close()
            }
            Event::End(_) => self.close(),
            Event::Text(text) => self.push_text(&text.into_inner()),
            Event::CData(text) if !self.ends.is_empty() => self.push_text(&text.into_inner()),
            Event::GeneralRef(name) => {
                let resolved = format!("&{};", name.into_inner());
                let resolved = resolve(&resolved)?;
                if self.ends.is_empty() {
                    return syntax(XmlSyntax::TextOutsideRoot);
                }
                self.push_text(&resolved)
            }
            Event::CData(_) => syntax(XmlSyntax::TextOutsideRoot),
            Event::Comment(comment) => {
                self.bound(
                    XmlBound::CommentBytes,
                    self.limits.comment_bytes,
                    comment.into_inner().len(),
                )?;
                GO_ON
            }
            Event::Decl(declaration) => self.declaration(&declaration),
            Event::PI(_) => Err(XmlProblem::ProcessingInstruction),
            Event::DocType(_) => Err(XmlProblem::DocumentType),
            Event::Eof if !self.ends.is_empty() => syntax(XmlSyntax::UnmatchedTag),
            Event::Eof if self.elements == 0 => syntax(XmlSyntax::NoRoot),
            Event::Eof => Ok(ControlFlow::Break(())),
        }
    }

    fn bound(&self, bound: XmlBound, limit: usize, seen: usize) -> Result<(), XmlProblem> {
        if seen > limit {
            Err(XmlProblem::Limit { bound, limit, seen })
        } else {
            Ok(())
        }
    }

    /// XML 1.0 §2.8, to the letter: a declaration in another form names an encoding to one reader and none to the next.
    fn declaration(&self, declaration: &BytesDecl<'_>) -> Step {
        if self.events != 1 {
            return syntax(XmlSyntax::MisplacedDeclaration);
        }
        let mut expected = ["version", "encoding", "standalone"].into_iter();
        let mut versions = 0;
        for attribute in Attributes::new(declaration, "xml".len()) {
            let attribute = attribute.map_err(|error| problem_of_attribute(&error))?;
            let name = attribute.key.as_ref();
            if !expected.any(|each| each == name) {
                return syntax(XmlSyntax::MalformedMarkup);
            }
            let value = &*attribute.value;
            let utf8 =
                || value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii");
            match name {
                "version" if value == "1.0" => versions += 1,
                "encoding" if !utf8() => return Err(XmlProblem::Encoding),
                "encoding" => {}
                "standalone" if matches!(value, "yes" | "no") => {}
                _ => return syntax(XmlSyntax::MalformedMarkup),
            }
        }
        if versions == 1 {
            GO_ON
        } else {
            syntax(XmlSyntax::MalformedMarkup)
        }
    }

    fn push_text(&mut self, text: &str) -> Step {
        if self.ends.is_empty() {
            let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
            return if blank {
                GO_ON
            } else {
                syntax(XmlSyntax::TextOutsideRoot)
            };
        }
        self.text.push_str(text);
        self.bound(XmlBound::TextBytes, self.limits.text_bytes, self.text.len())?;
        GO_ON
    }

    fn flush_text(&mut self) -> ControlFlow<()> {
        let text = self.text.trim();
        let flow = if text.is_empty() {
            ControlFlow::Continue(())
        } else {
            (self.visit)(XmlText {
                attribute: None,
                path: &self.path,
                text,
            })
        };
        self.text.clear();
        flow
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Step {
        if self.flush_text().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if self.ends.is_empty() && self.elements > 0 {
            return syntax(XmlSyntax::SecondRoot);
        }
        self.elements += 1;
        self.bound(XmlBound::Elements, self.limits.elements, self.elements)?;
        self.bound(XmlBound::Depth, self.limits.depth, self.ends.len() + 1)?;
        let name = tag.name();
        let name = name.as_ref();
        self.check_name(name)?;
        self.ends.push(self.path.len());
        if self.path.len() + name.len() < PATH_BYTES_MAX {
            self.path.push('/');
            self.path.push_str(name);
        }
        self.attributes(tag)
    }

    fn attributes(&mut self, tag: &BytesStart<'_>) -> Step {
        // The reader's own duplicate check compares all pairs; a set keeps raised limits linear.
        let mut names = HashSet::new();
        for (index, attribute) in tag.attributes().with_checks(false).enumerate() {
            self.bound(XmlBound::Attributes, self.limits.attributes, index + 1)?;
            let attribute = attribute.map_err(|error| problem_of_attribute(&error))?;
            let name = attribute.key.as_ref();
            self.check_name(name)?;
            if !names.insert(name.to_owned()) {
                return Err(XmlProblem::DuplicateAttribute);
            }
            if attribute.value.contains('<') {
                return syntax(XmlSyntax::MalformedAttribute);
            }
            let value = resolve(&attribute.value)?;
            self.bound(
                XmlBound::AttributeBytes,
                self.limits.attribute_bytes,
                value.len(),
            )?;
            let shown = XmlText {
                attribute: Some(name),
                path: &self.path,
                text: &value,
            };
            if (self.visit)(shown).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        GO_ON
    }

    fn check_name(&self, name: &str) -> Result<(), XmlProblem> {
        self.bound(XmlBound::NameBytes, self.limits.name_bytes, name.len())?;
        // XML 1.0 §2.3 for ASCII; other scripts are left to the upstream.
        let start =
            |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80;
        let rest = |byte: u8| start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        match name.as_bytes() {
            [first, others @ ..] if start(*first) && others.iter().all(|byte| rest(*byte)) => {
                Ok(())
            }
            _ => Err(XmlProblem::Syntax(XmlSyntax::MalformedName)),
        }
    }

    fn close(&mut self) -> Step {
        let flow = self.flush_text();
        if let Some(end) = self.ends.pop() {
            self.path.truncate(end);
        }
        Ok(flow)
    }
}

fn syntax(reason: XmlSyntax) -> Step {
    Err(XmlProblem::Syntax(reason))
}

fn resolve(raw: &str) -> Result<Cow<'_, str>, XmlProblem> {
    let resolved = unescape(raw).map_err(|_| XmlProblem::Entity)?;
    // A character reference may not bring in what the body itself may not hold.
    let excluded = |each: char| matches!(each, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if resolved.contains(excluded) {
        Err(XmlProblem::Entity)
    } else {
        Ok(resolved)
    }
}

fn problem_of(error: &Error) -> XmlProblem {
    match error {
        Error::InvalidAttr(error) => problem_of_attribute(error),
        Error::Encoding(_) => XmlProblem::Encoding,
        Error::Escape(_) => XmlProblem::Entity,
        Error::IllFormed(error) => {
            use quick_xml::errors::IllFormedError::{
                MismatchedEndTag, MissingEndTag, UnmatchedEndTag,
            };
            XmlProblem::Syntax(match error {
                MismatchedEndTag { .. } | MissingEndTag(_) | UnmatchedEndTag(_) => {
                    XmlSyntax::UnmatchedTag
                }
                _ => XmlSyntax::MalformedMarkup,
            })
        }
        _ => XmlProblem::Syntax(XmlSyntax::MalformedMarkup),
    }
}

fn problem_of_attribute(error: &AttrError) -> XmlProblem {
    match error {
        AttrError::Duplicated(..) => XmlProblem::DuplicateAttribute,
        _ => XmlProblem::Syntax(XmlSyntax::MalformedAttribute),
    }
}
