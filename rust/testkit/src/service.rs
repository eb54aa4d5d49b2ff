use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use crate::message::{Message, read_message};

/// What a service says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Fields beside `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A 200 with this body.
    pub fn ok(body: impl Into<String>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    fn bytes(&self, to_head: bool) -> Vec<u8> {
        let phrase = if self.status == 200 { "OK" } else { "" };
        let mut text = format!("HTTP/1.1 {} {phrase}\r\n", self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let has_body = !matches!(self.status, 204 | 304);
        if has_body {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        if has_body && !to_head {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

/// A service on loopback that answers as it is told, with a thread for each connection.
#[derive(Debug)]
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
}

impl Service {
    /// Starts a service; `answer` is called for each request, and may block.
    pub fn start(answer: impl Fn(Message) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let answer = answer.clone();
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    while let Some(message) = read_message(&mut reader) {
                        let to_head = message.head.starts_with("HEAD ");
                        let bytes = answer(message).bytes(to_head);
                        if reader.get_mut().write_all(&bytes).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address }
    }
}
