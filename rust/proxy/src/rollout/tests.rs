//! What needs a policy that is broken on purpose, or the node from within; `tests/integration/test_rollout.py` has the rest.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_config::{Problem, Source, sha256_hex};
use lockgate_policy::{BoundPolicy, Chain, Env, Policy, RequestView, Timestamp, Verdict};
use lockgate_rollout::{Arms, Command, Moment, Needs, Plan, Rollout, Settings, Share, Stage, Step};
use lockgate_testkit::{Echo, read_message};
use serde_json::Value;

use super::asked::{Asked, NotBegun};
use super::expected::Expected;
use super::journey::Begun;
use crate::clock::Clock;
use crate::core::Generation;
use crate::node::Node;
use crate::reload::{Options, Reloading};

const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
const PATIENCE: Duration = Duration::from_secs(20);
/// What a candidate has more.
const OTHER: &str = ", { id: say, kind: headers, request: { set: { X-Candidate: yes } } }";

mod kept;

/// Breaks on requests that ask for it: a fault that no check finds (F9, F10).
#[derive(Debug)]
struct Breaks;

impl Policy for Breaks {
    fn evaluate(&self, request: &RequestView<'_>, _: &mut Env<'_>) -> Verdict {
        assert!(!request.headers.contains_key("break"), "planted");
        Verdict::Pass
    }
}

struct Gateway {
    node: Node,
    clock: Clock,
    folder: tempfile::TempDir,
    service: SocketAddr,
}

fn document(service: SocketAddr, policies: &str) -> String {
    let hash = sha256_hex(b"lg_key");
    format!(
        "lockgate: 1\npurposes: optional\nnode: {{ cores: 1 }}\nadmin: {{ bind: '127.0.0.1:0' }}\n\
         listeners: {{ public: {{ bind: '127.0.0.1:0' }} }}\nupstreams: {{ echo: {{ targets: ['http://{service}'] }} }}\n\
         applications: {{ shop: {{ keys: [{{ sha256: {hash} }}] }} }}\n\
         apis: {{ echo: {{ versions: {{ v1: {{ base: /, upstream: echo, policies: [{{ id: key, kind: api_key }}{policies}] }} }} }} }}\n"
    )
}

fn needs(seconds: u64, requests: f64) -> Needs {
    Needs {
        at_least_seconds: seconds,
        at_most_seconds: 3_600,
        requests,
        callers: 0.0,
        ratio_below: 10.0,
    }
}

fn plan() -> Plan {
    Plan {
        shadow: needs(10, 1.0),
        steps: vec![Step {
            share: Share::percent(99),
            cap: Share::ALL,
            needs: needs(10, 1.0),
        }],
        live: needs(10, 1.0),
        bake: needs(10, 1.0),
    }
}

impl Gateway {
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), Options::default())
    }

    fn start_in(folder: tempfile::TempDir, options: Options) -> Self {
        let service = Echo::start().address;
        let path = folder.path().join("gateway.yaml");
        std::fs::write(&path, document(service, "")).unwrap();
        let clock = Clock::by_hand(START);
        let options = Options {
            clock: clock.clone(),
            ..options
        };
        let (node, _) = Node::start_with(Source::File(path), options).unwrap();
        Self {
            node,
            clock,
            folder,
            service,
        }
    }

    /// Begins the rollout of a candidate with a fault in front of every route.
    fn begin_broken(&self) {
        self.begin_changed(OTHER, |candidate| {
            for route in &mut Arc::get_mut(&mut candidate.revision).unwrap().routes {
                let first = route.chain.policies()[0].clone();
                let fault = BoundPolicy {
                    id: "fault".into(),
                    kind: first.kind,
                    origin: first.origin.clone(),
                    scope: first.scope.clone(),
                    mode: first.mode,
                    share: 10_000,
                    when: None,
                    on_error: first.on_error,
                    expires: None,
                    rule: None,
                    is_final: false,
                    declared: Value::Null,
                    span: first.span.clone(),
                    policy: Box::new(Breaks),
                };
                let policies = [&[Arc::new(fault)], route.chain.policies()].concat();
                route.chain = Arc::new(Chain::new(policies));
            }
        });
    }

    fn begin(&self, policies: &str) {
        self.begin_changed(policies, |_| ());
    }

    fn begin_changed(&self, policies: &str, change: impl FnOnce(&mut Generation)) {
        let path = self.folder.path().join("next.yaml");
        std::fs::write(&path, document(self.service, policies)).unwrap();
        let (shared, reloader) = self.node.parts();
        let begun = reloader.try_out(shared, &Source::File(path), |mut candidate| {
            change(&mut candidate);
            self.begin_with(candidate);
            Ok::<_, Vec<Problem>>(())
        });
        assert_eq!(begun, Ok(Vec::new()));
    }

    fn begin_with(&self, candidate: Generation) {
        let now = Moment(START.0);
        let mut rollout = Rollout::new(plan(), Settings::default(), now).unwrap();
        rollout.command(now, Command::Start).unwrap();
        let begun = Begun {
            id: "salt".into(),
            reason: String::new(),
            candidate: Arc::new(candidate),
            rollout,
            cpu_share: 0.15,
            arms: Arms::new("salt", ["shop".to_owned()], []).unwrap(),
            expected: Expected::default(),
            at: now,
        };
        let (shared, _) = self.node.parts();
        shared.rollouts.begin(shared, begun).unwrap();
    }

    /// The status of an answer, and what the service saw of the request.
    fn ask(&self, fields: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.node.listeners()[0].address).unwrap();
        write!(
            stream,
            "GET /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: lg_key\r\n{fields}\r\n"
        )
        .unwrap();
        let answer = read_message(&mut std::io::BufReader::new(stream)).unwrap();
        (answer.head[9..12].parse().unwrap(), answer.body)
    }

    /// The rollout, once it is as wanted; it is driven from here too, so nothing waits for its clock.
    fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let (shared, _) = self.node.parts();
        let begun = Instant::now();
        loop {
            shared.rollouts.tick(shared);
            let status = shared.rollouts.status(shared).unwrap();
            if wanted(&status) {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "{status:#}");
            std::thread::yield_now();
        }
    }

    /// Healthy requests and time until a stage.
    fn go_to(&self, stage: &str) {
        let mut at = self.clock.now().seconds();
        let begun = Instant::now();
        while self.until(|_| true)["stage"] != stage {
            assert_eq!(self.ask("").0, 200);
            at += 2;
            self.clock.set(Timestamp::from_seconds(at));
            assert!(begun.elapsed() < PATIENCE, "{:#}", self.until(|_| true));
        }
    }

    fn stop(self) {
        assert!(self.node.stop(PATIENCE));
    }
}

fn why(status: &Value) -> (&str, &str) {
    let why = &status["verdict"]["why"];
    (
        why["reason"].as_str().unwrap_or_default(),
        why["what"].as_str().unwrap_or_default(),
    )
}

#[test]
fn a_panic_beside_the_live_revision_ends_the_rollout_and_costs_no_answer() {
    let gateway = Gateway::start();
    gateway.begin_broken();
    // One that is shed says nothing; the next one will.
    let judged =
        gateway.until(|status| status["beside"]["judged"] != 0 || gateway.ask("").0 != 200);
    assert_eq!(
        (&judged["stage"], judged["beside"]["judged"] == 0),
        (&"shadow".into(), false)
    );
    let ended = gateway
        .until(|status| status["stage"] == "rolled back" || gateway.ask("Break: now\r\n").0 != 200);
    assert_eq!(why(&ended), ("hard_stop", "panic"));
    assert_ne!(ended["beside"]["unjudged"]["panic"], 0);
    assert_eq!(gateway.ask("Break: now\r\n").0, 200);
    gateway.stop();
}

#[test]
fn a_panic_in_the_canary_costs_one_answer() {
    let gateway = Gateway::start();
    gateway.begin_broken();
    gateway.go_to("canary 1");
    // Of the first request the cap cannot say that the candidate has less than all.
    let served: Vec<(u16, String)> = (0..2).map(|_| gateway.ask("")).collect();
    assert!(
        served
            .iter()
            .any(|(_, echo)| echo.contains("x-candidate: yes")),
        "{served:?}"
    );
    assert_eq!(gateway.ask("Break: now\r\n").0, 503);
    // Whether the guard has looked or not.
    let (status, echo) = gateway.ask("Break: now\r\n");
    assert!(
        status == 200 && !echo.contains("x-candidate"),
        "{status} {echo}"
    );
    let ended = gateway.until(|status| status["stage"] == "rolled back");
    assert_eq!(why(&ended), ("hard_stop", "panic"));
    gateway.stop();
}

#[test]
fn a_panic_while_it_bakes_brings_the_revision_before_it_back() {
    let gateway = Gateway::start();
    let before = gateway.node.stats()["revision"].clone();
    gateway.begin_broken();
    gateway.go_to("bake");
    assert_ne!(gateway.node.stats()["revision"], before);
    assert!(gateway.ask("").1.contains("x-candidate: yes"));
    assert_eq!(gateway.ask("Break: now\r\n").0, 503);
    assert_eq!(gateway.ask("Break: now\r\n").0, 200);
    gateway.until(|status| status["stage"] == "rolled back");
    assert_eq!(gateway.node.stats()["revision"], before);
    assert!(!gateway.ask("").1.contains("x-candidate"));
    gateway.stop();
}

#[test]
fn what_was_used_of_a_limit_is_counted_once_while_both_revisions_are_asked() {
    let gateway = Gateway::start();
    let limit = |limit| format!(", {{ id: fair, kind: rate_limit, limit: {limit}, per: 1h }}");
    std::fs::write(
        gateway.folder.path().join("gateway.yaml"),
        document(gateway.service, &limit(4)),
    )
    .unwrap();
    assert!(gateway.node.apply().applied);
    gateway.begin(&limit(9));
    let statuses: Vec<u16> = (0..4).map(|_| gateway.ask("").0).collect();
    assert_eq!(statuses, [200; 4]);
    // What comes while the queue is looked at elsewhere is shed, and never waits.
    let looked_at = |status: &Value| {
        let count = |what: &str| status["beside"][what].as_u64().unwrap_or_default();
        count("judged") + count("shed") == 4
    };
    let judged = gateway.until(looked_at);
    assert_eq!(
        (&judged["stage"], &judged["differences"]["groups"]),
        (&"shadow".into(), &Value::Array(Vec::new()))
    );
    assert_eq!(gateway.ask("").0, 429);
    // The candidate would have let it pass, and nobody expected that.
    let ended = gateway.until(|status| {
        let has_ended = status["stage"] == "rolled back";
        has_ended || gateway.ask("").0 != 429
    });
    assert_eq!(ended["stage"], "rolled back");
    let group = &ended["differences"]["groups"][0];
    assert_eq!(
        (&group["change"], &group["policy"], &group["application"]),
        (&"newly_allowed".into(), &"fair".into(), &"shop".into())
    );
    gateway.stop();
}

#[test]
fn a_reload_is_refused_while_a_rollout_runs_and_after_it_for_what_was_replaced() {
    let gateway = Gateway::start();
    let (shared, reloader) = gateway.node.parts();
    gateway.begin(OTHER);
    let refused = reloader.apply(shared, Reloading::default());
    assert!(
        !refused.applied
            && refused.problems[0]
                .message
                .contains("runs; nothing was reloaded")
    );
    gateway.go_to("last good");
    let refused = reloader.apply(shared, Reloading::default());
    assert!(
        !refused.applied
            && refused.problems[0]
                .message
                .contains("was replaced by a rollout")
    );
    std::fs::write(
        gateway.folder.path().join("gateway.yaml"),
        document(gateway.service, OTHER),
    )
    .unwrap();
    assert!(reloader.apply(shared, Reloading::default()).applied);
    // Another document has been read: going back to the first is meant so.
    std::fs::write(
        gateway.folder.path().join("gateway.yaml"),
        document(gateway.service, ""),
    )
    .unwrap();
    assert!(reloader.apply(shared, Reloading::default()).applied);
    gateway.begin(OTHER);
    let force = Reloading {
        force: true,
        again: false,
    };
    assert!(reloader.apply(shared, force).applied);
    assert_eq!(shared.rollouts.running(), None);
    gateway.stop();
}

#[test]
fn what_cannot_begin_says_why() {
    let gateway = Gateway::start();
    let (shared, reloader) = gateway.node.parts();
    let file = gateway.folder.path().join("next.yaml");
    let refused = |policies: &str, more: &str| -> NotBegun {
        std::fs::write(&file, document(gateway.service, policies)).unwrap();
        let text = format!("{{\"candidate\": {:?}{more}}}", file.display().to_string());
        let asked: Asked = serde_json::from_str(&text).unwrap();
        reloader.begin_rollout(shared, asked).unwrap_err()
    };
    for (policies, more, message) in [
        (
            "",
            "",
            "the candidate is what is served; change it, or name another document",
        ),
        (
            OTHER,
            r#", "chosen": ["a"], "excluded": ["a"]"#,
            "`a` is chosen for the canary and excluded from it; remove it from one of the lists",
        ),
        (
            OTHER,
            r#", "expect": {"newly_refused": {"applications": [], "at_most": 3}}"#,
            "`expect.newly_refused.applications` is empty; name applications, or write `[\"*\"]` for everybody",
        ),
        (
            ", { id: odd, kind: nothing }",
            "",
            "the candidate has errors",
        ),
    ] {
        assert_eq!(refused(policies, more).to_string(), message);
    }
    assert_eq!(shared.rollouts.running(), None);
    gateway.begin(OTHER);
    let runs = refused(OTHER, "").to_string();
    assert!(
        runs.ends_with("runs; wait for its end, or run `lockgate rollout abort`"),
        "{runs}"
    );
    assert_eq!(
        shared.rollouts.running().map(|(stage, _)| stage),
        Some(Stage::Shadow)
    );
    gateway.stop();
}
