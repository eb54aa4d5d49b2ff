use http::Method;
use http::header::HeaderValue;

use crate::body::Bounds;
use crate::forward::Fields;

use super::*;

/// An answer to a request without fields, kept under a rule.
fn kept(said: &'static str, age: &'static str, now: SystemTime) -> Arc<Kept> {
    let rule = Arc::new(CacheRule {
        fresh: Duration::ZERO,
        stale: Duration::from_secs(30),
        stale_on_error: Duration::from_secs(300),
        ignore_cookies: false,
        up_to: 1_000,
        tags: Vec::new(),
    });
    let prepared = Prepared {
        method: Method::GET,
        fields: Fields::Made(HeaderMap::new()),
        path: "/a".parse().unwrap(),
        key: None,
        authority: None,
        bounds: Bounds::pauses(Duration::from_secs(1)),
        permits: Vec::new(),
        since: tokio::time::Instant::now(),
        cache: None,
    };
    let fetch = Fetch::new("a".into(), (prepared, HeaderMap::new()), rule, None);
    let (mut head, ()) = Response::new(()).into_parts();
    let fields = &mut head.headers;
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(said));
    fields.insert(header::AGE, HeaderValue::from_static(age));
    let policy = fetch.may_keep(&head, now).unwrap();
    fetch.kept(policy, head, Bytes::new(), now)
}

#[test]
fn an_answer_past_its_time_is_usable_for_as_long_as_it_was_granted_and_no_longer() {
    let now = SystemTime::now();
    // The second came ten seconds old, so its time is over sooner.
    for (age, fresh_for) in [("0", 60), ("10", 50)] {
        let kept = kept("max-age=60", age, now);
        let usable = |seconds: u64, granted: Duration| {
            kept.is_past_by_less_than(granted, now + Duration::from_secs(seconds))
        };
        for granted in [kept.stale.while_asking, kept.stale.on_error] {
            let end = fresh_for + granted.as_secs();
            assert!(!usable(fresh_for - 2, granted), "it is fresh");
            assert!(usable(fresh_for + 2, granted));
            assert!(usable(end - 2, granted));
            assert!(!usable(end + 2, granted), "{age} {granted:?}");
            assert!(!usable(end + 100_000, granted));
        }
        assert!(!usable(fresh_for + 2, Duration::ZERO));
    }
}
