//! The query and the cookies of a forwarded request.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{COOKIE, HeaderMap, HeaderValue};

use crate::verdict::Effect;

/// The query as effects leave it; what they do not name stays byte for byte. `None` when nothing is left.
pub fn forwarded_query<'a>(query: Option<&'a str>, effects: &[Effect]) -> Option<Cow<'a, str>> {
    let mut query = Cow::Borrowed(query.unwrap_or_default());
    for effect in effects {
        match effect {
            Effect::RemoveQueryParameter(name) => {
                let left = query_without(&query, std::slice::from_ref(name)).into_owned();
                query = Cow::Owned(left);
            }
            Effect::AddQueryParameter(name, value) => {
                let mut pair = form_urlencoded::Serializer::new(String::new());
                let pair = pair.append_pair(name, value).finish();
                let query = query.to_mut();
                if !query.is_empty() {
                    query.push('&');
                }
                query.push_str(&pair);
            }
            _ => {}
        }
    }
    (!query.is_empty()).then_some(query)
}

/// The query without the parameters called `names`; what stays is forwarded byte for byte.
pub fn query_without<'a>(query: &'a str, names: &[Arc<str>]) -> Cow<'a, str> {
    if names.is_empty() {
        return Cow::Borrowed(query);
    }
    // Names are compared decoded: `api%5Fkey` is `api_key` for a service too.
    let stays = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(name, _)| name);
        !name.is_some_and(|name| names.iter().any(|removed| **removed == *name))
    };
    Cow::Owned(query.split('&').filter(stays).collect::<Vec<_>>().join("&"))
}

/// Takes a cookie out wherever it stands; the others stay byte for byte, in one field.
pub fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let mut left: Vec<u8> = Vec::new();
    for line in headers.get_all(COOKIE) {
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let pair = pair.trim_ascii();
            let own = pair.split(|byte| *byte == b'=').next();
            if pair.is_empty() || own.map(<[u8]>::trim_ascii_end) == Some(name.as_bytes()) {
                continue;
            }
            if !left.is_empty() {
                left.extend_from_slice(b"; ");
            }
            left.extend_from_slice(pair);
        }
    }
    headers.remove(COOKIE);
    if !left.is_empty()
        && let Ok(value) = HeaderValue::from_bytes(&left)
    {
        headers.insert(COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_removed_under_every_spelling_of_its_name() {
        let names = ["api_key".into()];
        assert_eq!(
            query_without("a=1&api_key=x&b=%2F&api%5Fkey=y", &names),
            "a=1&b=%2F"
        );
        assert_eq!(query_without("a=1&&c", &[]), "a=1&&c");
    }

    #[test]
    fn effects_change_a_query_in_their_order() {
        let effects = [
            Effect::RemoveQueryParameter("a".into()),
            Effect::AddQueryParameter("a".into(), "x&y=z ".into()),
            Effect::AddQueryParameter("b".into(), "1".into()),
            Effect::RemoveQueryParameter("b".into()),
        ];
        let forwarded = |query| forwarded_query(query, &effects);
        assert_eq!(
            forwarded(Some("a=1&c=%7e&b")).as_deref(),
            Some("c=%7e&a=x%26y%3Dz+")
        );
        assert_eq!(forwarded(None).as_deref(), Some("a=x%26y%3Dz+"));
        assert_eq!(forwarded_query(Some("a"), &effects[..1]), None);
    }

    #[test]
    fn a_cookie_is_removed_and_the_others_stay() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; key=x"));
        headers.append(COOKIE, HeaderValue::from_static("keys=2; key=y"));
        remove_cookie(&mut headers, "key");
        assert_eq!(
            headers.get(COOKIE),
            Some(&HeaderValue::from_static("a=1; keys=2"))
        );
        remove_cookie(&mut headers, "a");
        remove_cookie(&mut headers, "keys");
        assert!(!headers.contains_key(COOKIE));
    }
}

#[cfg(test)]
#[path = "forwarding_fuzz.rs"]
mod fuzz;
