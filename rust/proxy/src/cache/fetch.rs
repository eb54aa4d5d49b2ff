//! Requests for answers that may be kept, and the rules under which they may.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use lockgate_policy::CacheRule;

use super::{Kept, Key};
use crate::body::full;
use crate::forward::{Answer, Fields, Prepared};
use crate::freshness::{Known, Stale, directives, is_event_stream, read_directives};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A request for an answer that may be kept. It belongs to no caller's connection: it may outlive the request.
pub(super) struct Fetch {
    pub(super) key: Key,
    pub(super) rule: Arc<CacheRule>,
    pub(super) caller: Option<Arc<str>>,
    /// The request as the rules of RFC 9111 see it.
    pub(super) view: Request<()>,
    /// What the caller already has.
    known: Known,
    template: Prepared<'static>,
}

impl Fetch {
    pub(super) fn new(
        key: Key,
        (prepared, mut fields): (Prepared<'_>, HeaderMap),
        rule: Arc<CacheRule>,
        caller: Option<Arc<str>>,
    ) -> Self {
        let known = Known::take(&mut fields);
        let mut view = Request::new(());
        *view.uri_mut() = prepared.path.clone();
        view.headers_mut().clone_from(&fields);
        read_directives(view.headers_mut());
        if caller.is_some() {
            // What is kept for one caller alone may be kept although it was authorised (RFC 9111 §3.5 is about sharing it).
            view.headers_mut().remove(header::AUTHORIZATION);
        }
        Self {
            key,
            rule,
            caller,
            view,
            known,
            template: prepared.with(fields),
        }
    }

    pub(super) fn request(&self, validators: HeaderMap) -> Prepared<'static> {
        let from = &self.template;
        let mut fields = from.fields.make();
        fields.extend(validators);
        Prepared {
            method: from.method.clone(),
            fields: Fields::Made(fields),
            path: from.path.clone(),
            key: from.key,
            authority: from.authority.clone(),
            bounds: from.bounds,
            permits: Vec::new(),
            since: tokio::time::Instant::now(),
            cache: None,
        }
    }

    /// The rules under which an answer may be kept; `None` when it may not.
    pub(super) fn may_keep(&self, head: &response::Parts, now: SystemTime) -> Option<CachePolicy> {
        if head.headers.contains_key(header::SET_COOKIE) || is_event_stream(&head.headers) {
            return None;
        }
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        response.headers_mut().clone_from(&head.headers);
        read_directives(response.headers_mut());
        // Said in words (RFC 9111 §3.5): the library also takes directives that contradict each other for a permission.
        let for_all = ["public", "must-revalidate", "s-maxage"];
        if self.view.headers().contains_key(header::AUTHORIZATION)
            && !directives(response.headers()).any(|(name, _)| for_all.contains(&name))
        {
            return None;
        }
        let says = [header::CACHE_CONTROL, header::EXPIRES, header::PRAGMA]
            .iter()
            .any(|name| head.headers.contains_key(name));
        if !says
            && self.may_be_for_all()
            && !self.rule.fresh.is_zero()
            && head.status == StatusCode::OK
        {
            let seconds = self.rule.fresh.as_secs().max(1);
            if let Ok(value) = HeaderValue::try_from(format!("max-age={seconds}")) {
                response.headers_mut().insert(header::CACHE_CONTROL, value);
            }
        }
        let options = CacheOptions {
            shared: true,
            // Nothing is kept because it looks old.
            cache_heuristic: 0.0,
            ..CacheOptions::default()
        };
        let policy = CachePolicy::new_options(&self.view, &response, now, options);
        let lives = !policy.time_to_live(now).is_zero();
        (policy.is_storable() && lives).then_some(policy)
    }

    /// Whether an answer about which its service says nothing is none of a session's: for identified callers it is kept apart.
    fn may_be_for_all(&self) -> bool {
        self.caller.is_some()
            || self.rule.ignore_cookies
            || !self.view.headers().contains_key(header::COOKIE)
    }

    /// What is kept of an answer, and how long it may be given past its time.
    pub(super) fn kept(
        &self,
        policy: CachePolicy,
        head: response::Parts,
        body: Bytes,
        now: SystemTime,
    ) -> Arc<Kept> {
        let mut said = head.headers.clone();
        read_directives(&mut said);
        Arc::new(Kept {
            caller: self.caller.clone(),
            lifetime: policy.age(now) + policy.time_to_live(now),
            policy,
            status: head.status,
            headers: head.headers,
            body,
            rule: self.rule.clone(),
            stale: Stale::of(&said, &self.rule),
        })
    }

    pub(super) fn hit(&self, kept: &Kept, how: &str, now: SystemTime) -> Answer {
        let (mut head, ()) = Response::new(()).into_parts();
        head.status = kept.status;
        head.headers.clone_from(&kept.headers);
        head.headers.insert(
            header::AGE,
            HeaderValue::from(kept.policy.age(now).as_secs()),
        );
        let ttl = kept.policy.time_to_live(now).as_secs_f64().ceil();
        status(&mut head.headers, &format!("{how}; ttl={ttl}"));
        if kept.status == StatusCode::OK && self.known.is(&head.headers) {
            head.status = StatusCode::NOT_MODIFIED;
            head.headers.remove(header::CONTENT_LENGTH);
            return Answer {
                head,
                body: full(Bytes::new()),
            };
        }
        Answer {
            head,
            body: full(kept.body.clone()),
        }
    }
}

pub(super) fn validators(headers: &HeaderMap) -> HeaderMap {
    let names = [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE];
    let fields = names.into_iter().filter_map(|name| {
        let value = headers.get(&name)?.clone();
        Some((name, value))
    });
    fields.collect()
}

/// Says what a cache did (RFC 9211).
pub fn status(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::try_from(format!("lockgate; {text}")) {
        headers.append(CACHE_STATUS, value);
    }
}
