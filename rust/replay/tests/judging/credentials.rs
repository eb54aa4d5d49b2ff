//! Credentials of recorded requests: judged by what was found out about them, never by themselves.

use super::*;

#[test]
fn an_introspected_token_is_judged_by_the_recorded_answer() {
    let policy = |endpoint: &str, audience: &str| {
        let line = format!(
            "{{ id: token, kind: oauth2_introspection, endpoint: \"https://{endpoint}/i\", client_id: gw, client_secret: \"${{env:S}}\", audience: {audience} }}"
        );
        document("console: { client_ids: [c1] }", &[&line], &[])
    };
    let base = policy("id.example.com", "orders");
    let answer = |active: bool| json!({ "active": active, "aud": "orders", "client_id": "c1", "scope": "a b" });
    let bearer = |token: &str, fact| Call {
        fact,
        ..call(
            "/orders/7",
            &[("authorization", &format!("Bearer {token}"))],
        )
    };
    let recorded = record(
        &base,
        &[
            bearer("opaque-1", Some(answer(true))),
            bearer("opaque-2", Some(answer(false))),
            bearer("opaque-3", None),
            bearer("not:a:token", None),
            call("/orders/7", &[]),
        ],
    );
    nothing_differs(&recorded, &base);
    let report = recorded.replay(&base, &policy("id.example.com", "billing"));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "console".into(),
            "- oauth2_introspection.wrong_audience".into(),
            1
        )]
    );
    let elsewhere = recorded.replay(&base, &policy("other.example.com", "orders"));
    assert_eq!(
        lacks(&elsewhere),
        [(
            "candidate",
            "token".into(),
            "what https://other.example.com/i says of the token".into(),
            3
        )]
    );
    assert_eq!(elsewhere.outcome, Outcome::TooMuchUnjudged);
}

#[test]
fn a_token_is_judged_by_the_keys_that_were_fetched_and_by_those_of_a_document() {
    let (live, other) = (Signer::new("EdDSA"), Signer::new("ES256"));
    let policy = |jwks: &str, algorithms: &str| {
        let line = format!(
            "{{ id: token, kind: jwt, issuer: \"https://id.example.com\", audience: orders, jwks: {jwks}, algorithms: [{algorithms}] }}"
        );
        document("console: {}", &[&line], &[])
    };
    let url = "\"https://id.example.com/jwks\"";
    let base = policy(url, "EdDSA, ES256");
    let claims = |end: u64| json!({ "iss": "https://id.example.com", "aud": "orders", "sub": "anna", "azp": "console", "exp": START / SECOND + end });
    let set = json!({ "keys": [live.jwk("k")] });
    let bearer = |token: String| Call {
        fact: Some(set.clone()),
        ..call(
            "/orders/7",
            &[("authorization", &format!("Bearer {token}"))],
        )
    };
    let recorded = record(
        &base,
        &[
            bearer(live.token("k", &claims(900))),
            bearer(live.token("k", &claims(1))),
            bearer(other.token("k", &claims(900))),
            bearer(other.token_of(r#"{"alg":"none"}"#, "{}")),
            bearer("nonsense".into()),
            // Later requests whose keys were not asked for are judged with those that were recorded last.
            Call {
                fact: None,
                ..call("/orders/7", &[])
            },
        ],
    );
    nothing_differs(&recorded, &base);
    let inline = |keys| json!({ "keys": keys }).to_string();
    let same = recorded.replay(&base, &policy(&inline(vec![live.jwk("k")]), "EdDSA"));
    assert_eq!(same.totals.unchanged, 6, "{same:#?}");
    let without = recorded.replay(
        &base,
        &policy(&inline(vec![Signer::new("ES256").jwk("k")]), "ES256"),
    );
    assert_eq!(
        groups(&without),
        [
            ("newly_refused", "console".into(), "- jwt.invalid".into(), 1),
            (
                "changed_reason",
                "-".into(),
                "jwt.expired jwt.invalid".into(),
                1
            ),
        ]
    );
    // The token of an unknown key: nobody can say whether the candidate's new key has signed it.
    assert_eq!(
        lacks(&without),
        [(
            "candidate",
            "token".into(),
            "whether a key that is now accepted signed the token".into(),
            1
        )]
    );
}

#[test]
fn a_token_that_no_policy_looked_at_is_not_judged() {
    let live = Signer::new("EdDSA");
    let base = keyed(&[]);
    let line = format!(
        "{{ id: token, kind: jwt, issuer: \"https://id.example.com\", audience: orders, jwks: {}, algorithms: [EdDSA] }}",
        live.jwks("k")
    );
    let recorded = record(
        &base,
        &[call(
            "/orders/7",
            &[("x-api-key", KEY), ("authorization", "Bearer a.b.c")],
        )],
    );
    let report = recorded.replay(&base, &document(&shop(), &[&line], &[]));
    assert_eq!(
        lacks(&report),
        [("candidate", "token".into(), "what the token says".into(), 1)]
    );
}

#[test]
fn a_certificate_is_judged_by_fingerprint_and_name() {
    let certificate = ClientCertificate {
        sha256: [7; 32],
        names: vec!["dns:a.partner.example".into()],
        authority: None,
    };
    let partner = |fingerprint: &str| {
        document(
            &format!("partner: {{ certificates: [{{ sha256: {fingerprint} }}] }}"),
            &["{ id: cert, kind: mtls }"],
            &[],
        )
    };
    let base = partner(&"07".repeat(32));
    let shown = Call {
        certificate: Some(certificate),
        ..call("/orders/7", &[])
    };
    let recorded = record(&base, &[shown, call("/orders/7", &[])]);
    nothing_differs(&recorded, &base);
    let report = recorded.replay(&base, &partner(&"08".repeat(32)));
    assert_eq!(
        groups(&report),
        [(
            "newly_refused",
            "partner".into(),
            "- mtls.unknown".into(),
            1
        )]
    );
}

#[test]
fn a_password_is_judged_until_it_is_changed() {
    let with = |hash: &str, user: &str| {
        document(
            &format!("alice: {{ passwords: [{{ username: {user}, argon2: \"{hash}\" }}] }}"),
            &["{ id: password, kind: basic_auth }"],
            &[],
        )
    };
    let hash = hash_password("pw").unwrap();
    let base = with(&hash, "u");
    // `u:pw`, `u:no`, and something unreadable.
    let calls = ["dTpwdw==", "dTpubw==", "%%%"]
        .map(|text| call("/orders/7", &[("authorization", &format!("Basic {text}"))]));
    let recorded = record(&base, &calls);
    nothing_differs(&recorded, &base);
    let renamed = recorded.replay(&base, &with(&hash, "other"));
    assert_eq!(
        groups(&renamed),
        [(
            "newly_refused",
            "alice".into(),
            "- basic_auth.invalid".into(),
            1
        )]
    );
    let changed = recorded.replay(&base, &with(&hash_password("new").unwrap(), "u"));
    let what = "whether the password is the new one of the user";
    assert_eq!(
        lacks(&changed),
        [("candidate", "password".into(), what.into(), 2)]
    );
}

#[test]
fn a_signature_is_counted_as_not_judged_and_its_lack_is_judged() {
    let pem = Signer::new("EdDSA").pem();
    let applications = format!(
        "signer: {{ signature_keys: [{{ id: k1, algorithm: ed25519, public_key: \"{pem}\" }}] }}"
    );
    let base = document(
        &applications,
        &["{ id: signed, kind: http_signature }"],
        &[],
    );
    let fields = [
        ("signature-input", "sig=();keyid=\"k1\""),
        ("signature", "sig=:AA==:"),
    ];
    let recorded = record(&base, &[call("/orders/7", &fields), call("/orders/7", &[])]);
    let report = recorded.replay(&base, &base);
    assert_eq!(
        lacks(&report),
        [("both", "signed".into(), "the signature".into(), 1)]
    );
    assert_eq!((report.totals.judged, report.totals.unchanged), (1, 1));
}

#[test]
fn live_traffic_cannot_use_a_mark_as_a_credential() {
    let base = keyed(&[]);
    let recorded = record(&base, &[call("/orders/7", &[("x-api-key", KEY)])]);
    let events = lockgate_recording::Reader::open(&recorded.path()).unwrap();
    let marks: Vec<String> = events
        .map(|event| event.unwrap().headers.get("x-api-key").unwrap().to_owned())
        .collect();
    assert!(marks[0].starts_with("hmac-sha256:"));
    let counters = Arc::new(Counters::default());
    let stolen = call("/orders/7", &[("x-api-key", &marks[0])]);
    let (event, _) = decide(&compile(&base), &counters, START, &stolen);
    assert_eq!(event.code.as_deref(), Some("api_key.invalid"));
}
