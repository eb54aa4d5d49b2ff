//! Where HTTP/1.1 messages of a caller begin and end (RFC 9112 §6), judged strictly.
//!
//! hyper reads messages the way RFC 9112 lets a lenient reader do: a bare LF ends a line, `Content-Length` beside
//! `Transfer-Encoding` is dropped. Another reader on the way may decide otherwise, and the two then disagree about where the
//! next request begins. So each byte passes this reader first, and what can be read in two ways goes no further (H10).

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The longest line of a chunk: its size and extensions.
const MOST_CHUNK_LINE: usize = 512;
/// Empty lines before a request line that are passed over (RFC 9112 §2.2).
const MOST_EMPTY_LINES: u8 = 4;

/// What a piece of input is.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Fed {
    /// All of it is well formed so far.
    Fine,
    /// A head that asks for another protocol ends after so many bytes. What follows belongs to whatever is agreed on.
    Asks(usize),
    /// The head of a request is malformed. The lines before so many bytes are fine; `whole_lines` says that what was passed on
    /// ends with a whole line, and `started` that it holds a request line.
    MalformedHead {
        fine: usize,
        whole_lines: bool,
        started: bool,
        why: &'static str,
    },
    /// The body of a request is malformed.
    MalformedBody(&'static str),
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    Preface(usize),
    Head,
    Body(u64),
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// HTTP/2, another protocol, or a head that is too long for hyper anyway.
    Opaque,
}

/// Follows the messages of one connection.
#[derive(Debug)]
pub struct Framing {
    state: State,
    /// A line whose end has not come.
    line: Vec<u8>,
    max_head: usize,
    head: Head,
    /// Heads that ended.
    pub heads: u64,
}

#[derive(Debug, Default)]
struct Head {
    request_line: bool,
    empty_lines: u8,
    http10: bool,
    length: Option<u64>,
    chunked: bool,
    asks: bool,
}

impl Framing {
    pub fn new(max_head: usize) -> Self {
        Self {
            state: State::Preface(0),
            line: Vec::new(),
            max_head,
            head: Head::default(),
            heads: 0,
        }
    }

    /// Whether a head has begun and not ended.
    pub fn within_head(&self) -> bool {
        match self.state {
            State::Preface(matched) => matched > 0,
            State::Head => self.head.request_line || !self.line.is_empty(),
            _ => false,
        }
    }

    /// The other protocol was agreed on.
    pub fn change(&mut self) {
        self.state = State::Opaque;
    }

    /// Looks at the next piece of input.
    pub fn feed(&mut self, input: &[u8]) -> Fed {
        let mut at = 0;
        while let Some(rest) = input.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Opaque => return Fed::Fine,
                State::Preface(matched) => {
                    let left = PREFACE.get(matched..).unwrap_or_default();
                    let same = rest.iter().zip(left).take_while(|(a, b)| a == b).count();
                    at += same;
                    if same == left.len() {
                        self.state = State::Opaque;
                    } else if same == rest.len() {
                        self.state = State::Preface(matched + same);
                    } else {
                        let passed = PREFACE.get(..matched + same).unwrap_or_default();
                        if memchr::memchr(b'\n', passed).is_some() {
                            return malformed(at, false, "the HTTP/2 preface is cut off");
                        }
                        // What stood in this piece is read again as a line, what came before is kept.
                        at -= same;
                        self.line = PREFACE.get(..matched).unwrap_or_default().to_vec();
                        self.state = State::Head;
                    }
                }
                State::Body(left) => {
                    let taken = left.min(rest.len() as u64);
                    at += usize::try_from(taken).unwrap_or(rest.len());
                    self.state = if taken == left {
                        State::Head
                    } else {
                        State::Body(left - taken)
                    };
                }
                State::Chunk(left) => {
                    let taken = left.min(rest.len() as u64);
                    at += usize::try_from(taken).unwrap_or(rest.len());
                    self.state = if taken == left {
                        State::ChunkEnd
                    } else {
                        State::Chunk(left - taken)
                    };
                }
                State::Head | State::ChunkLine | State::ChunkEnd | State::Trailers => {
                    let whole = self.line.is_empty();
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        self.line.extend_from_slice(rest);
                        if self.line.len() > self.max_head {
                            // hyper answers with 431, and closes.
                            self.state = State::Opaque;
                        }
                        return Fed::Fine;
                    };
                    let (begin, piece) = (at, rest.get(..end).unwrap_or_default());
                    at += end + 1;
                    let read = if whole {
                        self.read_line(piece)
                    } else {
                        let mut line = std::mem::take(&mut self.line);
                        line.extend_from_slice(piece);
                        self.read_line(&line)
                    };
                    match read {
                        Ok(false) => {}
                        Ok(true) => return Fed::Asks(at),
                        Err(why) if self.state == State::Head => {
                            let started = self.head.request_line;
                            return Fed::MalformedHead {
                                fine: begin,
                                whole_lines: whole,
                                started,
                                why,
                            };
                        }
                        Err(why) => return Fed::MalformedBody(why),
                    }
                }
            }
        }
        Fed::Fine
    }

    /// Reads a line without its LF. `true` when it ends a head that asks for another protocol.
    fn read_line(&mut self, line: &[u8]) -> Result<bool, &'static str> {
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err("a line ends with a bare LF");
        };
        if memchr::memchr2(b'\r', 0, line).is_some() {
            return Err("a line holds CR or NUL");
        }
        match self.state {
            State::ChunkLine => {
                let size = chunk_size(line)?;
                self.state = if size == 0 {
                    State::Trailers
                } else {
                    State::Chunk(size)
                };
                Ok(false)
            }
            State::ChunkEnd if line.is_empty() => {
                self.state = State::ChunkLine;
                Ok(false)
            }
            State::ChunkEnd => Err("a chunk is longer than its size"),
            State::Trailers if line.is_empty() => {
                self.state = State::Head;
                Ok(false)
            }
            State::Trailers => field(line).map(|_| false),
            _ => self.read_head_line(line),
        }
    }

    fn read_head_line(&mut self, line: &[u8]) -> Result<bool, &'static str> {
        let head = &mut self.head;
        if !head.request_line {
            if line.is_empty() {
                head.empty_lines += 1;
                return if head.empty_lines > MOST_EMPTY_LINES {
                    Err("there are empty lines where a request should begin")
                } else {
                    Ok(false)
                };
            }
            head.request_line = true;
            head.http10 = line.ends_with(b" HTTP/1.0");
            return Ok(false);
        }
        if line.is_empty() {
            return self.end_head();
        }
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            if head.length.is_some() {
                return Err("there is more than one `Content-Length`");
            }
            let digits =
                !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
            let length = str::from_utf8(value)
                .ok()
                .filter(|_| digits)
                .and_then(|text| text.parse().ok());
            head.length = Some(length.ok_or("`Content-Length` is not a number")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if head.chunked {
                return Err("there is more than one `Transfer-Encoding`");
            }
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("`Transfer-Encoding` is not `chunked` alone");
            }
            head.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            head.asks |= value.eq_ignore_ascii_case(b"websocket");
        }
        Ok(false)
    }

    fn end_head(&mut self) -> Result<bool, &'static str> {
        let head = &self.head;
        if head.chunked && head.length.is_some() {
            return Err("`Content-Length` stands beside `Transfer-Encoding`");
        }
        if head.chunked && head.http10 {
            return Err("HTTP/1.0 has no `Transfer-Encoding`");
        }
        self.state = match head.length {
            _ if head.chunked => State::ChunkLine,
            Some(length @ 1..) => State::Body(length),
            _ => State::Head,
        };
        let asks = head.asks && self.state == State::Head;
        self.head = Head::default();
        self.heads += 1;
        Ok(asks)
    }
}

const fn malformed(fine: usize, whole_lines: bool, why: &'static str) -> Fed {
    Fed::MalformedHead {
        fine,
        whole_lines,
        started: false,
        why,
    }
}

/// A field line in its two parts (RFC 9112 §5).
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    if line
        .first()
        .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
    {
        return Err("a field is folded over lines");
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Err("a field has no colon");
    };
    let (name, value) = line.split_at(colon);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err("the name of a field holds a character that names cannot hold");
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

/// Whether names can hold a byte (RFC 9110 §5.6.2).
const fn is_token(byte: u8) -> bool {
    const TOKENS: [bool; 256] = {
        let mut tokens = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::indexing_slicing, reason = "a constant: it would not compile")]
            {
                tokens[byte] = in_token(byte as u8);
            }
            byte += 1;
        }
        tokens
    };
    #[expect(clippy::indexing_slicing, reason = "it has a place for each byte")]
    TOKENS[byte as usize]
}

const fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

/// RFC 9112 §7.1.
fn chunk_size(line: &[u8]) -> Result<u64, &'static str> {
    if line.len() > MOST_CHUNK_LINE {
        return Err("the line of a chunk is too long");
    }
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (size, rest) = line.split_at(digits);
    if digits == 0 || digits > 15 || !(rest.is_empty() || rest.starts_with(b";")) {
        return Err("the size of a chunk is not a number");
    }
    let size = str::from_utf8(size)
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok());
    size.ok_or("the size of a chunk is not a number")
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "framing_fuzz.rs"]
mod fuzz;
