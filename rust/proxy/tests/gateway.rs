//! A real node in front of a real service, over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lockgate_config::{Source, sha256_hex};
use lockgate_proxy::{Node, StartError};
use lockgate_testkit::Echo;

const KEY: &str = "lg_example_key";
const DRAIN: Duration = Duration::from_secs(10);

/// A head and a body; `None` at the end of the stream.
fn read_message(reader: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    lockgate_testkit::read_message(reader).map(|message| (message.head, message.body))
}

struct Gateway {
    node: Node,
    folder: tempfile::TempDir,
}

fn document(bind: &str, upstream: SocketAddr, policies: &str) -> String {
    let hash = sha256_hex(KEY.as_bytes());
    format!(
        "lockgate: 1\npurposes: optional\nnode: {{ cores: 2 }}\nadmin: {{ bind: '127.0.0.1:0' }}\nlisteners: {{ public: {{ bind: '{bind}' }} }}\n\
         upstreams: {{ echo: {{ targets: ['http://{upstream}'] }} }}\napplications: {{ shop: {{ keys: [{{ sha256: {hash} }}] }} }}\n\
         apis: {{ echo: {{ versions: {{ v1: {{ base: /echo, upstream: echo{policies} }} }} }} }}\n"
    )
}

fn key_and(more: &str) -> String {
    format!(", policies: [{{ id: key, kind: api_key }}{more}]")
}

impl Gateway {
    fn path(&self) -> PathBuf {
        self.folder.path().join("gateway.yaml")
    }

    fn start(upstream: SocketAddr, policies: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        std::fs::write(&path, document("127.0.0.1:0", upstream, policies)).unwrap();
        let (node, _) = Node::start(Source::File(path)).unwrap_or_else(|error| panic!("{error:?}"));
        Self { node, folder }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.node.listeners()[0].address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        BufReader::new(stream)
    }

    fn send(&self, request: &str) -> (String, String) {
        let mut stream = self.connect();
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        read_message(&mut stream).unwrap_or_default()
    }

    fn get(&self, path: &str, fields: &str) -> (String, String) {
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: api.example\r\n{fields}\r\n"
        ))
    }
}

fn with_key() -> String {
    format!("X-Api-Key: {KEY}\r\n")
}

#[test]
fn a_service_gets_the_path_the_body_and_who_calls_but_no_credential() {
    let gateway = Gateway::start(Echo::start().address, &key_and(""));
    let fields = format!(
        "{}X-Forwarded-For: 1.2.3.4\r\nX_Lockgate_Application: admin\r\nConnection: X-Lockgate-Application\r\n",
        with_key()
    );
    let (head, echo) = gateway.send(&format!("POST /echo/orders/%41?q=%2F HTTP/1.1\r\nHost: api.example\r\n{fields}Content-Length: 5\r\n\r\nhello"));
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.contains("x-lockgate-request-id: "),
        "{head}"
    );
    assert!(!head.contains("x-hop"), "{head}");
    assert!(
        echo.starts_with("POST /orders/A?q=%2F HTTP/1.1\n") && echo.ends_with("\nhello"),
        "{echo}"
    );
    assert!(
        echo.contains("x-forwarded-for: 127.0.0.1\n")
            && echo.contains("x-lockgate-application: shop\n"),
        "{echo}"
    );
    assert!(
        !echo.contains(KEY) && !echo.contains("admin") && !echo.contains("1.2.3.4"),
        "{echo}"
    );
}

#[test]
fn refusals_are_problems_with_code_and_remedy_and_the_service_does_not_see_them() {
    let echo = Echo::start();
    let gateway = Gateway::start(
        echo.address,
        &key_and(", { id: shape, kind: json_limits, depth: 2 }"),
    );
    for (request, status, code) in [
        (
            "GET /echo/a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            401,
            "api_key.missing",
        ),
        (
            format!(
                "GET /echo/%2e%2e/a HTTP/1.1\r\nHost: a\r\n{}\r\n",
                with_key()
            ),
            400,
            "request.bad_path",
        ),
        (
            format!("GET /echo/..%2fa HTTP/1.1\r\nHost: a\r\n{}\r\n", with_key()),
            400,
            "request.bad_path",
        ),
        (
            "GET /else HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            404,
            "route.not_found",
        ),
        (
            "GET /echo/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
            400,
            "request.malformed",
        ),
        (
            format!(
                "POST /echo/a HTTP/1.1\r\nHost: a\r\n{}Content-Length: 7\r\n\r\n[[[1]]]",
                with_key()
            ),
            400,
            "json_limits.refused",
        ),
    ] {
        let (head, body) = gateway.send(&request);
        let problem: serde_json::Value =
            serde_json::from_str(&body).unwrap_or_else(|_| panic!("{request} {head} {body}"));
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} "))
                && head.contains("application/problem+json"),
            "{head}"
        );
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&code.into(), &status.into())
        );
        assert!(!problem["remedy"].as_str().unwrap().is_empty());
    }
    assert_eq!(gateway.node.stats()["refusals"]["request.bad_path"], 2);
}

#[test]
fn a_body_that_was_checked_is_forwarded_byte_for_byte() {
    let gateway = Gateway::start(
        Echo::start().address,
        &key_and(", { id: shape, kind: json_limits }"),
    );
    let body = "{ \"a\" : [1,  2],\n\"b\":\"\\u00e9\" }";
    let chunked = format!(
        "{:x}\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        9,
        &body[..9],
        body.len() - 9,
        &body[9..]
    );
    let (_, echo) = gateway.send(&format!(
        "POST /echo/a HTTP/1.1\r\nHost: a\r\n{}Transfer-Encoding: chunked\r\n\r\n{chunked}",
        with_key()
    ));
    assert!(
        echo.ends_with(&format!("\n{body}"))
            && echo.contains(&format!("content-length: {}\n", body.len())),
        "{echo}"
    );
}

#[test]
fn a_limit_holds_over_connections_and_cores_and_survives_a_reload() {
    let limit = |limit: u32| {
        key_and(&format!(
            ", {{ id: fair, kind: rate_limit, limit: {limit}, per: 1h }}"
        ))
    };
    let echo = Echo::start();
    let gateway = Gateway::start(echo.address, &limit(5));
    let allowed = |gateway: &Gateway| {
        (0..10)
            .filter(|_| {
                gateway
                    .get("/echo/a", &with_key())
                    .0
                    .starts_with("HTTP/1.1 200")
            })
            .count()
    };
    assert_eq!(allowed(&gateway), 5);
    let (head, body) = gateway.get("/echo/a", &with_key());
    assert!(
        head.contains("retry-after: ") && head.contains("ratelimit: \"fair\";r=0;t="),
        "{head}"
    );
    assert!(body.contains("\"violated-policies\":[\"fair\"]"), "{body}");
    std::fs::write(
        gateway.path(),
        document("127.0.0.1:0", echo.address, &limit(7)),
    )
    .unwrap();
    assert!(gateway.node.apply().applied);
    assert_eq!(allowed(&gateway), 2);
}

#[test]
fn a_bad_document_never_stops_a_running_gateway() {
    let echo = Echo::start();
    let gateway = Gateway::start(echo.address, &key_and(""));
    let before = gateway.node.apply().id;
    for bad in [
        "lockgate: 1\nlistners: {}\n".to_owned(),
        String::new(),
        "}{".to_owned(),
        document("127.0.0.1:0", echo.address, ", upstrem: a"),
    ] {
        std::fs::write(gateway.path(), bad).unwrap();
        let applied = gateway.node.apply();
        assert!(!applied.applied && applied.id == before && !applied.problems.is_empty());
        assert!(
            gateway
                .get("/echo/a", &with_key())
                .0
                .starts_with("HTTP/1.1 200")
        );
    }
    std::fs::remove_file(gateway.path()).unwrap();
    let applied = gateway.node.apply();
    assert!(
        applied.problems[0].to_string().contains("gateway.yaml"),
        "{:?}",
        applied.problems
    );
    assert!(
        gateway
            .get("/echo/a", &with_key())
            .0
            .starts_with("HTTP/1.1 200")
    );
}

#[test]
fn two_hundred_reloads_under_load_fail_no_request() {
    let echo = Echo::start();
    let gateway = Gateway::start(echo.address, &key_and(""));
    let (running, served) = (AtomicBool::new(true), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut stream = gateway.connect();
                while running.load(Ordering::Relaxed) {
                    stream
                        .get_mut()
                        .write_all(
                            format!("GET /echo/a HTTP/1.1\r\nHost: a\r\n{}\r\n", with_key())
                                .as_bytes(),
                        )
                        .unwrap();
                    let (head, _) = read_message(&mut stream).unwrap();
                    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for turn in 0..200 {
            let more = if turn % 2 == 0 {
                ", { id: shape, kind: json_limits }"
            } else {
                ""
            };
            std::fs::write(
                gateway.path(),
                document("127.0.0.1:0", echo.address, &key_and(more)),
            )
            .unwrap();
            assert!(gateway.node.apply().applied);
        }
        running.store(false, Ordering::Relaxed);
    });
    assert!(served.load(Ordering::Relaxed) >= 4);
    assert_eq!(gateway.node.stats()["refusals"], serde_json::json!({}));
}

#[test]
fn a_stop_lets_requests_end_and_takes_no_more() {
    let echo = Echo::start();
    let gateway = Gateway::start(echo.address, &key_and(""));
    let address = gateway.node.listeners()[0].address;
    let mut stream = gateway.connect();
    stream
        .get_mut()
        .write_all(format!("GET /echo/gate HTTP/1.1\r\nHost: a\r\n{}\r\n", with_key()).as_bytes())
        .unwrap();
    echo.entered.recv().unwrap();
    let Gateway {
        node,
        folder: _folder,
    } = gateway;
    let stopping = std::thread::spawn(move || node.stop(DRAIN));
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    echo.open.send(()).unwrap();
    assert!(
        read_message(&mut stream)
            .unwrap()
            .0
            .starts_with("HTTP/1.1 200")
    );
    assert!(stopping.join().unwrap());
}

#[test]
fn a_place_is_taken_until_the_answer_was_sent() {
    let echo = Echo::start();
    let policies = "{ id: one, kind: concurrency, limit: 1 }, { id: tidy, kind: headers, response: { set: { X-Served-By: gateway } } }";
    let gateway = Gateway::start(echo.address, &key_and(&format!(", {policies}")));
    let mut first = gateway.connect();
    first
        .get_mut()
        .write_all(format!("GET /echo/gate HTTP/1.1\r\nHost: a\r\n{}\r\n", with_key()).as_bytes())
        .unwrap();
    echo.entered.recv().unwrap();
    let (head, body) = gateway.get("/echo/a", &with_key());
    assert!(
        head.starts_with("HTTP/1.1 429")
            && head.contains("retry-after: 1")
            && body.contains("concurrency.exceeded"),
        "{head}"
    );
    echo.open.send(()).unwrap();
    let (head, _) = read_message(&mut first).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("x-served-by: gateway"),
        "{head}"
    );
    // The place is free once the connection has moved on to its next request.
    first
        .get_mut()
        .write_all(format!("GET /echo/a HTTP/1.1\r\nHost: a\r\n{}\r\n", with_key()).as_bytes())
        .unwrap();
    assert!(
        read_message(&mut first)
            .unwrap()
            .0
            .starts_with("HTTP/1.1 200")
    );
}

#[test]
fn a_service_that_is_down_is_a_problem_for_callers_and_not_for_the_start() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gateway = Gateway::start(closed, "");
    let (head, body) = gateway.get("/echo/a", "");
    assert!(
        head.starts_with("HTTP/1.1 503") && body.contains("upstream.unavailable"),
        "{head}{body}"
    );
    assert!(!body.contains(&closed.port().to_string()), "{body}");
}

fn refused(text: String) -> StartError {
    match Node::start(Source::text("gateway.yaml", text)) {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = refused(document(&address.to_string(), address, "")).to_string();
    assert!(
        error.starts_with(&format!("the listener `public` cannot bind {address}: ")),
        "{error}"
    );
}
