//! Measures a replay: writes a recording of a shop's traffic and replays it, pinned to whatever the caller pins this process to.
//!
//! `cargo run --release -p lockgate-replay --example measure -- FOLDER [REQUESTS]`; the folder then holds `base.yaml`,
//! `candidate.yaml` and the recording, for `lockgate replay`.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lockgate_config::{Source, sha256_hex};
use lockgate_policy::Revision;
use lockgate_recording::{
    Decision, Event, KEY_FILE, Redactor, SegmentOptions, SegmentWriter, Verdict,
};
use lockgate_replay::{Expectation, replay};

const START: u64 = 1_800_000_000_000_000;
const APPLICATIONS: usize = 200;
const KEY: [u8; 32] = [7; 32];

fn document(candidate: bool) -> String {
    let applications: String = (0..APPLICATIONS)
        .map(|number| {
            let hash = sha256_hex(format!("lg_example_{number}").as_bytes());
            let scopes = if number % 50 == 0 {
                "orders:read"
            } else {
                "orders:read, orders:write"
            };
            format!("  app-{number}: {{ scopes: [{scopes}], keys: [{{ sha256: {hash} }}] }}\n")
        })
        .collect();
    let (limit, delete) = if candidate {
        (400, "orders:write")
    } else {
        (2_000, "orders:read")
    };
    format!(
        "lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: \"127.0.0.1:8080\" }} }}
upstreams: {{ orders: {{ targets: [\"http://127.0.0.1:9001\"] }} }}
applications:
{applications}apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: orders
        policies:
          - {{ id: key, kind: api_key }}
          - {{ id: fair-use, kind: rate_limit, limit: {limit}, per: 1m }}
          - {{ id: body, kind: json_limits }}
        routes:
          - match: {{ methods: [DELETE], path: \"/{{id}}\" }}
            policies: [{{ id: may-delete, kind: require, scopes: [\"{delete}\"] }}]
          - {{ match: {{ methods: [POST] }}, record_body: {{ up_to: 4KiB }} }}
"
    )
}

/// The next number of a sequence that is the same each time (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn event(number: u64, state: &mut u64, revision: &str) -> Event {
    let chosen = next(state);
    // A few applications send most of the traffic.
    let application = (chosen % 200) * (chosen / 200 % 200) / 200;
    let (method, path, body) = match chosen >> 32 & 15 {
        0 => ("DELETE", "/orders/7", None),
        1..4 => (
            "POST",
            "/orders/new",
            Some(r#"{"article":"A-1","count":2,"to":{"city":"Bremen","street":"Am Wall 1"}}"#),
        ),
        _ => ("GET", "/orders/7", None),
    };
    let mut event = Event {
        at: START + number * 1_500 + chosen % 700,
        id: format!("{:032x}", u128::from(chosen) << 64 | u128::from(number)).into(),
        node: "node-1".into(),
        revision: revision.into(),
        listener: "public".into(),
        client: Some(
            std::net::Ipv4Addr::from(0xC000_0200 | u32::try_from(chosen % 250).unwrap()).into(),
        ),
        method: method.into(),
        host: "api.example.com".into(),
        path: path.into(),
        api: Some("orders".into()),
        api_version: Some("v1".into()),
        decision: Decision::Forward,
        status: 200,
        tries: 1,
        latency_us: 900 + chosen % 20_000,
        upstream_us: 800,
        bytes_out: 512,
        has_body: body.is_some(),
        bytes_in: body.map_or(0, |body: &str| body.len() as u64),
        body: body.map(Into::into),
        ..Event::default()
    };
    for (name, value) in [
        ("host", "api.example.com"),
        ("user-agent", "orders-client/4.2 (linux; x86_64)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate, br"),
        ("accept-language", "en-GB,en;q=0.8"),
        ("content-type", "application/json"),
        ("x-request-source", "checkout"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ] {
        event.headers.push(name, value);
    }
    event
        .headers
        .push("x-api-key", &format!("lg_example_{application}"));
    if let Some(body) = body {
        event
            .headers
            .push("content-length", &body.len().to_string());
    }
    event.application = Some(format!("app-{application}").into());
    for (id, kind) in [
        ("key", "api_key"),
        ("fair-use", "rate_limit"),
        ("body", "json_limits"),
    ] {
        event.verdicts.push(Verdict {
            id: id.into(),
            kind: kind.into(),
            scope: "version orders/v1".into(),
            word: "allow".into(),
            code: None,
            shadow: false,
            rule: None,
            found_by: None,
        });
    }
    event
}

fn write(folder: &Path, requests: u64, revision: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let key = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join(KEY_FILE));
    std::io::Write::write_all(&mut key.unwrap(), &KEY).unwrap();
    let redactor = Redactor::new(KEY, [""; 0]);
    let options = SegmentOptions {
        keep_bytes: u64::MAX,
        ..SegmentOptions::default()
    };
    let mut writer = SegmentWriter::open(folder, options, START).unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d;
    for number in 0..requests {
        let mut event = event(number, &mut state, revision);
        redactor.redact(&mut event);
        writer.append(&event, START + number * 1_500);
    }
    writer.finish(START + requests * 1_500);
}

/// Seconds of processor time that this process has used, from `/proc/self/stat` (proc(5), fields 14 and 15).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u32 = fields
        .get(11..13)
        .unwrap()
        .iter()
        .map(|field| field.parse::<u32>().unwrap())
        .sum();
    f64::from(ticks) / 100.0
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(
        arguments
            .next()
            .unwrap_or_else(|| "target/replay-measure".to_owned()),
    );
    let requests: u64 = arguments
        .next()
        .map_or(1_000_000, |text| text.parse().unwrap());
    std::fs::create_dir_all(&folder).unwrap();
    let compile = |candidate: bool| {
        let name = if candidate {
            "candidate.yaml"
        } else {
            "base.yaml"
        };
        std::fs::write(folder.join(name), document(candidate)).unwrap();
        Revision::check(&Source::file(folder.join(name))).unwrap().0
    };
    let (base, candidate) = (compile(false), compile(true));
    let recording = folder.join("recording");
    let _ = std::fs::remove_dir_all(&recording);
    write(&recording, requests, &base.id.to_string());
    let (since, used) = (Instant::now(), processor_seconds());
    let report = replay(
        base,
        candidate,
        &recording,
        &Expectation::default(),
        Vec::new(),
        &mut |_| true,
    )
    .unwrap();
    let (took, used) = (since.elapsed().as_secs_f64(), processor_seconds() - used);
    #[allow(clippy::cast_precision_loss, reason = "a number for people")]
    let count = requests as f64;
    println!("requests                    {requests}");
    println!(
        "judged, newly refused       {}, {}",
        report.totals.judged, report.totals.newly_refused
    );
    println!("processor µs per request    {:.2}", used * 1e6 / count);
    println!("requests a minute, one core {:.0}", count * 60.0 / used);
    println!("seconds on the clock        {took:.2}");
}
