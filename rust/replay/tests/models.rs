//! The proof for calls to models: what a replay says of guards, limits and budgets is what nodes decide when the same is asked again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod asked;
#[path = "models/nodes.rs"]
mod nodes;

use asked::{START, run};
use lockgate_recording::{Event, SegmentOptions, SegmentWriter};
use lockgate_replay::Outcome;
use nodes::*;

#[test]
fn a_revision_decides_about_calls_to_models_as_it_did_live() {
    let recorded = Recorded::by(TIGHT, 300);
    // The sequence meets everything that this document refuses.
    for code in [
        "api_key.invalid",
        "model_access.denied",
        "token_limit.exceeded",
        "budget.exceeded",
        "completion_guard.withheld",
        "model.unknown",
        "model.bad_request",
    ] {
        let mut events = recorded.events.values();
        assert!(
            events.any(|event| refused(event).as_deref() == Some(code)),
            "{code}: {:?}",
            recorded
                .events
                .values()
                .map(refused)
                .collect::<std::collections::BTreeSet<_>>()
        );
    }
    for event in recorded.events.values() {
        let words = event
            .prompt
            .as_ref()
            .and_then(|prompt| prompt.words.as_ref());
        assert!(words.is_none() && event.answer.is_none() && event.body.is_none());
    }
    nothing_differs(&recorded);
}

#[test]
fn without_a_word_recorded_a_replay_says_what_nodes_decide() {
    let recorded = Recorded::by(BASE, 250);
    nothing_differs(&recorded);
    recorded.proves("models", |document| document.gold = "[fast]");
    recorded.proves("tokens", |document| document.tokens = TIGHT.tokens);
    recorded.proves("money", |document| document.money = TIGHT.money);
    recorded.proves("price", |document| {
        document.price = "6000 USD";
    });
    // A guard that was in shadow has said whom it would refuse.
    recorded.proves("enforced", |document| {
        document.guard = "look_for: [override, secret]";
    });
    recorded.proves("off", |document| {
        document.leaks = "mode: off, phrases: [\"project albatross\"]";
    });
}

#[test]
fn without_a_word_recorded_another_guard_is_not_judged_and_never_unchanged() {
    let recorded = Recorded::by(BASE, 120);
    let judged_by_guards = |event: &&Event| {
        let mut verdicts = event.verdicts.iter();
        verdicts
            .any(|verdict| &*verdict.id == "attacks" && !matches!(&*verdict.word, "pass" | "skip"))
    };
    let calls = recorded.events.values().filter(judged_by_guards).count() as u64;
    let (_, report) = recorded.against("guard", |document| document.guard = "look_for: [email]");
    assert_eq!(
        lacks(&report),
        [("candidate", "attacks".into(), "the prompt".into(), calls)]
    );
    assert_eq!(report.outcome, Outcome::TooMuchUnjudged);
    let events = recorded.events.values().filter(judged_by_guards);
    let went_on = events.filter(|event| refused(event).is_none()).count() as u64;
    let (_, report) = recorded.against("privacy", |document| {
        document.privacy = "replace: [email, secret]";
    });
    assert_eq!(
        lacks(&report),
        [("candidate", "privacy".into(), "the prompt".into(), went_on)]
    );
    let (_, report) = recorded.against("leaks", |document| {
        document.leaks = "phrases: [\"operation heron\"]";
    });
    let answered = |event: &&Event| {
        event
            .model_call
            .as_ref()
            .is_some_and(|call| !call.given_back && !call.model.is_empty())
    };
    let answers = recorded.events.values().filter(answered).count() as u64;
    assert_eq!(
        lacks(&report),
        [(
            "candidate",
            "leaks".into(),
            "the answer of the model".into(),
            answers
        )]
    );
}

#[test]
fn with_words_recorded_another_guard_is_judged_as_nodes_decide() {
    let recorded = Recorded::by(
        Differs {
            record: WORDS,
            ..BASE
        },
        200,
    );
    nothing_differs(&recorded);
    recorded.proves("email", |document| {
        document.guard = "look_for: [override, secret, email]";
    });
    recorded.proves("secret", |document| document.guard = "look_for: [secret]");
    recorded.proves("override", |document| {
        document.guard = "look_for: [override]";
    });
    // A phrase may have stood where data was taken out, and in what was not said any more when an answer was withheld.
    recorded.proves_what_it_says("heron", |document| {
        document.leaks = "phrases: [\"project albatross\", \"operation heron\"]";
    });
    recorded.proves_what_it_says("key", |document| document.leaks = "look_for: [secret]");
    // What was recorded holds neither the key nor the address.
    let stored = serde_json::to_string(&recorded.events.values().collect::<Vec<_>>()).unwrap();
    assert!(!stored.contains(GITHUB) && !stored.contains("anna@corp.io"));
    assert!(stored.contains("[EMAIL_1]") && stored.contains("[SECRET_1]"));
    assert!(stored.contains("What is project albatross about"));
}

#[test]
fn what_a_provider_no_longer_sees_is_a_difference() {
    let recorded = Recorded::by(
        Differs {
            record: WORDS,
            guard: "look_for: [override]",
            ..BASE
        },
        120,
    );
    let (_, report) = recorded.against("privacy", |document| {
        document.privacy = "replace: [email, secret]";
    });
    assert_eq!(report.totals.unjudged, 0, "{:#?}", lacks(&report));
    let with_key = |event: &&Event| {
        event.decision == lockgate_recording::Decision::Forward
            && event.prompt.as_ref().is_some_and(|prompt| {
                let words = prompt.words.as_ref().unwrap();
                words.said[0].text.contains("[SECRET_1]")
            })
    };
    let calls = recorded.events.values().filter(with_key).count() as u64;
    let expected = ("answered_otherwise", None, Some("redacted secret".into()));
    assert_eq!(counted(&report), Counted::from([(expected, calls)]));
    let policy = report.groups[0].policy.as_ref().unwrap();
    assert_eq!((&*policy.id, policy.kind), ("privacy", "redact_prompt"));
}

#[test]
fn a_wider_budget_is_not_judged_where_it_hangs_on_calls_that_nobody_made() {
    let recorded = Recorded::by(
        Differs {
            money: "0.02 USD",
            ..BASE
        },
        250,
    );
    let (decided, report) = recorded.against("wider", |document| document.money = "0.03 USD");
    let (said, truth) = (counted(&report), by_hand(&recorded.events, &decided));
    for (change, requests) in &said {
        assert!(truth[change] >= *requests, "{said:?} {truth:?}");
    }
    assert!(!said.is_empty());
    // What is not said is not known.
    let unsaid: u64 = truth.values().sum::<u64>() - said.values().sum::<u64>();
    assert!(report.totals.unjudged >= unsaid, "{said:?} {truth:?}");
    for (by, policy, what, _) in lacks(&report) {
        assert_eq!((by, policy.as_str()), ("candidate", "purse"));
        assert_eq!(
            what,
            "what calls took that were refused, or not judged, before it"
        );
    }
}

#[test]
fn recordings_of_an_older_release_name_the_model_and_no_amounts() {
    let recorded = Recorded::by(BASE, 60);
    let into = recorded.folder.path().join("older");
    let mut writer = SegmentWriter::open(&into, SegmentOptions::default(), START.0).unwrap();
    let key = lockgate_recording::KEY_FILE;
    std::fs::copy(recorded.path().join(key), into.join(key)).unwrap();
    let mut events: Vec<Event> = recorded.events.values().cloned().collect();
    events.sort_by_key(|event| event.at);
    let mut answered = 0;
    for event in &mut events {
        event.v = 2;
        event.prompt = None;
        answered += u64::from(
            event
                .model_call
                .as_ref()
                .is_some_and(|call| !call.model.is_empty()),
        );
        writer.append(event, START.0);
    }
    writer.finish(START.0);
    let report = run(&recorded.text, &recorded.text, &into);
    assert_eq!(report.totals.newly_refused + report.totals.newly_allowed, 0);
    let lacks = lacks(&report);
    let rows = lacks.iter().filter(|(_, policy, ..)| policy == "rate");
    let rows: Vec<_> = rows.collect();
    assert_eq!(
        rows,
        [&(
            "both",
            "rate".to_owned(),
            "the most that the call could take".to_owned(),
            answered
        )]
    );
    // Who may ask what is judged by the name alone.
    let mut may = recorded.differs;
    may.free = "[best]";
    let candidate = document(recorded.provider.address, &recorded.path(), &may);
    let candidate = candidate.replace(
        "          - { id: rate, kind: token_limit, limit: 100000, per: 1m }\n",
        "",
    );
    let candidate = candidate.replace(
        "          - { id: purse, kind: budget, limit: 5 USD, per: hour }\n",
        "",
    );
    let report = run(
        &candidate.replace("free: [best]", "free: [fast]"),
        &candidate,
        &into,
    );
    assert!(report.totals.newly_refused > 0, "{report:#?}");
}

#[test]
fn an_expectation_holds_a_change_of_a_guard_to_what_was_stated() {
    let recorded = Recorded::by(BASE, 200);
    let mut enforced = recorded.differs;
    enforced.guard = "look_for: [override, secret]";
    let candidate = document(recorded.provider.address, &recorded.path(), &enforced);
    let stated = "newly_refused: { applications: [shop, chat], policies: [attacks], reasons: [prompt_guard.injection, prompt_guard.data] }";
    let report = run_expecting(&recorded.text, &candidate, &recorded.path(), stated);
    assert_eq!(
        report.outcome,
        Outcome::AsExpected,
        "{:#?}",
        report.unexpected
    );
    assert!(report.totals.newly_refused > 0);
    let narrow = stated
        .replace(", prompt_guard.data", "")
        .replace("shop, chat", "chat");
    let report = run_expecting(&recorded.text, &candidate, &recorded.path(), &narrow);
    assert_eq!(report.outcome, Outcome::Unexpected);
    let whose: Vec<&str> = report
        .unexpected
        .iter()
        .map(|group| group.what.as_str())
        .collect();
    assert!(
        whose
            .iter()
            .any(|what| what
                .starts_with("shop on ai/v1 chat: forward → refuse prompt_guard.injection")),
        "{whose:?}"
    );
}
