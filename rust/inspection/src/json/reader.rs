//! An iterative pull reader over one JSON text.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::text::{Fault, read_number, read_string};
use super::violation::{JsonProblem, JsonSyntax, JsonViolation};

/// Longest pointer that is kept; a deeper one is cut, so hostile keys cannot grow it.
const POINTER_BYTES_MAX: usize = 512;

/// What the reader met.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// An array or object opens.
    Open,
    /// A key of the innermost object.
    Key(Cow<'a, str>),
    /// A string value.
    Text(Cow<'a, str>),
    /// A number and its length in bytes.
    Number(usize),
    /// `true`, `false` or `null`.
    Literal,
    /// The innermost array or object closes.
    Close,
}

/// One open array or object.
#[derive(Debug)]
pub(super) struct Frame {
    /// Whether it is an object.
    pub is_object: bool,
    /// Items or keys read so far.
    pub count: usize,
    /// Unique in the text: the order in which containers opened.
    pub serial: usize,
    /// Whether it is the value of a key `constructor`.
    pub under_constructor: bool,
    pointer_len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    KeyOrClose,
    Key,
    ItemOrClose,
    CommaOrClose,
    End,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    token_at: usize,
    expect: Expect,
    frames: Vec<Frame>,
    opened: usize,
    pointer: String,
    last_key_is_constructor: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Result<Self, JsonViolation> {
        let refuse = |syntax, offset| {
            Err(JsonViolation {
                problem: JsonProblem::Syntax(syntax),
                offset,
                pointer: String::new(),
            })
        };
        if body.starts_with(b"\xef\xbb\xbf") {
            return refuse(JsonSyntax::ByteOrderMark, 0);
        }
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(error) => return refuse(JsonSyntax::InvalidUtf8, error.valid_up_to()),
        };
        Ok(Self {
            text,
            at: 0,
            token_at: 0,
            expect: Expect::Value,
            frames: Vec::new(),
            opened: 0,
            pointer: String::new(),
            last_key_is_constructor: false,
        })
    }

    pub(super) fn frame(&self) -> Option<&Frame> {
        self.frames.last()
    }

    pub(super) fn depth(&self) -> usize {
        self.frames.len()
    }

    /// Pointer of the value read last.
    pub(super) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// A violation at the token read last.
    pub(super) fn violation(&self, problem: JsonProblem) -> JsonViolation {
        JsonViolation {
            problem,
            offset: self.token_at,
            pointer: self.pointer.clone(),
        }
    }

    /// The next event; `None` behind the one value of the text.
    pub(super) fn next(&mut self) -> Result<Option<Event<'a>>, JsonViolation> {
        self.step().map_err(|(syntax, offset)| JsonViolation {
            problem: JsonProblem::Syntax(syntax),
            offset,
            pointer: self.pointer.clone(),
        })
    }

    fn step(&mut self) -> Result<Option<Event<'a>>, Fault> {
        loop {
            let byte = self.skip_space();
            self.token_at = self.at;
            match (self.expect, byte) {
                (Expect::End, None) => return Ok(None),
                (Expect::End, Some(_)) => return Err((JsonSyntax::TrailingData, self.at)),
                (Expect::Value, None) if self.opened == 0 => {
                    return Err((JsonSyntax::Empty, self.at));
                }
                (_, None) => return Err((JsonSyntax::UnexpectedEnd, self.at)),
                (Expect::KeyOrClose, Some(b'}')) | (Expect::ItemOrClose, Some(b']')) => {
                    return Ok(Some(self.close()));
                }
                (Expect::KeyOrClose | Expect::Key, Some(b'"')) => return self.key().map(Some),
                (Expect::KeyOrClose | Expect::Key, Some(_)) => {
                    return Err((JsonSyntax::ExpectedKey, self.at));
                }
                (Expect::CommaOrClose, Some(byte)) => {
                    if let Some(event) = self.comma_or_close(byte)? {
                        return Ok(Some(event));
                    }
                }
                (Expect::Value | Expect::ItemOrClose, Some(byte)) => {
                    return self.value(byte).map(Some);
                }
            }
        }
    }

    fn skip_space(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn comma_or_close(&mut self, byte: u8) -> Result<Option<Event<'a>>, Fault> {
        let is_object = self.frame().is_some_and(|frame| frame.is_object);
        match (byte, is_object) {
            (b',', _) => {
                self.at += 1;
                self.expect = if is_object {
                    Expect::Key
                } else {
                    Expect::Value
                };
                Ok(None)
            }
            (b'}', true) | (b']', false) => Ok(Some(self.close())),
            _ => Err((JsonSyntax::ExpectedCommaOrEnd, self.at)),
        }
    }

    fn close(&mut self) -> Event<'a> {
        self.at += 1;
        if let Some(frame) = self.frames.pop() {
            self.pointer.truncate(frame.pointer_len);
        }
        self.after_value();
        Event::Close
    }

    fn after_value(&mut self) {
        self.expect = if self.frames.is_empty() {
            Expect::End
        } else {
            Expect::CommaOrClose
        };
    }

    fn key(&mut self) -> Result<Event<'a>, Fault> {
        let (key, behind) = read_string(self.text, self.at)?;
        self.at = behind;
        if self.skip_space() != Some(b':') {
            let end = self.at >= self.text.len();
            return Err((
                if end {
                    JsonSyntax::UnexpectedEnd
                } else {
                    JsonSyntax::ExpectedColon
                },
                self.at,
            ));
        }
        self.at += 1;
        self.expect = Expect::Value;
        self.last_key_is_constructor = key == "constructor";
        let parent = self.count_child().map_or(0, |(pointer_len, _)| pointer_len);
        self.pointer.truncate(parent);
        push_segment(&mut self.pointer, &key);
        Ok(Event::Key(key))
    }

    /// Counts one more child of the innermost container; gives its pointer length and the child's index.
    fn count_child(&mut self) -> Option<(usize, usize)> {
        let frame = self.frames.last_mut()?;
        frame.count += 1;
        Some((frame.pointer_len, frame.count - 1))
    }

    fn value(&mut self, byte: u8) -> Result<Event<'a>, Fault> {
        let in_array = self.frame().is_some_and(|frame| !frame.is_object);
        if in_array && let Some((parent, index)) = self.count_child() {
            self.pointer.truncate(parent);
            if self.pointer.len() < POINTER_BYTES_MAX {
                // Writing to a string cannot fail.
                let _ = write!(self.pointer, "/{index}");
            }
        }
        let event = match byte {
            b'{' | b'[' => return Ok(self.open(byte == b'{', in_array)),
            b'"' => {
                let (text, behind) = read_string(self.text, self.at)?;
                self.at = behind;
                Event::Text(text)
            }
            b'-' | b'0'..=b'9' => {
                let behind = read_number(self.text.as_bytes(), self.at)?;
                let length = behind - self.at;
                self.at = behind;
                Event::Number(length)
            }
            _ => self.literal()?,
        };
        self.opened += 1;
        self.after_value();
        Ok(event)
    }

    fn open(&mut self, is_object: bool, in_array: bool) -> Event<'a> {
        self.at += 1;
        self.opened += 1;
        self.frames.push(Frame {
            is_object,
            count: 0,
            serial: self.opened,
            under_constructor: !in_array && self.last_key_is_constructor,
            pointer_len: self.pointer.len(),
        });
        self.expect = if is_object {
            Expect::KeyOrClose
        } else {
            Expect::ItemOrClose
        };
        Event::Open
    }

    fn literal(&mut self) -> Result<Event<'a>, Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let word = [&b"true"[..], b"false", b"null"]
            .into_iter()
            .find(|word| rest.starts_with(word));
        let word = word.ok_or((JsonSyntax::ExpectedValue, self.at))?;
        if rest.get(word.len()).is_some_and(u8::is_ascii_alphanumeric) {
            return Err((JsonSyntax::ExpectedValue, self.at));
        }
        self.at += word.len();
        Ok(Event::Literal)
    }
}

/// Appends `/key` with the escapes of RFC 6901 §3, up to the bound.
fn push_segment(pointer: &mut String, key: &str) {
    if pointer.len() >= POINTER_BYTES_MAX {
        return;
    }
    pointer.push('/');
    for each in key.chars() {
        if pointer.len() >= POINTER_BYTES_MAX {
            break;
        }
        match each {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            _ => pointer.push(each),
        }
    }
}
