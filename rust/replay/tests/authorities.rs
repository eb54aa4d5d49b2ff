//! Callers with client certificates, when the authorities that a listener takes change.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use lockgate_policy::{ClientCertificate, authorities};
use lockgate_replay::{Expectation, ReplayError, Report, replay};
use lockgate_testkit::Authority;
use support::{Call, Recorded, call, compile, document, record};

/// Two authorities of one name, and a listener that takes certificates of some of them.
struct Two {
    folder: tempfile::TempDir,
    live: Authority,
    next: Authority,
}

impl Two {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = |name: &str| {
            let own = folder.path().join(name);
            std::fs::create_dir(&own).unwrap();
            Authority::new(&own)
        };
        let (live, next) = (authority("live"), authority("next"));
        live.issue("gateway", &["dns:localhost".into()]);
        Self { folder, live, next }
    }

    fn taking(&self, name: &str, those: &[&Authority]) -> String {
        let file = self.folder.path().join(name);
        let pem = those
            .iter()
            .map(|one| std::fs::read_to_string(&one.path).unwrap());
        std::fs::write(&file, pem.collect::<String>()).unwrap();
        self.document(&format!("client_authorities: {}", file.display()))
    }

    fn document(&self, more: &str) -> String {
        let partner = format!(
            "partner: {{ certificates: [{{ sha256: {} }}] }}",
            "07".repeat(32)
        );
        let own = self.folder.path().join("live/gateway");
        let own = own.display();
        let listener = format!(
            "listeners: {{ public: {{ bind: '127.0.0.1:0', tls: {{ certificate: {own}.pem, key: '${{file:{own}.key}}', {more} }} }} }}\n"
        );
        document(&partner, &[], &[]).replacen(
            "purposes: optional\n",
            &format!("purposes: optional\n{listener}"),
            1,
        )
    }

    /// Two calls with a certificate of the live authority, and one without any.
    fn recorded(&self, is_known: bool) -> (String, Recorded) {
        let base = self.taking("base.pem", &[&self.live]);
        let pem = std::fs::read(&self.live.path).unwrap();
        let authority = authorities(&pem).unwrap()[0];
        let shown = Call {
            certificate: Some(ClientCertificate {
                sha256: [7; 32],
                names: Vec::new(),
                authority: is_known.then_some(authority),
            }),
            ..call("/orders/7", &[])
        };
        let events = record(&base, &[shown.clone(), shown, call("/orders/7", &[])]).events;
        let of_listener = |mut event: lockgate_recording::Event| {
            event.listener = "public".into();
            event
        };
        (
            base,
            Recorded::of(events.into_iter().map(of_listener).collect()),
        )
    }
}

fn refused(report: &Report) -> Vec<(Option<&str>, Option<u16>, u64)> {
    let groups = report.groups.iter();
    groups
        .map(|group| (group.after.code.as_deref(), group.status, group.requests))
        .collect()
}

#[test]
fn a_caller_whose_authority_is_gone_has_no_connection_and_gets_no_status() {
    let two = Two::new();
    let (base, recorded) = two.recorded(true);
    assert!(refused(&recorded.replay(&base, &base)).is_empty());
    let both = two.taking("both.pem", &[&two.next, &two.live]);
    assert!(refused(&recorded.replay(&base, &both)).is_empty());
    let cut = two.taking("cut.pem", &[&two.next]);
    let report = recorded.replay(&base, &cut);
    assert_eq!(refused(&report), [(Some("certificate.untrusted"), None, 2)]);
    // What both revisions refuse is no difference.
    assert!(refused(&recorded.replay(&cut, &cut)).is_empty());
}

#[test]
fn an_authority_that_nobody_recorded_is_not_called_good_once_one_is_gone() {
    let two = Two::new();
    let (base, recorded) = two.recorded(false);
    let both = two.taking("both.pem", &[&two.live, &two.next]);
    assert_eq!(recorded.replay(&base, &both).totals.unjudged, 0);
    let report = recorded.replay(&base, &two.taking("cut.pem", &[&two.next]));
    assert_eq!((report.totals.unjudged, report.totals.judged), (2, 1));
    assert_eq!(
        &*report.unjudged[0].not_recorded,
        "the authority of the client certificate"
    );
}

#[test]
fn a_listener_that_asks_for_no_certificate_sees_none() {
    let two = Two::new();
    let (base, recorded) = two.recorded(true);
    let policies = "upstream: orders\n        policies: [{ id: cert, kind: mtls }]\n";
    let known = |text: &str| text.replace("upstream: orders\n", policies);
    let report = recorded.replay(&known(&base), &known(&two.document("")));
    assert_eq!(refused(&report), [(Some("mtls.missing"), Some(401), 2)]);
}

#[test]
fn authorities_that_cannot_be_read_are_named_with_their_listener() {
    let two = Two::new();
    let (base, recorded) = two.recorded(true);
    let candidate = compile(&two.taking("gone.pem", &[&two.next]));
    std::fs::remove_file(two.folder.path().join("gone.pem")).unwrap();
    let (nobody, path) = (Expectation::default(), recorded.path());
    let ended = replay(
        compile(&base),
        candidate,
        &path,
        &nobody,
        Vec::new(),
        &mut |_| true,
    );
    let Err(error @ ReplayError::Authorities(_)) = ended else {
        panic!("{ended:?}");
    };
    let said = error.to_string();
    assert!(
        said.contains("gone.pem` of listener `public` cannot be read"),
        "{said}"
    );
    assert!(
        said.ends_with("put the PEM file where the document says"),
        "{said}"
    );
}
