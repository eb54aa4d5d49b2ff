use super::*;

fn build(document: &Document, previous: Option<&Upstreams>) -> Upstreams {
    let base = &lockgate_config::Base::folder(".");
    let building = Building {
        document,
        base,
        secrets: Secrets::Skip,
        previous,
    };
    upstreams(&building).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn document(targets: &str, extra: &str) -> Document {
    let text = format!(
        "lockgate: 1\nnode: {{ zone: here }}\nupstreams:\n  a: {{ targets: [{targets}]{extra} }}\n"
    );
    let source = lockgate_config::Source::text("gateway.yaml", text);
    lockgate_config::load(&source).unwrap_or_else(|problems| panic!("{problems:?}"))
}

const THREE: &str = "'http://one:1', 'http://two:2/base/', 'http://three:3'";

fn service(extra: &str) -> Arc<Service> {
    let document = document(THREE, extra);
    build(&document, None)
        .remove("a")
        .unwrap_or_else(|| panic!("no service"))
}

#[test]
fn round_robin_takes_each_target_in_turn() {
    let service = service(", balance: round_robin");
    let chosen: Vec<String> = (0..4)
        .filter_map(|_| service.choose(None, &[]).ok())
        .map(|chosen| chosen.target.authority.to_string())
        .collect();
    assert_eq!(chosen, ["one:1", "two:2", "three:3", "one:1"]);
}

#[test]
fn a_busy_target_gets_less() {
    let service = service("");
    let held: Vec<Chosen> = (0..30)
        .filter_map(|_| service.choose(None, &[]).ok())
        .collect();
    let mut counts = HashMap::new();
    for chosen in &held {
        *counts
            .entry(chosen.target.authority.to_string())
            .or_insert(0) += 1;
    }
    assert!(
        counts.len() == 3 && counts.values().all(|count| (8..=12).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_service_gets_no_more_requests_than_it_may_have_and_a_place_is_given_back() {
    let service = service(", circuit: { max_requests: 2 }");
    let choose = || service.choose(None, &[]);
    let (first, second) = (choose(), choose());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(choose().err(), Some(NotChosen::Busy));
    drop(first);
    assert!(choose().is_ok());
}

#[test]
fn a_path_of_a_target_stands_before_the_path_of_the_request() {
    let service = service(", balance: round_robin");
    let prefixes: Vec<String> = (0..2)
        .filter_map(|_| service.choose(None, &[]).ok())
        .map(|chosen| chosen.target.prefix.clone())
        .collect();
    assert_eq!(prefixes, ["", "/base"]);
}

/// How many of `count` requests each target gets, in the order of the document.
fn shares(service: &Arc<Service>, count: u64) -> Vec<usize> {
    let mut shares = vec![0; service.targets.len()];
    for key in 0..count {
        let key = lockgate_policy::stable_hash(&[&key.to_string()]);
        let chosen = service
            .choose(Some(key), &[])
            .unwrap_or_else(|why| panic!("{why:?}"));
        if let Some(share) = shares.get_mut(chosen.place) {
            *share += 1;
        }
    }
    shares
}

fn fail(service: &Service, place: usize, times: usize) {
    for _ in 0..times {
        if let Some(target) = service.targets.get(place) {
            target.state.health.observe(true, since_start());
        }
    }
}

#[test]
fn weights_hold_for_every_way_to_balance() {
    let targets = "{ url: 'http://one:1', weight: 1 }, { url: 'http://two:2', weight: 3 }";
    for balance in ["round_robin", "consistent_hash", "least_requests", "ewma"] {
        let document = document(targets, &format!(", balance: {balance}"));
        let service = build(&document, None)
            .remove("a")
            .unwrap_or_else(|| panic!("none"));
        let shares = shares(&service, 4_000);
        let two = shares.get(1).copied().unwrap_or_default();
        assert!((2_850..=3_150).contains(&two), "{balance}: {shares:?}");
    }
}

#[test]
fn the_same_key_goes_to_the_same_target_and_others_stay_when_one_goes() {
    let service = service(", balance: consistent_hash");
    let place = |key: u64| {
        service
            .choose(Some(key), &[])
            .map(|chosen| chosen.place)
            .ok()
    };
    let before: Vec<_> = (0..300u64).map(|key| place(key << 20)).collect();
    assert_eq!(
        before,
        (0..300u64).map(|key| place(key << 20)).collect::<Vec<_>>()
    );
    fail(&service, 1, 5);
    for (key, before) in (0..300u64).zip(before) {
        if before != Some(1) {
            assert_eq!(place(key << 20), before);
        } else {
            assert_ne!(place(key << 20), Some(1));
        }
    }
}

#[test]
fn a_slow_target_gets_less_by_latency() {
    let service = service(", balance: ewma");
    for _ in 0..50 {
        let mut chosen = service
            .choose(None, &[])
            .unwrap_or_else(|why| panic!("{why:?}"));
        let took = if chosen.place == 0 { 100 } else { 1 };
        chosen.report(Fared::Well, Duration::from_millis(took));
    }
    let shares = shares(&service, 300);
    assert!(shares.first().is_some_and(|slow| *slow < 30), "{shares:?}");
}

#[test]
fn a_target_that_fails_is_left_out_and_never_the_most_of_them() {
    let service = service(", balance: round_robin");
    fail(&service, 0, 5);
    assert_eq!(shares(&service, 30), [0, 15, 15]);
    fail(&service, 1, 5);
    assert_eq!(
        shares(&service, 30),
        [10, 10, 10],
        "a third is below the panic threshold: health is ignored"
    );
}

#[test]
fn a_retry_goes_elsewhere() {
    let service = service("");
    for _ in 0..50 {
        let place = service.choose(None, &[0, 2]).map(|chosen| chosen.place);
        assert_eq!(place.ok(), Some(1));
    }
    assert!(
        service.choose(None, &[0, 1, 2]).is_ok(),
        "when all were tried, any will do"
    );
}

#[test]
fn targets_of_the_zone_are_preferred_while_they_are_healthy() {
    let targets = "{ url: 'http://one:1', zone: here }, { url: 'http://two:2', zone: there }, { url: 'http://three:3', zone: there }";
    let document = document(targets, ", balance: round_robin");
    let service = build(&document, None)
        .remove("a")
        .unwrap_or_else(|| panic!("none"));
    assert_eq!(shares(&service, 30), [30, 0, 0]);
    // The panic threshold is one of all targets: two of three healthy ones are enough.
    fail(&service, 0, 5);
    assert_eq!(shares(&service, 30), [0, 15, 15]);
}

#[test]
fn what_is_known_of_targets_and_services_survives_a_reload() {
    let before = build(&document(THREE, ", balance: round_robin"), None);
    let old = before.get("a").unwrap_or_else(|| panic!("none"));
    let held = old.choose(None, &[]);
    fail(old, 1, 5);
    let after = build(
        &document(
            THREE,
            ", balance: round_robin, circuit: { max_requests: 1 }",
        ),
        Some(&before),
    );
    let new = after.get("a").unwrap_or_else(|| panic!("none"));
    assert_eq!(
        new.choose(None, &[]).err(),
        Some(NotChosen::Busy),
        "the old request still counts"
    );
    drop(held);
    assert_eq!(
        shares(new, 30),
        [15, 0, 15],
        "the failing target is still left out"
    );
}

#[test]
fn a_target_that_joins_starts_slowly() {
    let settings = ", balance: round_robin, slow_start: 1h";
    let before = build(&document("'http://one:1'", settings), None);
    let after = build(
        &document("'http://one:1', 'http://two:2'", settings),
        Some(&before),
    );
    let new = after.get("a").unwrap_or_else(|| panic!("none"));
    let shares = shares(new, 1_100);
    assert!(
        shares.get(1).is_some_and(|two| (90..=110).contains(two)),
        "a tenth of a share: {shares:?}"
    );
}

#[test]
fn what_cannot_be_a_target_or_a_key_is_said() {
    for (targets, extra, message) in [
        ("'http://a b'", "", "`http://a b` is not an address"),
        ("'ftp://a:1'", "", "`ftp://a:1` is not an address"),
        ("'http://a:90010'", "", "`http://a:90010` is not an address"),
        ("'http://a:0'", "", "`http://a:0` is not an address"),
        ("'http://a:'", "", "`http://a:` is not an address"),
        (
            "'http://a:1'",
            ", health: { path: healthz }",
            "`healthz` is not a path",
        ),
        (
            "'http://user@a:1'",
            "",
            "`http://user@a:1` is not an address",
        ),
        (
            "'http://169.254.169.254'",
            "",
            "`http://169.254.169.254` is a link-local address",
        ),
        (
            "'http://a:1'",
            ", balance: consistent_hash, hash_by: mood",
            "`mood` cannot be hashed",
        ),
        (
            "'http://a:1'",
            ", hash_by: client",
            "`hash_by` has no effect with this `balance`",
        ),
        (
            "'https://a:1'",
            ", tls: { authorities: none.pem }",
            "the TLS of the upstream `a`: the certificate `none.pem` cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        let text = format!("lockgate: 1\nupstreams:\n  a: {{ targets: [{targets}]{extra} }}\n");
        let source = lockgate_config::Source::text("gateway.yaml", text);
        let problems = match lockgate_config::load(&source) {
            Err(problems) => problems,
            Ok(document) => {
                let base = &lockgate_config::Base::folder(".");
                let building = Building {
                    document: &document,
                    base,
                    secrets: Secrets::Skip,
                    previous: None,
                };
                upstreams(&building).err().unwrap_or_default()
            }
        };
        let messages: Vec<String> = problems
            .iter()
            .map(|problem| problem.message.clone())
            .collect();
        assert!(
            messages.iter().any(|said| said == message),
            "{message}: {messages:?}"
        );
    }
}
