use super::*;

fn event() -> Event {
    Event {
        at: 100,
        application: Some("shop".into()),
        api: Some("orders".into()),
        route: Some("list".into()),
        code: Some("rate_limited".into()),
        decision: Decision::Refuse,
        status: 429,
        client: Some([10, 0, 0, 1].into()),
        path: "/orders/7".into(),
        ..Event::default()
    }
}

fn every_field(right: bool) -> Vec<Filter> {
    let word = |text: &str| {
        Some(if right {
            text.to_owned()
        } else {
            "other".to_owned()
        })
    };
    let none = Filter::default;
    vec![
        Filter {
            application: word("shop"),
            ..none()
        },
        Filter {
            api: word("orders"),
            ..none()
        },
        Filter {
            route: word("list"),
            ..none()
        },
        Filter {
            code: word("rate_limited"),
            ..none()
        },
        Filter {
            path_contains: word("ders/"),
            ..none()
        },
        Filter {
            decision: Some(if right {
                Decision::Refuse
            } else {
                Decision::Respond
            }),
            ..none()
        },
        Filter {
            status: Some(if right { 400..=429 } else { 430..=499 }),
            ..none()
        },
        Filter {
            since: Some(if right { 100 } else { 101 }),
            ..none()
        },
        Filter {
            until: Some(if right { 100 } else { 99 }),
            ..none()
        },
        Filter {
            client: Some(if right { [10, 0, 0, 1] } else { [10, 0, 0, 2] }.into()),
            ..none()
        },
    ]
}

#[test]
fn each_field_wants_what_it_says() {
    for filter in every_field(true) {
        assert!(filter.matches(&event()), "{filter:?}");
    }
    for filter in every_field(false) {
        assert!(!filter.matches(&event()), "{filter:?}");
    }
}

#[test]
fn an_empty_filter_wants_all_and_an_absent_value_is_no_match() {
    assert!(Filter::default().matches(&Event::default()));
    for filter in every_field(true).into_iter().take(4) {
        assert!(!filter.matches(&Event::default()), "{filter:?}");
    }
}
