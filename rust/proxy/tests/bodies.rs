//! Bodies of requests that are too long or too slow, and of answers that a policy looks at, over loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lockgate_config::Source;
use lockgate_proxy::Node;

/// A service that answers with the number of body bytes it got, once the body has ended, as JSON. For `X-Answer: 50` it answers
/// with text of so many bytes, and says that it is compressed when the request allows that.
fn counting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some(asked) = read_request(&mut reader) {
                    let body = match asked.answer {
                        Some(length) => format!("\"{}\"", "a".repeat(length - 2)),
                        None => asked.bytes.to_string(),
                    };
                    let encoding = if asked.compress {
                        "Content-Encoding: gzip\r\n"
                    } else {
                        ""
                    };
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{encoding}Content-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_ascii_lowercase())
}

#[derive(Default)]
struct Asked {
    bytes: usize,
    answer: Option<usize>,
    compress: bool,
}

fn read_request(reader: &mut impl BufRead) -> Option<Asked> {
    let (mut length, mut chunked, mut asked) = (0, false, Asked::default());
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        if let Some(value) = line.strip_prefix("x-answer: ") {
            asked.answer = value.parse().ok();
        }
        chunked |= line == "transfer-encoding: chunked";
        asked.compress |= line.starts_with("accept-encoding: ");
    }
    if !chunked {
        reader.read_exact(&mut vec![0; length]).ok()?;
        asked.bytes = length;
        return Some(asked);
    }
    loop {
        let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
        reader.read_exact(&mut vec![0; size + 2]).ok()?;
        if size == 0 {
            return Some(asked);
        }
        asked.bytes += size;
    }
}

/// One operation; its answers are numbers, or texts of at most 100 characters.
const OPENAPI: &str = "openapi: 3.1.0
paths:
  /:
    post:
      requestBody: { content: { application/json: {} } }
      responses: { 200: { content: { application/json: { schema: { type: [integer, string], maxLength: 100 } } } } }
";

struct Gateway {
    node: Node,
    _folder: tempfile::TempDir,
}

impl Gateway {
    fn start(policies: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        let document = format!(
            "lockgate: 1\npurposes: optional\nnode: {{ cores: 1 }}\nadmin: {{ bind: '127.0.0.1:0' }}\n\
             listeners: {{ public: {{ bind: '127.0.0.1:0' }} }}\n\
             upstreams: {{ counting: {{ targets: ['http://{}'] }} }}\n\
             apis: {{ api: {{ versions: {{ v1: {{ openapi: api.yaml, base: /, upstream: counting, policies: [{policies}] }} }} }} }}\n",
            counting()
        );
        std::fs::write(&path, document).unwrap();
        std::fs::write(folder.path().join("api.yaml"), OPENAPI).unwrap();
        let (node, _) = Node::start(Source::File(path)).unwrap_or_else(|error| panic!("{error:?}"));
        Self {
            node,
            _folder: folder,
        }
    }

    /// Sends bytes, keeps the connection open, and gives the first line and the last one of what comes back.
    fn say(&self, fields: &str, body: &str) -> (String, String) {
        let listener = self.node.listeners().first().unwrap().address;
        let mut stream = TcpStream::connect(listener).unwrap();
        let bound = Some(Duration::from_secs(20));
        stream.set_read_timeout(bound).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let status = line(&mut reader).unwrap_or_default();
        let mut length = 0;
        while let Some(line) = line(&mut reader).filter(|line| !line.is_empty()) {
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

const CHUNKED: &str = "Transfer-Encoding: chunked";

fn chunk(size: usize) -> String {
    format!("{size:x}\r\n{}\r\n", "1".repeat(size))
}

#[test]
fn a_body_without_a_length_is_cut_off_at_the_limit_while_it_streams() {
    let gateway = Gateway::start("{ id: small, kind: size, body: 100B }");
    let (status, count) = gateway.say(CHUNKED, &(chunk(60) + &chunk(40) + "0\r\n\r\n"));
    assert_eq!(
        (status.as_str(), count.as_str()),
        ("http/1.1 200 ok", "100")
    );
    // The end never comes: the refusal does not wait for it.
    let (status, problem) = gateway.say(CHUNKED, &(chunk(60) + &chunk(41)));
    assert!(
        status.contains(" 413 ") && problem.contains("request.body_too_large"),
        "{problem}"
    );
    let (status, _) = gateway.say("Content-Length: 101", "");
    assert!(status.contains(" 413 "), "{status}");
}

#[test]
fn the_limit_also_bounds_a_body_that_another_policy_reads() {
    let gateway = Gateway::start(
        "{ id: small, kind: size, body: 100B }, { id: shape, kind: json_limits, number: 1000 }",
    );
    let (status, _) = gateway.say(CHUNKED, &(chunk(100) + "0\r\n\r\n"));
    assert!(status.contains(" 200 "), "{status}");
    let (status, problem) = gateway.say(CHUNKED, &chunk(101));
    assert!(
        status.contains(" 413 ") && problem.contains("more than 100 bytes"),
        "{problem}"
    );
}

#[test]
fn a_body_that_takes_too_long_is_refused_whether_it_streams_or_is_read() {
    for policies in [
        "{ id: soon, kind: size, receive_within: 200ms }",
        "{ id: soon, kind: size, receive_within: 200ms }, { id: shape, kind: json_limits }",
    ] {
        let gateway = Gateway::start(policies);
        let (status, problem) = gateway.say("Content-Length: 10", "11111");
        assert!(
            status.contains(" 408 ") && problem.contains("request.timeout"),
            "{problem}"
        );
        assert!(problem.contains("did not come within 200ms"), "{problem}");
    }
}

#[test]
fn a_shadow_policy_that_cannot_hold_a_body_does_not_change_it() {
    let gateway = Gateway::start(
        "{ id: trial, kind: json_limits, up_to: 50B, number: 5000, mode: shadow },
         { id: trial2, kind: xml_limits, up_to: 80B, mode: shadow }",
    );
    for size in [40, 60, 1000] {
        let (status, count) = gateway.say(CHUNKED, &(chunk(30) + &chunk(size) + "0\r\n\r\n"));
        assert!(status.contains(" 200 "), "{status}");
        assert_eq!(count, (size + 30).to_string());
        let (_, count) = gateway.say(&format!("Content-Length: {size}"), &"1".repeat(size));
        assert_eq!(count, size.to_string());
    }
}

#[test]
fn a_policy_that_can_hold_more_is_not_bound_by_a_shadow_that_holds_less() {
    let gateway = Gateway::start(
        "{ id: trial, kind: json_limits, up_to: 50B, mode: shadow },
         { id: shape, kind: json_limits, up_to: 1KiB, number: 5000 }",
    );
    let (status, count) = gateway.say(CHUNKED, &(chunk(60) + &chunk(600) + "0\r\n\r\n"));
    assert!(status.contains(" 200 "), "{status}");
    assert_eq!(count, "660");
    let (status, _) = gateway.say(CHUNKED, &(chunk(60) + &chunk(1000)));
    assert!(status.contains(" 413 "), "{status}");
}

#[test]
fn an_answer_is_judged_by_the_document_and_held_up_to_the_limit_only() {
    let gateway = Gateway::start("{ id: contract, kind: schema, response: true, up_to: 200B }");
    let (status, count) = gateway.say("Content-Length: 2", "10");
    assert_eq!((status.as_str(), count.as_str()), ("http/1.1 200 ok", "2"));
    for (length, status, code) in [
        (102, " 200 ", ""),
        (103, " 502 ", "schema.answer"),
        (200, " 502 ", "schema.answer"),
        (201, " 503 ", "policy.undecided"),
        (100_000, " 503 ", "policy.undecided"),
    ] {
        let fields = format!("X-Answer: {length}\r\nAccept-Encoding: gzip");
        let (told, body) = gateway.say(&fields, "");
        assert!(
            told.contains(status) && body.contains(code),
            "{told} {body}"
        );
    }
}

#[test]
fn a_shadow_policy_lets_every_answer_pass_whole() {
    let gateway =
        Gateway::start("{ id: contract, kind: schema, response: true, up_to: 200B, mode: shadow }");
    for length in [50, 150, 201, 100_000] {
        let (status, body) = gateway.say(&format!("X-Answer: {length}"), "");
        assert!(status.contains(" 200 "), "{status}");
        assert_eq!(body.len(), length);
    }
}
