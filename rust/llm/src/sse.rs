//! Server-sent events, read from any split of their bytes (WHATWG HTML §9.2).

use memchr::memchr2;

use crate::dialect::Dialect;
use crate::json::Object;

/// Cuts a stream of bytes into frames: events, with their bytes as they came.
#[derive(Debug)]
pub(crate) struct Frames {
    kind: Framing,
    most_bytes: usize,
    /// Bytes of the frame that has not ended.
    held: Vec<u8>,
    /// How much of `held` holds no end of a line.
    searched: usize,
    /// Where the line that has not ended begins.
    line: usize,
    /// Whether the last line ended with a CR, after which a LF belongs to the same end.
    after_cr: bool,
    first: bool,
}

/// How frames end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// With an empty line.
    Sse,
    /// With a line.
    Lines,
}

/// A frame was larger than the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Frames {
    /// Frames as a dialect has them: Ollama sends lines.
    pub(crate) fn of(dialect: Dialect, most_bytes: usize) -> Self {
        let kind = if dialect == Dialect::Ollama {
            Framing::Lines
        } else {
            Framing::Sse
        };
        Self::new(kind, most_bytes)
    }

    pub(crate) fn new(kind: Framing, most_bytes: usize) -> Self {
        Self {
            kind,
            most_bytes,
            held: Vec::new(),
            searched: 0,
            line: 0,
            after_cr: false,
            first: true,
        }
    }

    /// Takes bytes and gives each frame that they complete to `frame`, which may say to stop.
    pub(crate) fn feed<E: From<TooLong>>(
        &mut self,
        bytes: &[u8],
        mut frame: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held.extend_from_slice(bytes);
        let mut begin = 0;
        let mut result = Ok(());
        while let Some(end) = self.next_end() {
            let Some(bytes) = self.held.get(begin..end) else {
                break;
            };
            begin = end;
            result = if length(bytes) > self.most_bytes {
                Err(TooLong.into())
            } else {
                frame(bytes)
            };
            if result.is_err() {
                break;
            }
        }
        self.held.drain(..begin);
        self.searched = self.searched.saturating_sub(begin);
        self.line = self.line.saturating_sub(begin);
        result?;
        if length(&self.held) > self.most_bytes {
            return Err(TooLong.into());
        }
        Ok(())
    }

    /// What is left when the stream ends.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.searched = 0;
        self.line = 0;
        std::mem::take(&mut self.held)
    }

    /// Where the next frame ends.
    fn next_end(&mut self) -> Option<usize> {
        loop {
            if self.after_cr && self.searched < self.held.len() {
                self.after_cr = false;
                if self.held.get(self.searched) == Some(&b'\n') {
                    self.searched += 1;
                    if self.line + 1 == self.searched {
                        self.line = self.searched;
                    }
                    continue;
                }
            }
            let found = memchr2(b'\n', b'\r', self.held.get(self.searched..)?)?;
            let end = self.searched + found;
            let empty = self
                .held
                .get(self.line..end)
                .is_none_or(|line| self.is_blank(line));
            self.after_cr = self.held.get(end) == Some(&b'\r');
            self.searched = end + 1;
            self.line = end + 1;
            // The LF of a CRLF that has arrived goes with its line.
            if self.after_cr && self.held.get(end + 1) == Some(&b'\n') {
                self.after_cr = false;
                self.searched = end + 2;
                self.line = end + 2;
            }
            self.first = false;
            if empty || self.kind == Framing::Lines {
                return Some(self.searched);
            }
        }
    }

    fn is_blank(&self, line: &[u8]) -> bool {
        line.is_empty() || (self.first && line == b"\xef\xbb\xbf")
    }
}

/// A frame without what may stand before its first line: the LF of a CRLF that arrived apart from the CR, which ended the frame before,
/// and the mark of the stream's encoding.
pub(crate) fn lead_off(frame: &[u8]) -> &[u8] {
    let frame = frame.strip_prefix(b"\n").unwrap_or(frame);
    frame.strip_prefix(b"\xef\xbb\xbf").unwrap_or(frame)
}

/// How long a frame is, but for the ends of its last lines: so much of it is there wherever it is cut.
fn length(frame: &[u8]) -> usize {
    let last = frame
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r'));
    last.map_or(0, |last| last + 1)
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Parsed {
    /// Its name.
    pub(crate) event: Option<String>,
    /// Its data, lines joined; absent when it has none.
    pub(crate) data: Option<Vec<u8>>,
}

/// Reads one frame of server-sent events.
pub(crate) fn parse(frame: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let frame = lead_off(frame);
    for line in frame.split(|byte| *byte == b'\n' || *byte == b'\r') {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(at) => {
                let (name, value) = line.split_at(at);
                let value = value.get(1..).unwrap_or_default();
                (name, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &b""[..]),
        };
        match name {
            b"data" => match &mut parsed.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => parsed.data = Some(value.to_vec()),
            },
            b"event" => parsed.event = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }
    parsed
}

/// Writes an event.
pub(crate) fn write(event: Option<&str>, data: &Object, out: &mut Vec<u8>) {
    if let Some(event) = event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&to_bytes(data));
    out.extend_from_slice(b"\n\n");
}

/// JSON without line breaks.
pub(crate) fn to_bytes(object: &Object) -> Vec<u8> {
    // A map with text as keys always serialises.
    serde_json::to_vec(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(kind: Framing, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut frames = Frames::new(kind, 1_000);
        let mut out = Vec::new();
        for piece in pieces {
            frames
                .feed(piece, |frame| {
                    out.push(frame.to_vec());
                    Ok::<(), TooLong>(())
                })
                .unwrap();
        }
        (out, frames.rest())
    }

    fn datas(frames: &[Vec<u8>]) -> Vec<String> {
        frames
            .iter()
            .filter_map(|frame| parse(frame).data)
            .map(|data| String::from_utf8(data).unwrap())
            .collect()
    }

    #[test]
    fn every_split_gives_the_same_events() {
        let texts: [&[u8]; 4] = [
            b"data: a\n\ndata:b\ndata: c\n\n: ping\n\nevent: x\ndata: d\n\n",
            b"data: a\r\n\r\ndata:b\r\ndata: c\r\n\r\n: ping\r\n\r\nevent: x\r\ndata: d\r\n\r\n",
            b"data: a\r\rdata:b\rdata: c\r\r: ping\r\revent: x\rdata: d\r\r",
            b"\xef\xbb\xbfdata: a\n\ndata:b\ndata: c\n\n: ping\n\nevent: x\ndata: d\n\n",
        ];
        for text in texts {
            for one in 0..=text.len() {
                for two in one..=text.len() {
                    let (found, rest) =
                        frames(Framing::Sse, &[&text[..one], &text[one..two], &text[two..]]);
                    assert_eq!(datas(&found), ["a", "b\nc", "d"], "{one} {two}");
                    let mut all = found.concat();
                    all.extend(rest);
                    assert_eq!(all, text, "bytes stay as they came");
                }
            }
        }
    }

    #[test]
    fn lines_end_with_a_line() {
        let text = b"{\"a\":1}\n{\"b\":2}\r\n{\"c\"";
        for at in 0..=text.len() {
            let (found, rest) = frames(Framing::Lines, &[&text[..at], &text[at..]]);
            let found: Vec<_> = found
                .iter()
                .map(|line| line.trim_ascii())
                .filter(|line| !line.is_empty())
                .collect();
            assert_eq!(found, [&b"{\"a\":1}"[..], b"{\"b\":2}"]);
            assert_eq!(rest.trim_ascii(), b"{\"c\"");
        }
    }

    #[test]
    fn a_frame_without_end_is_bounded() {
        let mut frames = Frames::new(Framing::Sse, 10);
        let mut no_frame = |_: &[u8]| Ok::<(), TooLong>(());
        frames.feed(b"data: 1234", &mut no_frame).unwrap();
        assert_eq!(frames.feed(b"5", &mut no_frame), Err(TooLong));
        // Nor does it pass when its end comes with it.
        let mut frames = Frames::new(Framing::Sse, 10);
        frames.feed(b"data: 1234\r\n\r\n", &mut no_frame).unwrap();
        assert_eq!(frames.feed(b"data: 12345\n\n", &mut no_frame), Err(TooLong));
    }
}
