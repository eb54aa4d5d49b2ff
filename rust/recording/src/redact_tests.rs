use proptest::prelude::*;
use serde_json::json;

use super::*;

fn redactor() -> Redactor {
    Redactor::new([7; 32], ["x-partner-pin"])
}

fn written(event: &Event) -> String {
    let mut event = event.clone();
    redactor().redact(&mut event);
    serde_json::to_string(&event).unwrap()
}

fn header(name: &str, value: &str) -> String {
    let mut event = Event {
        headers: [(name, value)].into_iter().collect(),
        ..Event::default()
    };
    redactor().redact(&mut event);
    event.headers.get(name).unwrap().to_owned()
}

fn query(text: &str) -> String {
    let mut event = Event {
        query: Some(text.into()),
        ..Event::default()
    };
    redactor().redact(&mut event);
    event.query.unwrap().to_string()
}

fn body(text: &str) -> Option<String> {
    let mut event = Event {
        body: Some(text.into()),
        ..Event::default()
    };
    redactor().redact(&mut event);
    event.body.map(|body| body.to_string())
}

fn hash(credential: &str) -> String {
    redactor().hash(credential)
}

#[test]
fn a_hash_is_keyed_short_and_stable() {
    assert_eq!(hash("s3cret"), hash("s3cret"));
    assert_ne!(
        hash("s3cret"),
        Redactor::new([8; 32], [""; 0]).hash("s3cret")
    );
    assert_eq!(hash("s3cret").len(), "hmac-sha256:".len() + 16);
    assert_eq!(hash(&hash("s3cret")), hash("s3cret"));
}

#[test]
fn the_hash_is_hmac_sha256_of_the_sha256_that_directories_hold() {
    let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(b"s3cret").into();
    assert_eq!(redactor().mark(&digest), hash("s3cret"));
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::Mac>::new_from_slice(&[7; 32]).unwrap();
    hmac::Mac::update(&mut mac, &digest);
    let bytes = hmac::Mac::finalize(mac).into_bytes();
    let digits: String = bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash("s3cret"), format!("hmac-sha256:{digits}"));
}

#[test]
fn authorization_keeps_its_scheme_only() {
    assert_eq!(
        header("Authorization", "Bearer s3cret"),
        format!("Bearer {}", hash("s3cret"))
    );
    assert_eq!(
        header("proxy-authorization", "Basic  dTpw"),
        format!("Basic {}", hash("dTpw"))
    );
    assert_eq!(
        header("X-Forwarded-Authorization", "s3cret"),
        hash("s3cret")
    );
    assert_eq!(
        header("authorization", "s3cret more"),
        hash("s3cret more"),
        "the first word may be the secret"
    );
}

#[test]
fn cookies_keep_their_names() {
    assert_eq!(
        header("Cookie", "a=1; sid=s3cret;b"),
        format!("a={}; sid={}; {}", hash("1"), hash("s3cret"), hash("b"))
    );
    assert_eq!(
        header("set-cookie", "sid=s3cret; Path=/; HttpOnly; odd=s3cret"),
        format!(
            "sid={}; Path=/; HttpOnly; odd={}",
            hash("s3cret"),
            hash("s3cret")
        )
    );
}

#[test]
fn fields_named_like_credentials_are_hashed_and_others_stay() {
    assert_eq!(header("X-API-KEY", "s3cret"), hash("s3cret"));
    assert_eq!(header("X-Partner-Pin", "4711"), hash("4711"));
    for (name, value) in [
        ("accept", "text/html;q=0.9,*/*;q=0.8"),
        ("user-agent", "curl/8.5.0"),
        ("if-none-match", "\"abc=\""),
        ("referer", "https://a.example/x?page=2#top"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ] {
        assert_eq!(header(name, value), value);
    }
}

#[test]
fn a_credential_in_the_url_of_a_field_is_hashed() {
    assert_eq!(
        header("Referer", "https://a/cb?x=1&code_token=s3cret"),
        format!("https://a/cb?x=1&code_token={}", hash("s3cret"))
    );
    assert_eq!(
        header("Location", "https://a/cb#access_token=s3cret"),
        format!("https://a/cb#access_token={}", hash("s3cret"))
    );
    assert_eq!(
        header("Origin", "https://u:s3cret@a"),
        format!("https://u:{}@a", hash("s3cret"))
    );
}

#[test]
fn query_parameters_are_hashed_by_their_decoded_name() {
    assert_eq!(
        query("a=1&token=s3cret&b=2"),
        format!("a=1&token={}&b=2", hash("s3cret"))
    );
    for name in [
        "t%6Fken",
        "%74oken",
        "TOKEN",
        "t%256Fken",
        "api%5Fkey",
        "a;token",
        "session+id",
    ] {
        assert!(
            !query(&format!("{name}=s3cret;tail&b=2")).contains("s3cret"),
            "{name}"
        );
        assert!(
            !query(&format!("{name}=s3cret;tail")).contains("tail"),
            "{name}"
        );
    }
    assert_eq!(query("q=a%20b&page=2&x"), "q=a%20b&page=2&x");
}

#[test]
fn the_same_credential_has_one_hash_wherever_it_is_sent() {
    assert!(query("token=s3cret%2F1").ends_with(&hash("s3cret/1")));
    assert!(header("x-api-key", "s3cret/1").ends_with(&hash("s3cret/1")));
}

#[test]
fn credentials_within_encoded_values_are_found() {
    for text in [
        "next=https%3A%2F%2Fa%2Fcb%3Ftoken%3Ds3cret",
        "filter=%7B%22password%22%3A%22s3cret%22%7D",
        "filter={\"password\":\"s3cret\"}",
        "deep=a%253Ftoken%253Ds3cret",
    ] {
        assert!(
            !query(text).contains("s3cret"),
            "{} from {text}",
            query(text)
        );
    }
}

#[test]
fn a_path_keeps_its_segments_but_no_credential() {
    let mut event = Event {
        path: "/a;jsessionid=s3cret/b/lg_0123456789/c".into(),
        ..Event::default()
    };
    redactor().redact(&mut event);
    assert_eq!(
        &*event.path,
        format!(
            "/a;jsessionid={}/b/{}/c",
            hash("s3cret"),
            hash("lg_0123456789")
        )
    );
}

#[test]
fn members_of_json_bodies_are_hashed_by_name_at_any_depth() {
    let text = json!({"user": "a", "password": "s3cret", "list": [{"api_key": ["s3cret", 4711]}], "note": "{\"token\":\"s3cret\"}"});
    let masked = body(&text.to_string()).unwrap();
    assert!(
        !masked.contains("s3cret") && !masked.contains("4711") && masked.contains("\"user\":\"a\""),
        "{masked}"
    );
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&masked).unwrap()["list"][0]["api_key"][0],
        hash("s3cret")
    );
}

#[test]
fn a_json_body_without_credentials_stays_to_the_letter() {
    for text in [
        "{ \"a\" : 1.00 }",
        "[]",
        "3",
        "\"hello\"",
        "{\"prompt\":\"my session was fine?\"}",
    ] {
        let masked = body(text).unwrap();
        assert!(masked == text || text.contains("session"), "{masked}");
    }
}

#[test]
fn an_earlier_member_of_the_same_name_is_not_written() {
    assert!(
        !body(r#"{"a":{"password":"s3cret"},"a":1}"#)
            .unwrap()
            .contains("s3cret")
    );
    assert!(
        !body("{\"a\":{\"pass\\u0077ord\":\"s3cret\"},\"a\":1}")
            .unwrap()
            .contains("s3cret")
    );
}

#[test]
fn counts_of_language_model_tokens_stay_but_strings_under_such_names_do_not() {
    assert_eq!(
        body(r#"{"max_tokens":256}"#).unwrap(),
        r#"{"max_tokens":256}"#
    );
    assert!(
        !body(r#"{"max_tokens":"s3cret"}"#)
            .unwrap()
            .contains("s3cret")
    );
    assert!(!body(r#"{"token":4711}"#).unwrap().contains("4711"));
}

#[test]
fn form_bodies_are_hashed_by_name() {
    assert_eq!(
        body("user=a&pass%77ord=s3cret").unwrap(),
        format!("user=a&pass%77ord={}", hash("s3cret"))
    );
}

#[test]
fn a_text_that_speaks_of_credentials_is_dropped_and_counted() {
    let redactor = redactor();
    let bad = [
        "<a><password>s3cret</password></a>",
        "{\"password\": \"s3cret\", ",
        "{\"pass\\u0077ord\": \"s3",
        "name=\"token\"\r\n\r\ns3cret",
    ];
    for text in bad {
        let mut event = Event {
            body: Some(text.into()),
            ..Event::default()
        };
        redactor.redact(&mut event);
        assert_eq!((event.body, event.body_truncated), (None, true), "{text}");
    }
    assert_eq!(redactor.bodies_dropped(), 4);
    assert_eq!(body("<order>7</order>").unwrap(), "<order>7</order>");
}

#[test]
fn a_key_that_the_limit_cut_through_is_not_written() {
    let mut event = Event {
        body: Some("here it comes: sk-0123".into()),
        body_truncated: true,
        ..Event::default()
    };
    redactor().redact(&mut event);
    assert_eq!(event.body.as_deref(), Some("here it comes: "));
}

#[test]
fn claims_and_facts_lose_strings_but_keep_numbers() {
    let mut event = Event {
        claims: Some(Arc::new(
            json!({"iss": "https://i.example", "session_state": "s3cret", "token_ttl": 60}),
        )),
        facts: vec![Arc::new(
            json!({"kind": "introspection", "token": "s3cret", "answer": {"active": true}}),
        )],
        ..Event::default()
    };
    redactor().redact(&mut event);
    let text = serde_json::to_string(&event).unwrap();
    assert!(!text.contains("s3cret"));
    assert!(
        text.contains("\"token_ttl\":60")
            && text.contains("https://i.example")
            && text.contains("\"active\":true")
    );
}

#[test]
fn the_debug_form_shows_no_key() {
    assert_eq!(
        format!("{:?}", redactor()),
        "Redactor { bodies_dropped: 0, .. }"
    );
}

fn plant(place: usize, secret: &str) -> Event {
    let mut event = Event::default();
    let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    match place {
        0 => event
            .headers
            .push("Authorization", &format!("Bearer {secret}")),
        1 => event.headers.push("Cookie", &format!("a=b; c={secret}")),
        2 => event.headers.push("x-auth-token", secret),
        3 => event.query = Some(format!("a=b&client_secret={secret}&c=d").into()),
        4 => event.query = Some(format!("a=b&t%6Fken={encoded}").into()),
        5 => event.body = Some(json!({"a": [{"passwd": secret}]}).to_string().into()),
        6 => event.body = Some(format!("a=b&session_id={secret}").into()),
        7 => event.body = Some(format!("<token>{secret}</token>").into()),
        8 => event.path = format!("/a;token={secret}/b").into(),
        9 => event.claims = Some(Arc::new(json!({"sessionToken": {"x": [secret]}}))),
        10 => event
            .headers
            .push("referer", &format!("https://h/?x=1&signature={secret}")),
        11 => event.path = format!("/keys/lg_{secret}").into(),
        12 => event.query = Some(format!("x=sk-{secret}").into()),
        13 => event
            .headers
            .push("x-note", &format!("see eyJ{secret}.eyJ{secret}.{secret}")),
        14 => {
            event.body = Some(
                json!({"n": format!("AKIA{}", secret.to_ascii_uppercase())})
                    .to_string()
                    .into(),
            )
        }
        15 => {
            event.body = Some(
                format!("a -----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----")
                    .into(),
            )
        }
        16 => event.query = Some(format!("n=%65yJ{secret}.{secret}.{secret}").into()),
        _ => {
            event.body = Some(
                json!({"inner": json!({"secret": secret}).to_string()})
                    .to_string()
                    .into(),
            )
        }
    }
    event
}

proptest! {
    #[test]
    fn a_planted_secret_is_never_written(secret in "[a-z0-9]{20,40}", place in 0usize..18) {
        let text = written(&plant(place, &secret)).to_ascii_lowercase();
        prop_assert!(!text.contains(&secret), "{place}: {text}");
        let encoded: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        prop_assert!(!text.contains(&encoded), "{place}: {text}");
    }

    #[test]
    fn redacting_twice_changes_nothing(secret in "[a-z0-9]{20,40}", place in 0usize..18) {
        let mut once = plant(place, &secret);
        redactor().redact(&mut once);
        let mut twice = once.clone();
        redactor().redact(&mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn any_text_anywhere_is_redacted_without_a_panic(text in "\\PC{0,60}|[a-z%=&;?{}\\[\\]\":,.\\\\-]{0,60}") {
        let mut event = Event {
            path: text.as_str().into(),
            query: Some(text.as_str().into()),
            body: Some(text.as_str().into()),
            headers: [("cookie", &text), ("set-cookie", &text), ("authorization", &text), (text.as_str(), &text)].into_iter().collect(),
            ..Event::default()
        };
        redactor().redact(&mut event);
    }
}
