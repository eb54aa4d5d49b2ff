use std::io::{BufRead, BufReader, Read};

/// An HTTP/1.1 message as it stood on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// The start line and the fields, each with `\n` at its end.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Message {
    /// The start line.
    pub fn start_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The target of a request, or the status of an answer.
    pub fn second_word(&self) -> &str {
        self.start_line().split(' ').nth(1).unwrap_or_default()
    }

    /// All fields, in order.
    pub fn fields(&self) -> Vec<(String, String)> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect()
    }

    /// The first value of a field, whatever the case of its name.
    pub fn field(&self, name: &str) -> Option<String> {
        self.fields()
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

struct Framing {
    head: String,
    length: usize,
    chunked: bool,
}

fn read_framing(reader: &mut impl BufRead) -> Option<Framing> {
    let (mut head, mut length, mut chunked) = (String::new(), 0, false);
    let mut bodiless = false;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if head.is_empty() {
            // RFC 9112 §6.3: what stands in the fields of such an answer is not the length of its body.
            bodiless = line.starts_with("HTTP/1.1 204") || line.starts_with("HTTP/1.1 304");
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        chunked |= lower == "transfer-encoding: chunked";
        head.push_str(line);
        head.push('\n');
    }
    Some(Framing {
        head,
        length: if bodiless { 0 } else { length },
        chunked: chunked && !bodiless,
    })
}

/// The head of an answer that has no body whatever its fields say: the one to `HEAD`.
pub fn read_head_only<S: Read>(reader: &mut BufReader<S>) -> Option<Message> {
    let Framing { head, .. } = read_framing(reader)?;
    Some(Message {
        head,
        body: String::new(),
    })
}

/// A message with its body by `Content-Length` or in chunks; `None` at the end of the stream.
pub fn read_message<S: Read>(reader: &mut BufReader<S>) -> Option<Message> {
    let Framing {
        head,
        mut length,
        chunked,
    } = read_framing(reader)?;
    let mut body = Vec::new();
    loop {
        if chunked {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            length = usize::from_str_radix(line.trim(), 16).ok()?;
        }
        let mut piece = vec![0; length];
        reader.read_exact(&mut piece).ok()?;
        body.extend(piece);
        if chunked {
            reader.read_line(&mut String::new()).ok()?;
        }
        if !chunked || length == 0 {
            let body = String::from_utf8_lossy(&body).into_owned();
            return Some(Message { head, body });
        }
    }
}
