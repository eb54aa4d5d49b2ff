use super::*;

fn service(extra: &str) -> Arc<Service> {
    let text = format!(
        "lockgate: 1\nupstreams:\n  a: {{ targets: ['http://one:1', 'http://two:2/base/', 'http://three:3']{extra} }}\n"
    );
    let source = lockgate_config::Source::text("gateway.yaml", text);
    let document = lockgate_config::load(&source).unwrap_or_else(|problems| panic!("{problems:?}"));
    upstreams(&document)
        .ok()
        .and_then(|mut all| all.remove("a"))
        .unwrap_or_else(|| panic!("no service"))
}

#[test]
fn round_robin_takes_each_target_in_turn() {
    let service = service(", balance: round_robin");
    let chosen: Vec<String> = (0..4)
        .filter_map(|_| service.choose())
        .map(|chosen| chosen.target.authority.to_string())
        .collect();
    assert_eq!(chosen, ["one:1", "two:2", "three:3", "one:1"]);
}

#[test]
fn a_busy_target_gets_less() {
    let service = service("");
    let held: Vec<Chosen> = (0..30).filter_map(|_| service.choose()).collect();
    let mut counts = HashMap::new();
    for chosen in &held {
        *counts
            .entry(chosen.target.authority.to_string())
            .or_insert(0) += 1;
    }
    assert!(
        counts.len() == 3 && counts.values().all(|count| (8..=12).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn a_service_gets_no_more_requests_than_it_may_have_and_a_place_is_given_back() {
    let service = service(", circuit: { max_requests: 2 }");
    let (first, second) = (service.choose(), service.choose());
    assert!(first.is_some() && second.is_some() && service.choose().is_none());
    drop(first);
    assert!(service.choose().is_some());
}

#[test]
fn a_path_of_a_target_stands_before_the_path_of_the_request() {
    let service = service(", balance: round_robin");
    let prefixes: Vec<String> = (0..2)
        .filter_map(|_| service.choose())
        .map(|chosen| chosen.target.prefix.clone())
        .collect();
    assert_eq!(prefixes, ["", "/base"]);
}
