use super::*;
use crate::event::{Decision, ModelCall, Verdict};

fn event(route: &str, status: u16, latency_us: u64) -> Event {
    Event {
        api: Some("a".into()),
        route: Some(route.into()),
        status,
        latency_us,
        bytes_in: 1,
        bytes_out: 2,
        ..Event::default()
    }
}

#[test]
fn calls_are_counted_by_route_class_and_latency() {
    let mut tally = Tally::default();
    for call in [
        event("r", 200, 500),
        event("r", 204, 501),
        event("r", 503, 99_000_000),
        event("r", 0, 0),
        event("r", 999, 0),
    ] {
        tally.add(&call);
    }
    let series = tally.snapshot().routes[0].series;
    assert_eq!(series.by_class, [2, 0, 2, 0, 0, 1]);
    assert_eq!(
        (
            series.by_latency[0],
            series.by_latency[1],
            series.by_latency[14]
        ),
        (3, 1, 1)
    );
    assert_eq!(
        (series.latency_us, series.bytes_in, series.bytes_out),
        (99_001_001, 5, 10)
    );
}

#[test]
fn refusals_are_counted_by_code_and_shadow_denials_by_policy() {
    let verdict = |id: &str, word: &'static str, shadow| Verdict {
        id: id.into(),
        kind: "require".into(),
        scope: "a".into(),
        word: word.into(),
        code: None,
        shadow,
        rule: None,
        found_by: None,
    };
    let mut tally = Tally::default();
    let mut call = event("r", 403, 1);
    call.code = Some("forbidden".into());
    call.verdicts = vec![
        verdict("p", "deny", true),
        verdict("q", "deny", false),
        verdict("s", "allow", true),
    ];
    tally.add(&call);
    // A redirect, or the answer to a preflight, says which policy gave it; nobody was refused.
    let mut redirect = event("r", 308, 1);
    redirect.code = Some("redirect.moved".into());
    redirect.decision = Decision::Respond;
    tally.add(&redirect);
    let counts = tally.snapshot();
    assert_eq!(counts.refusals, BTreeMap::from([("forbidden".into(), 1)]));
    assert_eq!(counts.shadow_denials, BTreeMap::from([("p".into(), 1)]));
}

#[test]
fn a_call_without_a_route_is_counted_under_empty_names() {
    let mut tally = Tally::default();
    tally.add(&Event::default());
    assert_eq!(&*tally.snapshot().routes[0].route, "");
}

#[test]
fn series_beyond_the_bound_are_folded_and_no_call_is_lost() {
    let mut tally = Tally::default();
    for number in 0..MAX_SERIES + 50 {
        let mut call = event(&number.to_string(), 200, 1);
        call.code = (number > MAX_SERIES).then(|| number.to_string().into());
        tally.add(&call);
    }
    tally.add(&event("0", 200, 1));
    let counts = tally.snapshot();
    assert_eq!(counts.routes.len(), MAX_SERIES + 1);
    let total: u64 = counts
        .routes
        .iter()
        .map(|route| route.series.by_class[2])
        .sum();
    assert_eq!(total, MAX_SERIES as u64 + 51);
    assert_eq!(counts.refusals, BTreeMap::from([(OTHER.into(), 49)]));
}

#[test]
fn merged_tallies_count_as_one() {
    let (mut one, mut two, mut all) = (Tally::default(), Tally::default(), Tally::default());
    for (number, call) in [event("r", 200, 5), event("s", 429, 7), event("r", 500, 9)]
        .iter_mut()
        .enumerate()
    {
        call.code = Some("c".into());
        if number % 2 == 0 {
            one.add(call)
        } else {
            two.add(call)
        }
        all.add(call);
    }
    one.absorb(&two);
    assert_eq!(one.snapshot(), all.snapshot());
    assert!(
        serde_json::to_string(&one.snapshot())
            .unwrap()
            .contains("\"api\":\"a\",\"route\":\"r\",\"by_class\"")
    );
}

#[test]
fn calls_to_models_are_counted_by_model_and_provider() {
    let call = |provider: Option<&'static str>, failed: bool| Event {
        model_call: Some(Box::new(ModelCall {
            model: "fast".into(),
            provider: provider.map(Into::into),
            input_tokens: (!failed).then_some(12),
            output_tokens: (!failed).then_some(7),
            cost: (!failed).then_some(82),
            failure: failed.then(|| "unavailable".into()),
            lost: failed.then(|| "dropped=top_k".into()),
            ..ModelCall::default()
        })),
        ..event("chat", 200, 1)
    };
    let mut again = call(Some("openai"), false);
    if let Some(call) = &mut again.model_call {
        call.from_cache = true;
    }
    let (mut one, mut other) = (Tally::default(), Tally::default());
    one.add(&again);
    one.add(&call(None, true));
    other.add(&call(Some("openai"), false));
    other.add(&event("models", 200, 1));
    one.absorb(&other);
    let counts = one.snapshot().models;
    let told: Vec<_> = counts
        .iter()
        .map(|one| (&*one.model, &*one.provider, one.series))
        .collect();
    let failed = ModelSeries {
        calls: 1,
        failed: 1,
        lossy: 1,
        ..ModelSeries::default()
    };
    let answered = ModelSeries {
        calls: 2,
        failed: 0,
        from_cache: 1,
        lossy: 0,
        input_tokens: 24,
        output_tokens: 14,
        cost: 164,
    };
    assert_eq!(told, [("fast", "", failed), ("fast", "openai", answered)]);
}
