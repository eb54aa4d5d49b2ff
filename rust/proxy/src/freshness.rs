//! What answers and requests say to a cache (RFC 9111, RFC 5861), where the library that judges freshness leaves it to its user.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use lockgate_policy::CacheRule;

/// How long an answer past its time may still be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// While a new one is fetched.
    pub while_asking: Duration,
    /// When its service cannot answer.
    pub on_error: Duration,
}

impl Stale {
    /// What an answer says itself comes first (RFC 5861 §3 and §4), and the document speaks where it is silent. An answer that must be
    /// validated is never given past its time, whatever the document says (RFC 9111 §4.2.4).
    pub fn of(headers: &HeaderMap, rule: &CacheRule) -> Self {
        let says = |name: &str| directives(headers).any(|directive| directive.0 == name);
        let own = |name: &str| {
            let seconds = directives(headers).find(|directive| directive.0 == name)?.1;
            Some(seconds.map_or(Duration::ZERO, Duration::from_secs))
        };
        if ["must-revalidate", "proxy-revalidate", "no-cache"]
            .iter()
            .any(|name| says(name))
        {
            return Self {
                while_asking: Duration::ZERO,
                on_error: Duration::ZERO,
            };
        }
        // `s-maxage` forbids it as well, unless the service says in words that it does not (RFC 9111 §5.2.2.10).
        let unless_said = |granted: Duration| {
            if says("s-maxage") {
                Duration::ZERO
            } else {
                granted
            }
        };
        Self {
            while_asking: own("stale-while-revalidate").unwrap_or_else(|| unless_said(rule.stale)),
            on_error: own("stale-if-error").unwrap_or_else(|| unless_said(rule.stale_on_error)),
        }
    }
}

/// Puts `Cache-Control` in the form that the library reads: names are the same in every case (RFC 9111 §5.2), and a line that is no
/// text may say anything, so it says `no-store`.
pub fn read_directives(headers: &mut HeaderMap) {
    let lower =
        |line: &HeaderValue| HeaderValue::try_from(line.to_str().ok()?.to_ascii_lowercase()).ok();
    let lines: Vec<HeaderValue> = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .map(|line| lower(line).unwrap_or(HeaderValue::from_static("no-store")))
        .collect();
    headers.remove(header::CACHE_CONTROL);
    for line in lines {
        headers.append(header::CACHE_CONTROL, line);
    }
}

/// The directives with the seconds that they name, once [`read_directives`] has put them in their form.
pub fn directives(headers: &HeaderMap) -> impl Iterator<Item = (&str, Option<u64>)> {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|directive| {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            (name.trim(), value.trim().trim_matches('"').parse().ok())
        })
}

/// Whether a request asks for a whole answer, which a cache may have. A range is a part; conditions on what is changed are for the
/// service (RFC 9111 §4.3.2); and a body may say anything about what is asked for, which is no part of what an answer is kept under.
pub fn asks_for_whole(method: &Method, headers: &HeaderMap, has_body: bool) -> bool {
    let for_service = [header::RANGE, header::IF_MATCH, header::IF_UNMODIFIED_SINCE];
    *method == Method::GET
        && !has_body
        && !for_service.iter().any(|name| headers.contains_key(name))
}

/// Whether the service has failed for a cache (RFC 5861 §4).
pub fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// The fields of an answer after its service said that it has not changed (RFC 9111 §3.2): what is said now takes the place of what
/// was, but for what speaks of a body that was not sent, and what is for one caller.
pub fn freshened(known: &HeaderMap, said: &HeaderMap) -> HeaderMap {
    let stays = |name: &HeaderName| {
        [
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
            header::CONTENT_RANGE,
            header::CONTENT_TYPE,
            header::SET_COOKIE,
        ]
        .contains(name)
    };
    let mut fields = known.clone();
    for name in said.keys().filter(|name| !stays(name)) {
        fields.remove(name);
        for value in said.get_all(name) {
            fields.append(name, value.clone());
        }
    }
    fields
}

/// Events are for whoever listens now; waiting for their end would keep them from everyone.
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with(b"text/event-stream"))
}

/// What a caller says that it already has.
#[derive(Debug, Default)]
pub struct Known {
    tags: Option<HeaderValue>,
    since: Option<HeaderValue>,
}

impl Known {
    /// Takes it out of a request, which is then for whoever asks the same.
    pub fn take(headers: &mut HeaderMap) -> Self {
        Self {
            tags: headers.remove(header::IF_NONE_MATCH),
            since: headers.remove(header::IF_MODIFIED_SINCE),
        }
    }

    /// Whether it is this answer (RFC 9110 §13.2.2).
    pub fn is(&self, headers: &HeaderMap) -> bool {
        match (&self.tags, &self.since) {
            (Some(known), _) => headers
                .get(header::ETAG)
                .is_some_and(|tag| matches_tag(known, tag)),
            (None, Some(since)) => headers.get(header::LAST_MODIFIED).is_some_and(|changed| {
                time(changed)
                    .zip(time(since))
                    .is_some_and(|(changed, since)| changed <= since)
            }),
            (None, None) => false,
        }
    }
}

fn time(value: &HeaderValue) -> Option<jiff::Timestamp> {
    let zoned = jiff::fmt::rfc2822::parse(value.to_str().ok()?).ok()?;
    Some(zoned.timestamp())
}

/// RFC 9110 §13.1.2, by weak comparison.
fn matches_tag(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else {
        return false;
    };
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    known.trim() == "*" || known.split(',').any(|one| strong(one) == strong(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_an_answer_says_of_its_time_comes_before_the_document_and_must_is_must() {
        let rule = CacheRule {
            fresh: Duration::ZERO,
            stale: Duration::from_secs(60),
            stale_on_error: Duration::from_secs(600),
            ignore_cookies: false,
            up_to: 1,
            tags: Vec::new(),
        };
        for (said, while_asking, on_error) in [
            ("max-age=1", 60, 600),
            ("max-age=1, stale-while-revalidate=5", 5, 600),
            ("max-age=1, stale-if-error=\"7\"", 60, 7),
            ("max-age=1, stale-if-error=soon", 60, 0),
            ("s-maxage=1", 0, 0),
            ("s-maxage=1, stale-while-revalidate=5", 5, 0),
            ("max-age=1, must-revalidate, stale-if-error=7", 0, 0),
            ("max-age=1, proxy-revalidate", 0, 0),
        ] {
            let stale = Stale::of(&headers(&[("cache-control", said)]), &rule);
            let seconds = (stale.while_asking.as_secs(), stale.on_error.as_secs());
            assert_eq!(seconds, (while_asking, on_error), "{said}");
        }
    }

    #[test]
    fn a_cache_answers_whole_answers_to_requests_without_conditions_on_changes() {
        let asks = |method: Method, pairs: &[(&'static str, &'static str)], body| {
            asks_for_whole(&method, &headers(pairs), body)
        };
        assert!(asks(Method::GET, &[("if-none-match", "\"a\"")], false));
        assert!(!asks(Method::GET, &[], true));
        assert!(!asks(Method::HEAD, &[], false));
        for name in ["range", "if-match", "if-unmodified-since"] {
            assert!(!asks(Method::GET, &[(name, "x")], false), "{name}");
        }
    }

    #[test]
    fn an_answer_that_has_not_changed_keeps_what_speaks_of_its_body_and_takes_the_rest_whole() {
        let known = headers(&[
            ("content-type", "text/plain"),
            ("content-length", "4"),
            ("link", "<a>"),
            ("link", "<b>"),
            ("etag", "\"1\""),
            ("x-old", "1"),
        ]);
        let said = headers(&[
            ("content-type", "text/html"),
            ("content-length", "0"),
            ("link", "<c>"),
            ("link", "<d>"),
            ("set-cookie", "session=somebody"),
            ("etag", "\"1\""),
        ]);
        let after = freshened(&known, &said);
        let all = |name: &str| -> Vec<&str> {
            after
                .get_all(name)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .collect()
        };
        assert_eq!(all("content-type"), ["text/plain"]);
        assert_eq!(all("content-length"), ["4"]);
        assert_eq!(all("link"), ["<c>", "<d>"]);
        assert_eq!(all("x-old"), ["1"]);
        assert!(all("set-cookie").is_empty());
        assert_eq!(
            freshened(&known, &HeaderMap::new())
                .get_all("link")
                .iter()
                .count(),
            2
        );
    }

    #[test]
    fn a_caller_has_an_answer_by_its_tag_or_else_by_its_time() {
        let answer = headers(&[
            ("etag", "\"1\""),
            ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        let has =
            |pairs: &[(&'static str, &'static str)]| Known::take(&mut headers(pairs)).is(&answer);
        let (before, after) = (
            "Sun, 06 Nov 1994 08:49:36 GMT",
            "Mon, 07 Nov 1994 08:49:37 GMT",
        );
        assert!(has(&[("if-none-match", "\"0\", W/\"1\"")]));
        assert!(has(&[("if-none-match", "*")]));
        assert!(has(&[("if-modified-since", after)]));
        assert!(has(&[(
            "if-modified-since",
            "Sun, 06 Nov 1994 08:49:37 GMT"
        )]));
        assert!(!has(&[("if-modified-since", before)]));
        assert!(!has(&[("if-modified-since", "yesterday")]));
        assert!(!has(&[
            ("if-none-match", "\"2\""),
            ("if-modified-since", after)
        ]));
        assert!(!has(&[]));
    }
}
