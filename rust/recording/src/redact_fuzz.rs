use lockgate_fuzzing::near;

use super::*;

/// It has no shape of its own: only its place tells that it is a credential.
const SECRET: &str = "correct horse battery staple 4711";
const SEEDS: &[&str] = &[
    "a=1&b=2",
    "/orders/7",
    r#"{"user":{"name":"x","n":[1,2]}}"#,
    "name=x; other=y",
    "plain text, with a comma",
];
const WORDS: &[&str] = &[
    "&",
    "=",
    ";",
    ",",
    "/",
    "?",
    "#",
    "%",
    "%3d",
    "%26",
    "%25",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0022",
    "password",
    "token",
    "api_key=",
    "Bearer ",
    "Basic ",
    "lg_live_key_1234567890",
    "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
    "hmac-sha256:0123456789abcdef",
    "-----BEGIN PRIVATE KEY-----",
    "://a:b@",
    " ",
    "\n",
    "\u{e9}",
    "\u{212a}",
];

fn text(event: &Event) -> String {
    serde_json::to_string(event).unwrap()
}

#[test]
fn a_credential_in_its_place_is_gone_whatever_stands_around_it() {
    let redactor = Redactor::new([7; 32], ["x-pin"]);
    let encoded = SECRET.replace(' ', "%20");
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let around = input.text();
            let mut event = Event {
                path: format!("/{around}").into(),
                query: Some(format!("api_key={encoded}&{around}").into()),
                body: Some(
                    serde_json::json!({ "a": around, "password": SECRET })
                        .to_string()
                        .into(),
                ),
                ..Event::default()
            };
            event.headers.push("content-type", "application/json");
            event.headers.push("x-pin", SECRET);
            event.headers.push("x-around", &around);
            event
                .headers
                .push("authorization", &format!("Basic {SECRET}"));
            event
                .headers
                .push("cookie", &format!("session={SECRET}; {around}"));
            redactor.redact(&mut event);
            let once = text(&event);
            assert!(!once.contains(SECRET) && !once.contains(&encoded), "{once}");
            // What a first pass wrote is no way back for a second, which may take more for a credential than the first.
            redactor.redact(&mut event);
            assert!(!text(&event).contains(SECRET));
        });
}

#[test]
fn a_token_that_stands_as_a_word_is_gone() {
    let redactor = Redactor::new([7; 32], [""; 0]);
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let around = input.text();
            let mut event = Event {
                path: format!("/{around} {token}").into(),
                query: Some(format!("{around}&x={token}").into()),
                host: format!("{around} {token}").into(),
                body: Some(format!("{around} {token} {around}").into()),
                ..Event::default()
            };
            event.headers.push("x-note", &format!("{around} {token}"));
            redactor.redact(&mut event);
            let written = text(&event);
            assert!(!written.contains("c2lnbmF0dXJlLXNpZ25hdHVyZQ"), "{written}");
        });
}
