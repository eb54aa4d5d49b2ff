//! The proof against a running gateway: what a replay says is what nodes decide.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "../../policy/tests/support/tokens.rs"]
#[allow(dead_code, reason = "shared with the tests of policies")]
mod tokens;

mod asked;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use asked::{START, Sent, chosen, live, run};
use base64::Engine as _;
use lockgate_config::sha256_hex;
use lockgate_policy::hash_password;
use lockgate_recording::{Event, KEY_FILE, Reader, SegmentOptions, SegmentWriter};
use lockgate_replay::{Change, Outcome};
use lockgate_testkit::Echo;
use serde_json::json;
use tokens::Signer;

const KEYS: [&str; 3] = ["lg_shop_key_1", "lg_batch_key_1", "lg_gone_key_1"];

/// What differs between the documents.
struct Differs<'a> {
    limit: u64,
    keys: &'a str,
    delete: &'a str,
    batch: &'a str,
    depth: u64,
    alice: &'a str,
}

fn document(echo: SocketAddr, recording: &Path, differs: &Differs<'_>) -> String {
    let Differs {
        limit,
        keys,
        delete,
        batch,
        depth,
        alice,
    } = differs;
    let [shop, old, gone] = KEYS.map(|key| sha256_hex(key.as_bytes()));
    format!(
        r#"
lockgate: 1
purposes: optional
listeners: {{ public: {{ bind: "127.0.0.1:0" }} }}
admin: {{ bind: "127.0.0.1:0" }}
upstreams: {{ echo: {{ targets: ["http://{echo}"] }} }}
recording: {{ directory: {recording:?} }}
applications:
  shop: {{ scopes: [orders:read], keys: [{{ sha256: {shop} }}] }}
  batch: {{ {batch} keys: [{{ sha256: {old}, expires: 2027-01-15T08:30:00Z }}] }}
  gone: {{ suspended: true, keys: [{{ sha256: {gone} }}] }}
  people: {{ client_ids: [console] }}
  alice: {{ passwords: [{{ username: alice, argon2: "{alice}" }}] }}
apis:
  orders:
    versions:
      v1:
        base: /orders
        upstream: echo
        policies:
          - id: who
            kind: any_of
            of:
              - {{ id: token, kind: jwt, issuer: "https://id.example.com", audience: orders, jwks: {keys}, algorithms: [EdDSA, ES256] }}
              - {{ id: key, kind: api_key }}
              - {{ id: in-query, kind: api_key, in: {{ query: api_key }} }}
              - {{ id: in-cookie, kind: api_key, in: {{ cookie: sid }} }}
              - {{ id: password, kind: basic_auth }}
          - {{ id: fair-use, kind: rate_limit, limit: {limit}, per: 1m, burst: 3 }}
          - {{ id: day, kind: quota, limit: 150, per: hour }}
          - {{ id: body, kind: json_limits, depth: {depth} }}
        routes:
          - {{ match: {{ methods: [DELETE], path: "/{{id}}" }}, policies: [{delete}] }}
          - {{ match: {{ methods: [POST] }}, record_body: {{ up_to: 64KiB }} }}
  open:
    versions:
      v1: {{ base: /open, upstream: echo, policies: [{{ id: by-address, kind: rate_limit, limit: 40, per: 1m, by: address }}] }}
"#,
        recording = recording.display().to_string(),
    )
}

fn base<'a>(live: &'a str, alice: &'a str) -> Differs<'a> {
    Differs {
        limit: 10,
        keys: live,
        delete: "{ id: may-delete, kind: require, scopes: [orders:read] }",
        batch: "",
        depth: 3,
        alice,
    }
}

/// A mixed sequence that is the same each time: xorshift chooses.
fn sequence(live: &Signer, unknown: &Signer, requests: usize) -> Vec<Sent> {
    let claims = |client: &str, end: u64| {
        json!({
            "iss": "https://id.example.com", "aud": "orders", "sub": "anna", "azp": client,
            "exp": START.seconds() + end, "iat": START.seconds(), "scope": "orders:read",
        })
    };
    let basic = |pair: &str| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        format!("Authorization: Basic {encoded}\r\n")
    };
    let bearer = |token: String| format!("Authorization: Bearer {token}\r\n");
    let credentials = [
        String::new(),
        format!("X-Api-Key: {}\r\n", KEYS[0]),
        format!("X-Api-Key: {}\r\n", KEYS[1]),
        format!("X-Api-Key: {}\r\n", KEYS[2]),
        "X-Api-Key: lg_nobodys_key\r\n".to_owned(),
        "X-Api-Key: a\r\nX-Api-Key: b\r\n".to_owned(),
        format!("Cookie: theme=dark; sid={}\r\n", KEYS[0]),
        bearer(live.token("live", &claims("console", 86_400))),
        bearer(live.token("live", &claims("nobody", 86_400))),
        bearer(live.token("live", &claims("console", 120))),
        bearer(unknown.token("other", &claims("console", 86_400))),
        bearer("no.token".to_owned()),
        basic("alice:correct horse"),
        basic("alice:wrong"),
        basic("bob:whatever"),
    ];
    let targets = [
        ("GET", "/orders/7", ""),
        ("GET", "/orders/7?api_key=lg_shop_key_1", ""),
        ("DELETE", "/orders/7", ""),
        ("POST", "/orders/new", r#"{"a":{"b":[1,2,{"c":1}]}}"#),
        ("POST", "/orders/new", r#"{"a":1}"#),
        ("POST", "/orders/new", r#"{"a":"#),
        ("GET", "/open/x", ""),
        ("GET", "/nowhere", ""),
    ];
    let mut below = chosen();
    (0..requests)
        .map(|number| {
            let credential = &credentials[below(credentials.len())];
            let (method, target, body) = targets[below(targets.len())];
            let body_fields = match body {
                "" => String::new(),
                body => format!(
                    "Content-Type: application/json\r\nContent-Length: {}\r\n",
                    body.len()
                ),
            };
            Sent {
                after: 1_000 * (1 + below(1_500)) as u64,
                text: format!(
                    "{method} {target} HTTP/1.1\r\nHost: api.example.com\r\nX-Number: {number}\r\n{credential}{body_fields}\r\n{body}"
                ),
            }
        })
        .collect()
}

/// A recording of what `requests` said, with the decisions of `decisions`: how another node decided about the same requests.
fn crossed(
    requests: &HashMap<String, Event>,
    decisions: &HashMap<String, Event>,
    key_of: &Path,
    into: &Path,
) {
    let mut writer = SegmentWriter::open(into, SegmentOptions::default(), START.0).unwrap();
    std::fs::copy(key_of.join(KEY_FILE), into.join(KEY_FILE)).unwrap();
    let mut requests: Vec<_> = requests.iter().collect();
    requests.sort_by_key(|(_, request)| request.at);
    for (number, request) in requests {
        let decided = &decisions[number];
        let event = Event {
            revision: decided.revision.clone(),
            decision: decided.decision,
            code: decided.code.clone(),
            status: decided.status,
            ..request.clone()
        };
        writer.append(&event, START.0);
    }
    writer.finish(START.0);
}

#[test]
fn a_replay_says_what_nodes_decide_about_the_same_requests() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let echo = Echo::start();
    let (live_key, unknown, next_key) = (
        Signer::new("EdDSA"),
        Signer::new("ES256"),
        Signer::new("ES256"),
    );
    let jwks = |keys: &[(&Signer, &str)]| {
        let keys: Vec<_> = keys.iter().map(|(key, id)| key.jwk(id)).collect();
        json!({ "keys": keys }).to_string()
    };
    // ES256 needs a key of its own in each set; tokens of `unknown` are signed by neither.
    let live_set = jwks(&[(&live_key, "live"), (&next_key, "spare")]);
    let without_live =
        jwks(&[(&Signer::new("ES256"), "new"), (&next_key, "spare")]).replace("EdDSA", "ES256");
    let alice = hash_password("correct horse").unwrap();
    let sequence = sequence(&live_key, &unknown, 1_200);

    let base_text = document(echo.address, &at("base"), &base(&live_set, &alice));
    let recorded = live(&base_text, &at("base"), &sequence);

    let same = run(&base_text, &base_text, &at("base"));
    assert_eq!(same.outcome, Outcome::NoChange, "{same:#?}");
    assert_eq!(same.totals.unjudged, 0, "{:#?}", same.unjudged);
    assert_eq!(
        (same.disagreement.compared, same.disagreement.differ),
        (1_200, 0),
        "{:#?}",
        same.disagreement
    );
    // The node wrote down that nothing was used when it began, so no limit is in doubt.
    assert!(same.recording.usage_known);
    assert!(same.warming_up.is_empty(), "{:#?}", same.warming_up);
    let again = run(&base_text, &base_text, &at("base"));
    assert_eq!(
        serde_json::to_string(&same).unwrap(),
        serde_json::to_string(&again).unwrap()
    );

    let differences = [
        (
            "tighter",
            Differs {
                limit: 5,
                ..base(&live_set, &alice)
            },
        ),
        (
            "looser",
            Differs {
                limit: 60,
                depth: 9,
                ..base(&live_set, &alice)
            },
        ),
        (
            "scope",
            Differs {
                delete: "{ id: may-delete, kind: require, scopes: [orders:write] }",
                batch: "suspended: true,",
                ..base(&live_set, &alice)
            },
        ),
        (
            "no-live-key",
            Differs {
                keys: &without_live,
                ..base(&live_set, &alice)
            },
        ),
    ];
    for (name, differs) in differences {
        let algorithms = if name == "no-live-key" {
            "[ES256]"
        } else {
            "[EdDSA, ES256]"
        };
        let text =
            document(echo.address, &at(name), &differs).replace("[EdDSA, ES256]", algorithms);
        let decided = live(&text, &at(name), &sequence);

        // Decision by decision: the candidate, replayed on what the base recorded, against its own node.
        let cross = at(&format!("{name}-crossed"));
        crossed(&recorded, &decided, &at("base"), &cross);
        let replayed = run(&text, &text, &cross);
        assert_eq!(
            replayed.totals.unjudged, 0,
            "{name}: {:#?}",
            replayed.unjudged
        );
        assert_eq!(
            (replayed.disagreement.compared, replayed.disagreement.differ),
            (1_200, 0),
            "{name}: {:#?}",
            replayed.disagreement
        );

        // And the difference, counted by hand from the two live runs.
        let report = run(&base_text, &text, &at("base"));
        let mut by_hand: HashMap<Change, u64> = HashMap::new();
        for (number, before) in &recorded {
            let after = &decided[number];
            let (was, is) = (before.code.is_some(), after.code.is_some());
            let change = match (was, is) {
                (false, true) => Change::NewlyRefused,
                (true, false) => Change::NewlyAllowed,
                (true, true) if before.code != after.code => Change::ChangedReason,
                _ => continue,
            };
            *by_hand.entry(change).or_default() += 1;
        }
        assert!(!by_hand.is_empty(), "{name} changes nothing");
        let mut counted: HashMap<Change, u64> = HashMap::new();
        for group in &report.groups {
            *counted.entry(group.change).or_default() += group.requests;
        }
        assert_eq!(counted, by_hand, "{name}");
        assert_eq!(report.outcome, Outcome::Unexpected, "{name}");
    }
}

#[test]
fn a_key_set_without_the_live_key_shows_as_newly_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let echo = Echo::start();
    let (live_key, next) = (Signer::new("ES256"), Signer::new("ES256"));
    let alice = hash_password("correct horse").unwrap();
    let both = json!({ "keys": [live_key.jwk("live"), next.jwk("next")] }).to_string();
    // The same identifier and algorithm with another key: only the key itself can tell.
    let wrong = json!({ "keys": [next.jwk("live")] }).to_string();
    let claims = json!({ "iss": "https://id.example.com", "aud": "orders", "sub": "anna",
        "azp": "console", "exp": START.seconds() + 86_400 });
    let token = live_key.token("live", &claims);
    let call = Sent {
        after: 30_000_000,
        text: format!(
            "GET /orders/7 HTTP/1.1\r\nHost: a\r\nX-Number: 0\r\nAuthorization: Bearer {token}\r\n\r\n"
        ),
    };
    let calls: Vec<Sent> = (0..10)
        .map(|number| Sent {
            text: call
                .text
                .replace("X-Number: 0", &format!("X-Number: {number}")),
            ..call.clone()
        })
        .collect();
    let text = |keys| {
        let text = document(echo.address, &at("base"), &base(keys, &alice));
        text.replace("[EdDSA, ES256]", "[ES256]")
    };
    live(&text(&both), &at("base"), &calls);
    let candidate = text(&wrong);
    let report = run(&text(&both), &candidate, &at("base"));
    assert_eq!(report.totals.newly_refused, 10, "{report:#?}");
    let group = &report.groups[0];
    assert_eq!(group.application.as_deref(), Some("people"));
    assert_eq!(group.after.code.as_deref(), Some("jwt.invalid"));
    assert_eq!(group.policy.as_ref().map(|policy| &*policy.id), Some("who"));

    // The token itself is nowhere on the disk.
    let segments = Reader::open(&at("base")).unwrap();
    for event in segments {
        let line = serde_json::to_string(&event.unwrap()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert!(
            !line.contains(signature) && !line.contains(signed),
            "{line}"
        );
    }
}
