use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockgate_config::{Source, load_document};
use lockgate_policy::{ExplainRequest, Fact, Revision, Secrets};

use crate::support::tokens::{Signer, kept};
use crate::support::*;

const AT: u64 = NOW.seconds();
const BODY: &str = "{\"amount\": 7}";
const SECRET: &str = "a shared secret of more than 32 bytes, for tests only";

fn gateway_with(key: &str, settings: &str) -> String {
    let policy = format!("{{ id: signed, kind: http_signature{settings} }}");
    let keys = format!("shop: {{ signature_keys: [{key}], plan");
    with(&[&policy, "{ id: may, kind: require, plans: [gold] }"]).replace("shop: { plan", &keys)
}

fn key(signer: &Signer, algorithm: &str) -> String {
    format!(
        "{{ id: k1, algorithm: {algorithm}, public_key: {} }}",
        signer.pem()
    )
}

fn gateway(signer: &Signer, settings: &str) -> String {
    gateway_with(&key(signer, "ed25519"), settings)
}

/// A request to `/orders/7?a=1` whose signature is over these components (name and value) with these parameters.
struct Signed<'a> {
    components: Vec<(&'a str, String)>,
    params: String,
    fields: Vec<(&'a str, String)>,
    body: Option<&'a str>,
}

impl<'a> Signed<'a> {
    fn new() -> Self {
        Self {
            components: vec![
                ("@method", "POST".into()),
                ("@target-uri", "http://localhost/orders/7?a=1".into()),
            ],
            params: format!(";created={AT};keyid=\"k1\""),
            fields: Vec::new(),
            body: None,
        }
    }

    fn params(mut self, params: &str) -> Self {
        self.params = params.to_owned();
        self
    }

    fn components(mut self, components: &[(&'a str, &str)]) -> Self {
        self.components = components
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        self
    }

    fn field(mut self, name: &'a str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    fn body(mut self, body: &'a str, digest: &str) -> Self {
        self.components.push(("content-digest", digest.to_owned()));
        self.body = Some(body);
        self.field("Content-Digest", digest)
    }

    fn request(&self, sign: impl Fn(&[u8]) -> Vec<u8>) -> ExplainRequest {
        let names: Vec<String> = self
            .components
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        let params = format!("({}){}", names.join(" "), self.params);
        let mut base: String = self
            .components
            .iter()
            .map(|(name, value)| format!("\"{name}\": {value}\n"))
            .collect();
        base.push_str(&format!("\"@signature-params\": {params}"));
        let signature = STANDARD.encode(sign(base.as_bytes()));
        let mut request = call("POST", "/orders/7?a=1", &[]);
        let fields = self.fields.iter();
        request.headers = fields
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        request
            .headers
            .push(("Signature-Input".into(), format!("sig={params}")));
        request
            .headers
            .push(("Signature".into(), format!("sig=:{signature}:")));
        request.body = self.body.map(str::to_owned);
        request
    }

    fn by(&self, signer: &Signer) -> ExplainRequest {
        self.request(|base| signer.sign(base))
    }
}

fn sha256(body: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    format!("sha-256=:{}:", STANDARD.encode(digest))
}

fn ask(gateway: &str, request: &ExplainRequest) -> String {
    let source = Source::text("gateway.yaml", gateway);
    let compiled = Revision::compile(load_document(&source).unwrap(), Secrets::Read);
    let (revision, _) = compiled.unwrap_or_else(|problems| panic!("{problems:#?}"));
    judged(&revision, request, None, |_| {
        Fact::Unavailable("none".into())
    })
}

#[test]
fn a_signature_of_every_algorithm_identifies() {
    for (name, algorithm) in [
        ("EdDSA", "ed25519"),
        ("ES256", "ecdsa-p256-sha256"),
        ("ES384", "ecdsa-p384-sha384"),
        ("PS512", "rsa-pss-sha512"),
        ("RS256", "rsa-v1_5-sha256"),
    ] {
        let signer = Signer::new(name);
        let gateway = gateway_with(&key(&signer, algorithm), "");
        let named = format!(";created={AT};keyid=\"k1\";alg=\"{algorithm}\";nonce=\"x\"");
        for signed in [Signed::new(), Signed::new().params(&named)] {
            assert_eq!(ask(&gateway, &signed.by(&signer)), "", "{algorithm}");
        }
    }
}

#[test]
fn a_signature_with_a_shared_secret_identifies_once_the_secret_is_read() {
    let key = format!(
        "{{ id: k1, algorithm: hmac-sha256, secret: \"${{file:{}}}\" }}",
        kept(SECRET)
    );
    let gateway = gateway_with(&key, "");
    let sign = |secret: &str| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        Signed::new().request(|base| ring::hmac::sign(&key, base).as_ref().to_vec())
    };
    assert_eq!(ask(&gateway, &sign(SECRET)), "");
    assert_eq!(ask(&gateway, &sign("guess")), "http_signature.invalid");
    // A check reads no secret, so it cannot say.
    let unread = judged(&compile(&gateway), &sign(SECRET), None, |_| {
        Fact::Unavailable("none".into())
    });
    assert_eq!(unread, "policy.undecided");
    assert!(!format!("{:?}", compile(&gateway)).contains(SECRET));
}

#[test]
fn the_example_of_the_standard_is_right() {
    // RFC 9421 appendix B.2.6.
    let file = kept(
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n",
    );
    let key = format!("{{ id: test-key-ed25519, algorithm: ed25519, public_key: {file} }}");
    let gateway = gateway_with(&key, ", components: [\"@method\", \"@path\", \"@authority\"], require_digest: false, max_age: 1d")
        .replace("base: /orders", "base: /");
    let mut request = call(
        "POST",
        "http://example.com/foo?param=Value&Pet=dog",
        &[
            ("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("Content-Type", "application/json"),
            ("Content-Length", "18"),
            (
                "Signature-Input",
                "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
            ),
            (
                "Signature",
                "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
            ),
        ],
    );
    request.at = Some("2021-04-20T02:07:55Z".into());
    request.body = Some("{\"hello\": \"world\"}".into());
    let trace = trace(&gateway, &request);
    assert_eq!(trace.decision, "forward", "{:?}", trace.code);
}

#[test]
fn no_signature_says_what_to_sign() {
    let gateway = gateway(&Signer::new("EdDSA"), ", tag: pay");
    let trace = trace(&gateway, &call("GET", "/orders", &[]));
    assert_eq!(
        (trace.status, code(&trace)),
        (Some(401), "http_signature.missing")
    );
    assert_eq!(
        trace.headers,
        [
            ("www-authenticate".to_owned(), "Signature".to_owned()),
            (
                "accept-signature".to_owned(),
                "sig=(\"@method\" \"@target-uri\");created;tag=\"pay\"".to_owned()
            ),
        ]
    );
}

#[test]
fn forged_a_changed_request_is_refused() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, "");
    for (from, to) in [
        ("POST", "GET"),
        ("localhost", "other"),
        ("http:", "https:"),
        ("/orders/7", "/orders/8"),
        ("a=1", "a=2"),
    ] {
        let mut signed = Signed::new();
        for (_, value) in &mut signed.components {
            *value = value.replace(from, to);
        }
        assert_eq!(
            ask(&gateway, &signed.by(&signer)),
            "http_signature.invalid",
            "{to}"
        );
    }
    let signed = Signed::new().field("X-Amount", "7").components(&[
        ("@method", "POST"),
        ("@target-uri", "http://localhost/orders/7?a=1"),
        ("x-amount", "8"),
    ]);
    assert_eq!(ask(&gateway, &signed.by(&signer)), "http_signature.invalid");
}

#[test]
fn forged_a_signature_of_another_key_algorithm_or_name_is_refused() {
    let signer = Signer::new("ES256");
    let gateway = gateway_with(&key(&signer, "ecdsa-p256-sha256"), "");
    let other = Signed::new().by(&Signer::new("ES256"));
    assert_eq!(ask(&gateway, &other), "http_signature.invalid");
    for params in [
        format!(";created={AT};keyid=\"k2\""),
        format!(";created={AT};keyid=\"k1\";alg=\"ed25519\""),
        format!(";created={AT};keyid=\"k1\";alg=\"hmac-sha256\""),
    ] {
        let signed = Signed::new().params(&params).by(&signer);
        assert_eq!(ask(&gateway, &signed), "http_signature.invalid", "{params}");
    }
    // Parameters are signed: they cannot be changed after the fact.
    let mut request = Signed::new().by(&signer);
    for (_, value) in &mut request.headers {
        *value = value.replace(&AT.to_string(), &(AT - 1).to_string());
    }
    assert_eq!(ask(&gateway, &request), "http_signature.invalid");
}

#[test]
fn a_signature_of_a_suspended_application_is_refused() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, "").replace("plan: gold", "suspended: true, plan: gold");
    assert_eq!(
        ask(&gateway, &Signed::new().by(&signer)),
        "http_signature.invalid"
    );
}

#[test]
fn a_signature_has_its_time() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, ", max_age: 1m, leeway: 2s");
    for (params, expected) in [
        (format!(";created={};keyid=\"k1\"", AT - 61), ""),
        (
            format!(";created={};keyid=\"k1\"", AT - 62),
            "http_signature.expired",
        ),
        (format!(";created={};keyid=\"k1\"", AT + 2), ""),
        (
            format!(";created={};keyid=\"k1\"", AT + 3),
            "http_signature.not_yet_valid",
        ),
        (
            format!(";created={};expires={};keyid=\"k1\"", AT - 9, AT - 1),
            "",
        ),
        (
            format!(";created={};expires={};keyid=\"k1\"", AT - 9, AT - 2),
            "http_signature.expired",
        ),
        (
            format!(";created={};expires={};keyid=\"k1\"", AT - 99, AT + 99),
            "http_signature.expired",
        ),
        (";keyid=\"k1\"".to_owned(), "http_signature.malformed"),
        (
            ";created=-1;keyid=\"k1\"".to_owned(),
            "http_signature.malformed",
        ),
        (
            format!(";created=\"{AT}\";keyid=\"k1\""),
            "http_signature.malformed",
        ),
        (format!(";created={AT}"), "http_signature.malformed"),
    ] {
        let signed = Signed::new().params(&params).by(&signer);
        assert_eq!(ask(&gateway, &signed), expected, "{params}");
    }
}

#[test]
fn everything_demanded_must_be_signed() {
    let signer = Signer::new("EdDSA");
    let parts = [
        ("@method", "POST"),
        ("@authority", "localhost"),
        ("@path", "/orders/7"),
        ("@query", "?a=1"),
    ];
    let whole = [
        ("@method", "POST"),
        ("@target-uri", "http://localhost/orders/7?a=1"),
    ];
    let all = ", components: [\"@method\", \"@authority\", \"@path\", \"@query\"]";
    for (settings, components, expected) in [
        (all, &parts[..], ""),
        (all, &whole[..], ""),
        (all, &parts[..3], "http_signature.component_missing"),
        ("", &parts[..], "http_signature.component_missing"),
        ("", &[][..], "http_signature.component_missing"),
        (
            ", components: [\"x-amount\"]",
            &whole[..],
            "http_signature.component_missing",
        ),
        (
            ", components: [\"x-amount\"]",
            &[("x-amount", "7, 8")][..],
            "",
        ),
    ] {
        let signed = Signed::new()
            .components(components)
            .field("X-Amount", "7")
            .field("X-Amount", "8");
        let gateway = gateway(&signer, settings);
        assert_eq!(
            ask(&gateway, &signed.by(&signer)),
            expected,
            "{settings} {components:?}"
        );
    }
}

#[test]
fn a_port_is_part_of_the_authority_unless_it_is_the_usual_one() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, ", components: [\"@authority\"]");
    for (host, authority, expected) in [
        ("localhost:8080", "localhost:8080", ""),
        ("LocalHost:80", "localhost", ""),
        ("localhost:8080", "localhost", "http_signature.invalid"),
    ] {
        let signed = Signed::new()
            .components(&[("@authority", authority)])
            .field("Host", host);
        assert_eq!(ask(&gateway, &signed.by(&signer)), expected, "{host}");
    }
}

#[test]
fn a_body_must_match_its_signed_digest() {
    let signer = Signer::new("EdDSA");
    let both = format!("{}, unknown=:AAAA:", sha256(BODY));
    for (settings, signed, expected) in [
        ("", Signed::new().body(BODY, &sha256(BODY)), ""),
        ("", Signed::new().body(BODY, &both), ""),
        (
            "",
            Signed::new().body(BODY, &sha256("{}")),
            "http_signature.wrong_digest",
        ),
        (
            "",
            Signed::new().body(BODY, "sha-256=:AAAA:"),
            "http_signature.wrong_digest",
        ),
        (
            "",
            Signed::new().body(BODY, "md5=:AAAA:"),
            "http_signature.malformed",
        ),
        (
            "",
            Signed::new().body(BODY, "sha-256=7"),
            "http_signature.malformed",
        ),
        (
            ", max_body: 4B",
            Signed::new().body(BODY, &sha256(BODY)),
            "request.body_too_large",
        ),
        (
            "",
            Signed {
                body: Some(BODY),
                ..Signed::new()
            },
            "http_signature.component_missing",
        ),
        (
            "",
            Signed {
                body: Some(""),
                ..Signed::new()
            },
            "",
        ),
        (
            ", require_digest: false",
            Signed {
                body: Some(BODY),
                ..Signed::new()
            },
            "",
        ),
        // What is signed is checked, demanded or not.
        (
            ", require_digest: false",
            Signed::new().body(BODY, &sha256("{}")),
            "http_signature.wrong_digest",
        ),
    ] {
        let gateway = gateway(&signer, settings);
        assert_eq!(
            ask(&gateway, &signed.by(&signer)),
            expected,
            "{settings} {:?}",
            signed.fields
        );
    }
}

#[test]
fn what_cannot_be_read_or_checked_is_malformed() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, "");
    let good = Signed::new().by(&signer);
    let change = |name: &str, change: &dyn Fn(&str) -> String| {
        let mut request = good.clone();
        for (found, value) in &mut request.headers {
            if found == name {
                *value = change(value);
            }
        }
        ask(&gateway, &request)
    };
    let malformed = "http_signature.malformed";
    for (from, to) in [
        ("(\"@method\"", "(\"@method\" \"@method\""),
        ("\"@method\"", "\"@method\";sf"),
        ("\"@method\"", "\"@request-target\""),
        ("\"@method\"", "\"Date\""),
        ("\"@method\"", "method"),
        ("sig=(", "sig=(("),
        ("sig=", "other="),
    ] {
        assert_eq!(
            change("Signature-Input", &|text| text.replace(from, to)),
            malformed,
            "{to}"
        );
    }
    assert_eq!(change("Signature", &|_| "sig=7".into()), malformed);
    assert_eq!(change("Signature", &|_| "sig".into()), malformed);
    assert_eq!(
        change("Signature-Input", &|text| format!(
            "{text}, two={}",
            &text[4..]
        )),
        malformed
    );
    let mut half = good.clone();
    half.headers.retain(|(name, _)| name != "Signature");
    assert_eq!(ask(&gateway, &half), malformed);
}

#[test]
fn a_tag_chooses_among_several_signatures() {
    let signer = Signer::new("EdDSA");
    let gateway = gateway(&signer, ", tag: pay");
    let mut request = Signed::new()
        .params(&format!(";created={AT};keyid=\"k1\";tag=\"pay\""))
        .by(&signer);
    request.headers.push((
        "Signature-Input".into(),
        "proxy=(\"@method\");created=1;keyid=\"p\";tag=\"hop\"".into(),
    ));
    request
        .headers
        .push(("Signature".into(), "proxy=:AAAA:".into()));
    assert_eq!(ask(&gateway, &request), "");
    let untagged = Signed::new().by(&signer);
    assert_eq!(ask(&gateway, &untagged), "http_signature.missing");
}

#[test]
fn keys_of_the_policy_stand_in_place_of_those_of_applications() {
    let (listed, own) = (Signer::new("ES256"), Signer::new("EdDSA"));
    let settings = format!(", keys: [{}]", key(&own, "ed25519"));
    let text = gateway_with(&key(&listed, "ecdsa-p256-sha256"), &settings);
    assert_eq!(
        ask(&text, &Signed::new().by(&listed)),
        "http_signature.invalid"
    );
    // A key may stand in the document itself. Known by its key alone, the caller has no plan.
    let pem = std::fs::read_to_string(own.pem())
        .unwrap()
        .replace('\n', "");
    let text = text.replace(&own.pem(), &format!("\"{pem}\""));
    assert_eq!(ask(&text, &Signed::new().by(&own)), "require.plan");
}

#[test]
fn bad_settings_and_keys_say_what_to_write() {
    let signer = Signer::new("EdDSA");
    let pem = signer.pem();
    for (settings, expected) in [
        (", components: []", "the list is empty"),
        (
            ", components: [\"@metod\"]",
            "unknown component `@metod`; did you mean `@method`?",
        ),
        (
            ", components: [Date]",
            "`Date` is not a field name in lower case; write a name such as `content-type`",
        ),
        (
            ", max_age: 2d",
            "`2d` is longer than 1d; write at most `1d`",
        ),
        (", leeway: 10m", "`10m` is longer than 5m"),
        (", max_body: 1GiB", "`1GiB` is more than 64MiB"),
        (", tag: \"\"", "the text is empty"),
        (", keys: []", "the list is empty"),
        (", max_aeg: 1m", "did you mean `max_age`?"),
    ] {
        let found = messages(&gateway(&signer, settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
    for (key, expected) in [
        (
            format!("{{ id: k, algorithm: ed25591, public_key: {pem} }}"),
            "did you mean `ed25519`?",
        ),
        (
            format!("{{ id: k, algorithm: rsa-pss-sha512, public_key: {pem} }}"),
            "has no public key for `rsa-pss-sha512`; write the key in PEM form",
        ),
        (
            format!("{{ id: k, algorithm: ecdsa-p256-sha256, public_key: {pem} }}"),
            "has no public key for `ecdsa-p256-sha256`",
        ),
        (
            "{ id: k, algorithm: ed25519, public_key: none.pem }".into(),
            "the file `none.pem` cannot be read",
        ),
        (
            "{ id: k, algorithm: ed25519 }".into(),
            "a key for `ed25519` needs `public_key` alone",
        ),
        (
            format!("{{ id: k, algorithm: hmac-sha256, public_key: {pem} }}"),
            "a key for `hmac-sha256` needs `secret` alone",
        ),
        (
            format!(
                "{{ id: k, algorithm: ed25519, public_key: {pem} }}, {{ id: k, algorithm: ed25519, public_key: {pem} }}"
            ),
            "the key id `k` stands twice",
        ),
        (
            String::new(),
            "no key can check signatures; give an application `signature_keys`",
        ),
    ] {
        let found = messages(&gateway_with(&key, "").replace("signature_keys: [], ", ""));
        assert!(found.contains(expected), "{key}: {found}");
    }
    let short = format!(
        "{{ id: k, algorithm: hmac-sha256, secret: \"${{file:{}}}\" }}",
        kept("short")
    );
    let source = Source::text("gateway.yaml", gateway_with(&short, ""));
    let problems = Revision::compile(load_document(&source).unwrap(), Secrets::Read)
        .err()
        .unwrap();
    assert!(
        problems[0]
            .to_string()
            .contains("the secret has fewer than 32 bytes")
    );
}
