use serde_json::{Value, json};

use crate::support::tokens::{Signer, base64url};
use crate::support::*;

const AT: u64 = NOW.seconds();

fn settings(signer: &Signer, more: &str) -> String {
    format!(
        "{{ id: token, kind: jwt, issuer: https://id.example.com, audience: orders, jwks: {}, algorithms: [{}]{more} }}",
        signer.jwks("k1"),
        signer.algorithm()
    )
}

fn gateway(signer: &Signer, more: &str) -> String {
    with(&[&settings(signer, more)])
}

/// Claims that pass, with some of them replaced; `null` takes one out.
fn claims(changed: Value) -> Value {
    let mut claims = json!({
        "iss": "https://id.example.com", "aud": "orders", "exp": AT + 60, "iat": AT - 60, "sub": "ada",
    });
    for (name, value) in changed.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().shift_remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn ask(gateway: &str, token: &str) -> lockgate_policy::Trace {
    let bearer = format!("Bearer {token}");
    trace(
        gateway,
        &call("GET", "/orders/7", &[("Authorization", &bearer)]),
    )
}

fn refusal(gateway: &str, token: &str) -> String {
    let trace = ask(gateway, token);
    let challenge = trace
        .headers
        .iter()
        .find(|(name, _)| name == "www-authenticate");
    if trace.decision == "refuse" {
        let challenge = &challenge.unwrap().1;
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
        assert_eq!(trace.status, Some(401));
    }
    code(&trace).to_owned()
}

#[test]
fn a_token_of_every_algorithm_passes_and_stays_on_the_request() {
    for name in [
        "ES256", "ES384", "EdDSA", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    ] {
        let signer = Signer::new(name);
        let trace = ask(
            &gateway(&signer, ""),
            &signer.token("k1", &claims(json!({}))),
        );
        assert_eq!(trace.decision, "forward", "{name}: {:?}", trace.detail);
        assert!(trace.forwarded.unwrap().headers.is_empty());
    }
}

#[test]
fn no_token_is_a_challenge_without_an_error() {
    let gateway = gateway(&Signer::new("EdDSA"), "");
    for headers in [vec![], vec![("Authorization", "Basic YTpi")]] {
        let trace = trace(&gateway, &call("GET", "/orders", &headers));
        assert_eq!(
            (trace.status, code(&trace)),
            (Some(401), "jwt.missing"),
            "{headers:?}"
        );
        assert!(
            trace
                .headers
                .contains(&("www-authenticate".into(), "Bearer".into()))
        );
    }
}

#[test]
fn claims_must_be_there_and_be_right() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(
        &signer,
        ", max_age: 10m, required_claims: [sub], leeway: 5s",
    );
    for (changed, expected) in [
        (json!({}), ""),
        (json!({ "iss": null }), "jwt.claim_missing"),
        (
            json!({ "iss": "https://id.example.com/" }),
            "jwt.wrong_issuer",
        ),
        (
            json!({ "iss": ["https://id.example.com"] }),
            "jwt.wrong_issuer",
        ),
        (json!({ "aud": null }), "jwt.claim_missing"),
        (json!({ "aud": "stock" }), "jwt.wrong_audience"),
        (json!({ "aud": [] }), "jwt.wrong_audience"),
        (json!({ "aud": ["stock", "orders"] }), ""),
        (json!({ "aud": ["orders", 7] }), "jwt.malformed"),
        (json!({ "aud": 7 }), "jwt.malformed"),
        (json!({ "exp": null }), "jwt.claim_missing"),
        (json!({ "exp": AT - 4 }), ""),
        (json!({ "exp": AT - 5 }), "jwt.expired"),
        (json!({ "exp": (AT - 4) as f64 + 0.5 }), ""),
        (json!({ "exp": u64::MAX }), ""),
        (json!({ "exp": -1 }), "jwt.malformed"),
        (json!({ "exp": (AT + 60).to_string() }), "jwt.malformed"),
        (json!({ "nbf": AT + 5 }), ""),
        (json!({ "nbf": AT + 6 }), "jwt.not_yet_valid"),
        (json!({ "iat": AT + 6 }), "jwt.not_yet_valid"),
        (json!({ "iat": AT - 604 }), ""),
        (json!({ "iat": AT - 605 }), "jwt.expired"),
        (json!({ "iat": null }), "jwt.claim_missing"),
        (json!({ "sub": null }), "jwt.claim_missing"),
        (json!({ "sub": 7 }), "jwt.malformed"),
    ] {
        let token = signer.token("k1", &claims(changed.clone()));
        assert_eq!(refusal(&gateway, &token), expected, "{changed}");
    }
}

#[test]
fn without_leeway_a_token_ends_at_exp() {
    let signer = Signer::new("EdDSA");
    let token = signer.token("k1", &claims(json!({ "exp": AT })));
    assert_eq!(refusal(&gateway(&signer, ""), &token), "jwt.expired");
}

#[test]
fn forged_an_unsigned_token_is_refused() {
    let signer = Signer::new("EdDSA");
    let body = base64url(claims(json!({})).to_string().as_bytes());
    for name in ["none", "None", "NONE", ""] {
        let header = base64url(json!({ "alg": name, "kid": "k1" }).to_string().as_bytes());
        assert_eq!(
            refusal(&gateway(&signer, ""), &format!("{header}.{body}.")),
            "jwt.invalid"
        );
    }
}

#[test]
fn forged_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() {
    let signer = Signer::new("RS256");
    let public = signer.jwks("k1");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes());
    let signed = format!(
        "{}.{}",
        base64url(br#"{"alg":"HS256","kid":"k1"}"#),
        base64url(claims(json!({})).to_string().as_bytes())
    );
    let tag = ring::hmac::sign(&key, signed.as_bytes());
    let token = format!("{signed}.{}", base64url(tag.as_ref()));
    assert_eq!(refusal(&gateway(&signer, ""), &token), "jwt.invalid");
}

#[test]
fn forged_a_token_that_brings_its_own_key_or_rules_is_refused() {
    let signer = Signer::new("EdDSA");
    for (name, value) in [
        ("jwk", Signer::new("ES256").jwk("k1")),
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        // Even a good signature does not help: the member itself is what is refused.
        let header = json!({ "alg": "EdDSA", "kid": "k1", name: value }).to_string();
        let token = signer.token_of(&header, &claims(json!({})).to_string());
        assert_eq!(
            refusal(&gateway(&signer, ""), &token),
            "jwt.invalid",
            "{name}"
        );
    }
}

#[test]
fn forged_a_token_of_another_key_is_refused_whatever_its_kid_says() {
    let (signer, other) = (Signer::new("ES256"), Signer::new("ES256"));
    for kid in ["k1", "k2", "../../dev/null", "' OR 1=1 --"] {
        let token = other.token(kid, &claims(json!({})));
        assert_eq!(
            refusal(&gateway(&signer, ""), &token),
            "jwt.invalid",
            "{kid}"
        );
    }
    let header = json!({ "alg": "ES256", "kid": ["k1"] }).to_string();
    let token = signer.token_of(&header, &claims(json!({})).to_string());
    assert_eq!(refusal(&gateway(&signer, ""), &token), "jwt.invalid");
    let unknown = signer.token("k2", &claims(json!({})));
    assert_eq!(refusal(&gateway(&signer, ""), &unknown), "jwt.invalid");
}

#[test]
fn forged_a_token_with_another_algorithm_of_the_same_key_is_refused() {
    let pinned = Signer::new("RS256");
    let policy = settings(&pinned, "").replace("[RS256]", "[RS256, PS256]");
    let two = json!({ "keys": [pinned.jwk("k1"), Signer::new("PS256").jwk("k2")] }).to_string();
    let gateway = with(&[&policy.replace(&pinned.jwks("k1"), &two)]);
    let good = Signer::new("PS256").token("k2", &claims(json!({})));
    assert_eq!(refusal(&gateway, &good), "");
    let crossed = Signer::new("PS256").token("k1", &claims(json!({})));
    assert_eq!(refusal(&gateway, &crossed), "jwt.invalid");
}

#[test]
fn forged_an_algorithm_that_is_not_listed_is_refused_although_the_key_is_known() {
    let (listed, unlisted) = (Signer::new("ES256"), Signer::new("EdDSA"));
    let both = json!({ "keys": [listed.jwk("k1"), unlisted.jwk("k2")] }).to_string();
    let gateway = with(&[&settings(&listed, "").replace(&listed.jwks("k1"), &both)]);
    let token = unlisted.token("k2", &claims(json!({})));
    assert_eq!(refusal(&gateway, &token), "jwt.invalid");
}

#[test]
fn forged_changed_claims_or_signatures_are_refused() {
    let signer = Signer::new("ES256");
    let gateway = gateway(&signer, "");
    let token = signer.token("k1", &claims(json!({})));
    let parts: Vec<&str> = token.split('.').collect();
    let other = base64url(claims(json!({ "sub": "root" })).to_string().as_bytes());
    let zero = base64url(&[0; 64]);
    for forged in [
        format!("{}.{other}.{}", parts[0], parts[2]),
        format!("{}.{}.{zero}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
    ] {
        assert_eq!(refusal(&gateway, &forged), "jwt.invalid", "{forged}");
    }
}

#[test]
fn forged_no_character_of_a_token_can_be_changed() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, "");
    let token = signer.token("k1", &claims(json!({})));
    for at in 0..token.len() {
        let mut forged = token.clone().into_bytes();
        forged[at] = if forged[at] == b'B' { b'C' } else { b'B' };
        let forged = String::from_utf8(forged).unwrap();
        assert_ne!(refusal(&gateway, &forged), "", "{forged}");
    }
}

#[test]
fn forged_repeated_members_are_refused_on_every_level() {
    let signer = Signer::new("EdDSA");
    let good = claims(json!({})).to_string();
    let rest = good.strip_prefix('{').unwrap();
    let header = r#"{"alg":"EdDSA","kid":"k1"}"#;
    for (header, body) in [
        (header, format!("{{\"exp\":{},{rest}", AT + 9_999)),
        (header, format!("{{\"a\":{{\"b\":1,\"b\":2}},{rest}")),
        (r#"{"alg":"none","alg":"EdDSA","kid":"k1"}"#, good.clone()),
    ] {
        let token = signer.token_of(header, &body);
        assert_eq!(
            refusal(&gateway(&signer, ""), &token),
            "jwt.malformed",
            "{body}"
        );
    }
}

#[test]
fn what_is_no_token_is_malformed() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, "");
    let good = signer.token("k1", &claims(json!({})));
    let long = signer.token("k1", &claims(json!({ "x": "x".repeat(7_000) })));
    for token in [
        "",
        "abc",
        "a.b",
        "a.b.c.d.e",
        &format!("{good}="),
        &format!("{good} x"),
        &format!(" {good},"),
        &long,
        &signer.token_of("[]", "{}"),
        &signer.token_of(r#"{"alg":"EdDSA","kid":"k1"}"#, "7"),
    ] {
        assert_eq!(refusal(&gateway, token), "jwt.malformed", "{token}");
    }
    let bearer = format!("Bearer {good}");
    let twice = [
        ("Authorization", bearer.as_str()),
        ("Authorization", bearer.as_str()),
    ];
    assert_eq!(
        code(&trace(&gateway, &call("GET", "/orders", &twice))),
        "jwt.malformed"
    );
}

#[test]
fn a_token_with_another_type_is_refused_when_the_type_is_set() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, ", type: at+jwt");
    for (header, expected) in [
        (json!({ "typ": "at+jwt" }), ""),
        (json!({ "typ": "application/AT+JWT" }), ""),
        (json!({ "typ": "JWT" }), "jwt.invalid"),
        (json!({ "typ": 7 }), "jwt.invalid"),
        (json!({}), "jwt.invalid"),
    ] {
        let mut header = header;
        header["alg"] = "EdDSA".into();
        let token = signer.token_of(&header.to_string(), &claims(json!({})).to_string());
        assert_eq!(refusal(&gateway, &token), expected, "{header}");
    }
}

#[test]
fn scopes_and_application_come_from_the_claims() {
    let signer = Signer::new("EdDSA");
    for (more, changed, demand, expected) in [
        (
            "",
            json!({ "scope": "a orders:write" }),
            "scopes: [orders:write]",
            "",
        ),
        (
            "",
            json!({ "scp": ["orders:write"] }),
            "scopes: [orders:write]",
            "",
        ),
        ("", json!({ "azp": "shop" }), "plans: [gold]", ""),
        ("", json!({ "client_id": "shop" }), "plans: [gold]", ""),
        (
            "",
            json!({ "client_id": "nobody" }),
            "plans: [gold]",
            "require.plan",
        ),
        // An application's scopes are not given to a token that has none.
        (
            "",
            json!({ "azp": "shop" }),
            "scopes: [orders:read]",
            "require.scope",
        ),
        (
            ", scopes_claim: rights",
            json!({ "rights": ["x"], "scope": "y" }),
            "scopes: [x]",
            "",
        ),
        (
            ", scopes_claim: rights",
            json!({ "scope": "x" }),
            "scopes: [x]",
            "require.scope",
        ),
        (
            ", application_claim: app",
            json!({ "app": "shop" }),
            "plans: [gold]",
            "",
        ),
        (
            ", application_claim: app",
            json!({ "azp": "shop" }),
            "plans: [gold]",
            "require.plan",
        ),
    ] {
        let gateway = with(&[
            &settings(&signer, more),
            &format!("{{ id: may, kind: require, {demand} }}"),
        ]);
        let token = signer.token("k1", &claims(changed.clone()));
        assert_eq!(code(&ask(&gateway, &token)), expected, "{more} {changed}");
    }
}

#[test]
fn a_token_of_a_suspended_application_is_refused() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, "").replace("shop: { plan", "shop: { suspended: true, plan");
    let token = signer.token("k1", &claims(json!({ "azp": "shop" })));
    assert_eq!(refusal(&gateway, &token), "jwt.invalid");
}

#[test]
fn a_token_in_a_cookie_or_query_is_found_and_taken_out_when_asked() {
    let signer = Signer::new("EdDSA");
    let token = signer.token("k1", &claims(json!({})));
    let cookie = gateway(&signer, ", in: { cookie: session }, forward: false");
    let header = format!("session={token}");
    assert_eq!(
        trace(&cookie, &call("GET", "/orders", &[("Cookie", &header)])).decision,
        "forward"
    );
    let query = gateway(&signer, ", in: { query: access_token }");
    assert_eq!(
        trace(
            &query,
            &call("GET", &format!("/orders?access_token={token}"), &[])
        )
        .decision,
        "forward"
    );
    let gone = ask(&gateway(&signer, ", forward: false"), &token);
    assert_eq!(
        gone.forwarded.unwrap().headers,
        [("authorization".to_owned(), None)]
    );
}

#[test]
fn keys_at_a_url_are_asked_for_only_when_the_token_could_pass() {
    let signer = Signer::new("ES256");
    let url = settings(&signer, "").replace(&signer.jwks("k1"), "https://id.example.com/keys");
    let gateway = with(&[&url]);
    let token = signer.token("k1", &claims(json!({})));
    assert_eq!(ask(&gateway, &token).decision, "need");
    assert_eq!(
        refusal(
            &gateway,
            &Signer::new("EdDSA").token("k1", &claims(json!({})))
        ),
        "jwt.invalid"
    );
    let bearer = format!("Bearer {token}");
    let mut request = call("GET", "/orders", &[("Authorization", &bearer)]);
    request.facts = vec![serde_json::from_str(&signer.jwks("k1")).unwrap()];
    assert_eq!(trace(&gateway, &request).decision, "forward");
    request.facts = vec![serde_json::from_str(&signer.jwks("k2")).unwrap()];
    assert_eq!(code(&trace(&gateway, &request)), "jwt.invalid");
}

#[test]
fn keys_that_cannot_be_fetched_refuse_in_doubt() {
    let signer = Signer::new("ES256");
    let url = settings(&signer, "").replace(&signer.jwks("k1"), "https://id.example.com/keys");
    let bearer = format!("Bearer {}", signer.token("k1", &claims(json!({}))));
    let request = call("GET", "/orders", &[("Authorization", &bearer)]);
    assert_eq!(without_facts(&with(&[&url]), &request), "policy.undecided");
}

#[test]
fn bad_settings_say_what_to_write() {
    let signer = Signer::new("ES256");
    let good = settings(&signer, "");
    let jwks = signer.jwks("k1");
    let url = |url: &str| good.replace(&jwks, &format!("\"{url}\""));
    for (policy, expected) in [
        (
            good.replace("[ES256]", "[HS256]"),
            "`HS256` is not a signature with a public key; write an algorithm such as `ES256`",
        ),
        (
            good.replace("[ES256]", "[none]"),
            "`none` is not a signature with a public key",
        ),
        (good.replace("[ES256]", "[ES265]"), "did you mean `ES256`?"),
        (good.replace("[ES256]", "[]"), "the list is empty"),
        (
            good.replace("[ES256]", "[ES256, EdDSA]"),
            "the key set has no key for `EdDSA`",
        ),
        (
            good.replace("audience: orders", "audience: []"),
            "`audience` is empty",
        ),
        (
            good.replace("audience: orders", "audience: \"\""),
            "`audience` is empty",
        ),
        (
            good.replace("audience: orders, ", ""),
            "the field `audience` is missing",
        ),
        (
            good.replace("https://id.example.com", "\"\""),
            "the text is empty",
        ),
        (
            settings(&signer, ", leeway: 6m"),
            "a leeway of 6m is longer than 5m",
        ),
        (
            settings(&signer, ", leway: 5s"),
            "unknown field `leway`; did you mean `leeway`?",
        ),
        (
            settings(&signer, ", required_claims: []"),
            "the list is empty",
        ),
        (
            settings(&signer, ", in: { header: \"\" }"),
            "the text is empty",
        ),
        (
            good.replace(&jwks, "missing.json"),
            "the file `missing.json` cannot be read",
        ),
        (
            good.replace(&jwks, "{ keys: [] }"),
            "the key set has no public key",
        ),
        (
            good.replace(&jwks, "{ key: x }"),
            "this is not a JSON Web Key Set",
        ),
        (
            url("http://id.example.com/keys"),
            "is not encrypted; write a URL with `https://`",
        ),
        (url("ftp://id.example.com/keys"), "is not encrypted"),
        (
            url("https://10.0.0.1/keys"),
            "`10.0.0.1` is a private address; add `allow_private: true`",
        ),
        (
            url("https://[::ffff:127.0.0.1]/keys"),
            "is a private address",
        ),
        (
            url("https://localhost/keys"),
            "`localhost` is a private address",
        ),
        (
            url("https://2130706433/keys"),
            "neither a host name nor an address",
        ),
        (
            url("https://0x7f.1/keys"),
            "neither a host name nor an address",
        ),
        (
            url("https://me:pass@id.example.com/keys"),
            "has no user name or password",
        ),
        (url("https:///keys"), "is not a URL"),
    ] {
        let found = messages(&with(&[&policy]));
        assert!(found.contains(expected), "{policy}\n{found}");
    }
    let local =
        url("http://127.0.0.1:9/keys").replace(", algorithms", ", allow_private: true, algorithms");
    compile(&with(&[&local]));
    let open =
        url("http://10.0.0.1/keys").replace(", algorithms", ", allow_private: true, algorithms");
    assert!(messages(&with(&[&open])).contains("is not encrypted"));
}
