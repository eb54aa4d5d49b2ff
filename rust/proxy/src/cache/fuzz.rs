use http::Method;
use lockgate_fuzzing::near;

use http::{HeaderName, HeaderValue};

use crate::body::Bounds;
use crate::forward::Fields;

use super::*;

/// Fields of a request, an empty line, fields of its answer.
const SEEDS: &[&str] = &[
    "accept: a\n\ncache-control: max-age=60, public\netag: \"a\"",
    "authorization: Bearer x\n\ncache-control: max-age=60, s-maxage=5",
    "cache-control: no-store\n\ncache-control: max-age=60",
    "accept: a\n\ncache-control: private, max-age=60\nvary: accept",
    "accept: a\n\nexpires: Thu, 01 Jan 2099 00:00:00 GMT\npragma: no-cache",
];
const WORDS: &[&str] = &[
    "\n",
    ",",
    ";",
    "=",
    "\"",
    "no-store",
    "private",
    "NO-STORE",
    "Private",
    "max-age=60",
    "max-age=",
    "max-age=99999999999999999999",
    "max-age=-1",
    "s-maxage=0",
    "vary: *\n",
    "set-cookie: a=b\n",
    "age: 18446744073709551615\n",
    "must-revalidate",
    "stale-while-revalidate=9",
    "\u{ff}",
    "authorization: x\n",
    "public",
];

fn fields(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split('\n') {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_bytes(value.trim().as_bytes()),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

/// Whether a directive of this name stands there, as a reader finds it who takes no notice of quotes and of letter case.
fn says(headers: &HeaderMap, word: &str) -> bool {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|directive| {
            let name = directive.split(|byte| *byte == b'=').next().unwrap();
            name.trim_ascii().eq_ignore_ascii_case(word.as_bytes())
        })
}

#[test]
fn an_answer_is_kept_only_when_it_and_the_request_allow_that_for_everyone() {
    let rule = Arc::new(CacheRule {
        fresh: Duration::from_secs(30),
        stale: Duration::ZERO,
        stale_on_error: Duration::ZERO,
        ignore_cookies: false,
        up_to: 1_000,
        tags: Vec::new(),
    });
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let text = input.text();
            let (request, answer) = text.split_once("\n\n").unwrap_or((&text, ""));
            let prepared = Prepared {
                method: Method::GET,
                fields: Fields::Made(HeaderMap::new()),
                path: "/a".parse().unwrap(),
                key: None,
                authority: "a".parse().ok(),
                bounds: Bounds::pauses(Duration::from_secs(1)),
                permits: Vec::new(),
                since: tokio::time::Instant::now(),
                cache: None,
            };
            let asked = fields(request);
            let fetch = Fetch::new("a".into(), (prepared, fields(request)), rule.clone(), None);
            let (mut head, ()) = Response::new(()).into_parts();
            head.headers = fields(answer);
            let now = SystemTime::now();
            let Some(policy) = fetch.may_keep(&head, now) else {
                return;
            };
            assert!(!head.headers.contains_key(header::SET_COOKIE));
            for headers in [&asked, &head.headers] {
                assert!(!says(headers, "no-store"));
            }
            assert!(!says(&head.headers, "private"));
            let shared = ["public", "must-revalidate", "s-maxage"];
            assert!(
                !asked.contains_key(header::AUTHORIZATION)
                    || shared.iter().any(|word| says(&head.headers, word)),
                "kept for all although one was authorised (RFC 9111 §3.5)"
            );
            assert!(!policy.time_to_live(now).is_zero());
        });
}
