//! Bodies that are too long or too slow, over loopback.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lockgate_config::Source;
use lockgate_proxy::Node;

/// A service that answers with the number of body bytes it got, once the body has ended.
fn counting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some(bytes) = body_bytes(&mut reader) {
                    let count = bytes.to_string();
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{count}",
                        count.len()
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

fn body_bytes(reader: &mut impl BufRead) -> Option<usize> {
    let (mut length, mut chunked) = (0, false);
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().ok()?;
        }
        chunked |= line == "transfer-encoding: chunked";
    }
    if !chunked {
        reader.read_exact(&mut vec![0; length]).ok()?;
        return Some(length);
    }
    let mut sum = 0;
    loop {
        let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
        reader.read_exact(&mut vec![0; size + 2]).ok()?;
        if size == 0 {
            return Some(sum);
        }
        sum += size;
    }
}

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
             apis: {{ api: {{ versions: {{ v1: {{ base: /, upstream: counting, policies: [{policies}] }} }} }} }}\n",
            counting()
        );
        std::fs::write(&path, document).unwrap();
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
