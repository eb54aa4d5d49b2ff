//! What is said of an expression before any request is asked about it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use support::*;

fn said(expression: &str) -> String {
    let text = serde_json::to_string(expression).unwrap();
    messages(&with(&[&format!(
        "{{ id: key, kind: api_key, when: {text} }}"
    )]))
}

fn key_said(expression: &str) -> String {
    let text = serde_json::to_string(&format!("cel: {expression}")).unwrap();
    messages(&with(&[&format!(
        "{{ id: few, kind: rate_limit, limit: 1, per: 1m, by: {text} }}"
    )]))
}

#[test]
fn what_can_never_hold_is_no_condition() {
    for (expression, expected) in [
        (
            "request.method == 1",
            "`request.method` (a text) never equals a number; write `'1'` in quotes",
        ),
        (
            "7 != request.query['page']",
            "a number never equals `request.query.page` (a text); write `'7'` in quotes",
        ),
        (
            "application.scopes == 'write'",
            "`application.scopes` (a list of texts) never equals a text",
        ),
        (
            "application == 'shop'",
            "`application` (a mapping) never equals a text",
        ),
        (
            "request.path == null",
            "`request.path` (a text) never equals `null`",
        ),
        (
            "1 in application.scopes",
            "`application.scopes` (a list of texts) never holds a number",
        ),
        (
            "request.path in [client.address, 'a'] && 1 in ['a']",
            "a list of texts never holds a number",
        ),
        (
            "application.scopes.exists(scope, scope == 1)",
            "`scope` (a text) never equals a number; write `'1'` in quotes",
        ),
    ] {
        assert!(
            said(expression).contains(expected),
            "{expression}: {}",
            said(expression)
        );
    }
}

#[test]
fn what_never_has_a_value_is_no_condition() {
    for (expression, expected) in [
        (
            "1 + 1",
            "the condition gives a number, not `true` or `false`; compare it",
        ),
        ("request.method", "the condition gives a text"),
        ("application.scopes", "the condition gives a list of texts"),
        ("claims.admin ? 1 : 2", "the condition gives a number"),
        (
            "request.method && true",
            "`&&` is asked of what is true or false, and not of `request.method` (a text); compare it, such as `request.method == 'value'`",
        ),
        (
            "true || size(request.path)",
            "`||` is asked of what is true or false, and not of a number",
        ),
        ("!request.method", "`!` is asked of"),
        ("[1].all(one, 'a')", "`&&` is asked of"),
        ("['a'].filter(one, one).size() == 1", "`?` is asked of"),
        ("request.path ? true : false", "`?` is asked of"),
        (
            "request.method == 'GET' ? true : 1",
            "`:` stands between `true` or `false` and a number; both must be of one sort",
        ),
        (
            "request.path > 3",
            "`>` cannot compare `request.path` (a text) with a number; `int(…)` makes a number of a text, and `size(…)` gives its length",
        ),
        ("[1] < [2]", "`<` cannot compare a list with a list"),
        (
            "request.path + 1 == 'a1'",
            "`+` cannot join `request.path` (a text) and a number; `string(…)` makes a text",
        ),
        (
            "size(request.path) * 1.5 > 2.0",
            "`*` cannot join a number and a number; `int(…)` and `double(…)` make both of one sort",
        ),
        (
            "duration('1h') * 2 > duration('1h')",
            "`*` cannot join a span of time and a number",
        ),
        (
            "-request.path == 'a'",
            "`-` cannot stand before `request.path` (a text)",
        ),
        (
            "'a' in request.path",
            "`in` looks into a list, and not into `request.path` (a text); write `text.contains(…)`",
        ),
        (
            "request.path.all(one, true)",
            "`request.path` (a text) is no list to go through",
        ),
        (
            "application.scopes.first == 'a'",
            "`application.scopes` is a list of texts and has no member `first`",
        ),
        (
            "application.scopes['a'] == 'a'",
            "`application.scopes` is a list of texts and has no member `a`",
        ),
        ("'abc'[0] == 'a'", "a text has no member a number"),
    ] {
        assert!(
            said(expression).contains(expected),
            "{expression}: {}",
            said(expression)
        );
    }
}

#[test]
fn a_call_is_checked_for_what_it_takes_and_how_it_is_written() {
    for (expression, expected) in [
        (
            "request.method.lowerAscii() == 'get'",
            "unknown function `lowerAscii`; expected one of `all`, `bool`, `contains`",
        ),
        ("max(1, 2) == 2", "unknown function `max`"),
        (
            "request.path.startWith('/a')",
            "unknown function `startWith`; did you mean `startsWith`?",
        ),
        (
            "startsWith(request.path, '/a')",
            "`startsWith` is not called so; write `text.startsWith(…)`",
        ),
        (
            "request.path.startsWith()",
            "`startsWith` is not called so; write `text.startsWith(…)`",
        ),
        (
            "request.path.startsWith(1)",
            "`startsWith` takes a text, and not a number",
        ),
        (
            "application.scopes.contains('a')",
            "`contains` takes a text, and not `application.scopes` (a list of texts); write `'value' in list`",
        ),
        ("size(1) == 1", "`size` takes a text, and not a number"),
        (
            "exists(application.scopes, true)",
            "`exists` is not written so; write it as in `list.exists(one, one == 'a')`",
        ),
        (
            "request.path.matches('(a')",
            "`(a` is not a regular expression: unclosed group",
        ),
        (
            "matches(request.path, '(?=a)')",
            "`(?=a)` is not a regular expression: look-around",
        ),
        (
            "timestamp('2027-01-31') > timestamp('2026-01-01T00:00:00Z')",
            "`2027-01-31` is not a time; write one as in `timestamp('2027-01-31T00:00:00Z')`",
        ),
        (
            "duration('1 hour') > duration('1m')",
            "`1 hour` is not a span of time; write one as in",
        ),
        ("int('seven') == 7", "`seven` is not a number"),
    ] {
        assert!(
            said(expression).contains(expected),
            "{expression}: {}",
            said(expression)
        );
    }
}

#[test]
fn what_only_requests_can_tell_is_left_to_them() {
    for sound in [
        "claims.level > 3",
        "claims.admin",
        "claims.roles.exists(role, role == 'a' || role == 1)",
        "has(claims.tier) && claims.tier in ['gold', 'silver']",
        "claims.a + claims.b == 3",
        "'gold' in application.roles || 'x-a' in request.headers",
        "request.headers['x-a'].startsWith('1') && request.query.page.matches('^[0-9]+$')",
        "int(request.query.page) > 3",
        "double(request.query.price) * 1.5 > 2.0",
        "size(request.path) > 3 && request.path.size() < 2048",
        "'client.address' in {'client.address': 1} || {'a': 1}.a == 1",
        "application.scopes.filter(one, one.endsWith(':write')).size() > 0",
        "application.scopes.map(one, one + '!').exists_one(one, one == 'a!')",
        "application.scopes[0] == 'a'",
        "1 == 1.0 && 1u < 2 && -1 < 0",
        "timestamp('2027-01-31T00:00:00Z') - timestamp('2026-01-31T00:00:00Z') > duration('1h30m')",
        "string(size(request.path)) + 'a' == '3a'",
        "bool('true') ? claims.a == 1 : false",
        "claims != null",
    ] {
        assert_eq!(said(sound), "", "{sound}");
    }
}

#[test]
fn a_key_is_a_text_a_number_or_a_truth() {
    for sound in [
        "request.headers['x-tenant']",
        "claims.tenant",
        "size(request.path)",
        "request.method == 'GET'",
    ] {
        assert_eq!(key_said(sound), "", "{sound}");
    }
    for (expression, expected) in [
        (
            "application.scopes",
            "the expression gives a list of texts, which is no key; write one that gives a text",
        ),
        (
            "request.headers",
            "the expression gives a mapping, which is no key",
        ),
        ("1.5", "the expression gives a number, which is no key"),
    ] {
        assert!(
            key_said(expression).contains(expected),
            "{expression}: {}",
            key_said(expression)
        );
    }
}

#[test]
fn a_slip_in_the_syntax_is_said_in_words() {
    for (expression, expected) in [
        (
            "request.method ==",
            "this is not a CEL expression: its end comes too early at character 18; write one such as",
        ),
        (
            "request.method == 'GET' and true",
            "unexpected 'and' at character 25; write `&&` for and",
        ),
        (
            "request.method = 'GET'",
            "write `&&` for and, `||` for or, `!` for not, `==` for equal",
        ),
    ] {
        assert!(
            said(expression).contains(expected),
            "{expression}: {}",
            said(expression)
        );
        assert!(
            !said(expression).contains("<input>"),
            "{}",
            said(expression)
        );
    }
}

#[test]
fn an_expression_has_a_depth_that_can_be_read() {
    let deep = |parts: usize| format!("{}true{}", "(".repeat(parts), ")".repeat(parts));
    let chain = |parts: usize| format!("[true].all(a, a{})", "==a".repeat(parts));
    for sound in [deep(50), chain(150)] {
        assert_eq!(said(&sound), "");
    }
    for (expression, expected) in [
        (
            chain(300),
            "more than 200 parts deep; write several policies",
        ),
        (deep(300), "nested too deep; write several policies"),
    ] {
        assert!(
            said(&expression).contains(expected),
            "{}",
            said(&expression)
        );
    }
}
