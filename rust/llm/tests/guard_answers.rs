//! What filters let through of answers, however a stream is cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use lockgate_llm::guard::{AnswerFilter, Banned, Class, Redaction, Shapes};
use lockgate_llm::{
    Delta, Dialect, Event, Finish, FinishReason, Role, Surface, read_chat, read_response,
    write_chat,
};

/// What was taken out of a prompt that holds this.
fn taken_out(prompt: &str) -> (Vec<Arc<Redaction>>, String) {
    let mut redaction = Redaction::default();
    redaction.spare(prompt);
    let redacted = redaction.redact(&Shapes::new().unwrap(), &Class::ALL, prompt);
    (vec![Arc::new(redaction)], redacted.text)
}

fn banned(phrases: &[&str]) -> Vec<Arc<Banned>> {
    vec![Arc::new(Banned::new(&[Class::Card], phrases).unwrap())]
}

/// The text that a caller gets of these deltas, and whether the answer was withheld.
fn said(filter: &mut AnswerFilter, deltas: Vec<Delta>) -> (String, Option<&'static str>) {
    let mut out = Vec::new();
    let mut events: Vec<Event> = deltas
        .into_iter()
        .map(|delta| Event::Delta {
            candidate: 0,
            delta,
        })
        .collect();
    events.push(Event::Finish {
        candidate: 0,
        finish: Finish::new(FinishReason::Stop, "stop"),
    });
    let mut withheld = None;
    for event in events {
        if let Err(found) = filter.event(event, &mut out) {
            withheld = Some(found.what);
            break;
        }
    }
    let texts = out.iter().filter_map(|event| match event {
        Event::Delta {
            delta: Delta::Text(text) | Delta::ToolArguments { text, .. } | Delta::Thinking(text),
            ..
        } => Some(text.as_str()),
        _ => None,
    });
    (texts.collect(), withheld)
}

#[test]
fn what_was_taken_out_comes_back_wherever_the_stream_is_cut() {
    let (known, prompt) = taken_out("Mail a@posteo.de, pay 4242 4242 4242 4242");
    assert_eq!(prompt, "Mail [EMAIL_1], pay [CARD_1]");
    let answer = "[EMAIL_1]: [CARD_1] [CARD_2] [x] a[0][1] [EMAIL_";
    let expected = "a@posteo.de: 4242 4242 4242 4242 [CARD_2] [x] a[0][1] [EMAIL_";
    for at in 0..=answer.len() {
        let mut filter = AnswerFilter::new(Vec::new(), known.clone());
        let pieces = [&answer[..at], &answer[at..]].map(|piece| Delta::Text(piece.into()));
        assert_eq!(
            said(&mut filter, pieces.into()),
            (expected.into(), None),
            "cut at {at}"
        );
    }
    let mut filter = AnswerFilter::new(Vec::new(), known);
    let letters = answer.chars().map(|letter| Delta::Text(letter.into()));
    assert_eq!(said(&mut filter, letters.collect()).0, expected);
}

#[test]
fn nothing_of_what_is_withheld_goes_on_wherever_the_stream_is_cut() {
    let rules = banned(&["project albatross"]);
    for (answer, what, never) in [
        (
            "We call it Project\n Albatross, you know.",
            "phrase",
            "Project",
        ),
        (
            "Pay with 4242 4242 4242 4242 today, please, if you can at all.",
            "card",
            "4242",
        ),
        ("Pay with 4242424242424242", "card", "4242"),
    ] {
        for at in 0..=answer.len() {
            let mut filter = AnswerFilter::new(rules.clone(), Vec::new());
            let pieces = [&answer[..at], &answer[at..]].map(|piece| Delta::Text(piece.into()));
            let (text, withheld) = said(&mut filter, pieces.into());
            assert_eq!(withheld, Some(what), "{answer} cut at {at}");
            assert!(!text.contains(never), "cut at {at}: {text}");
        }
        let mut filter = AnswerFilter::new(rules.clone(), Vec::new());
        let letters = answer.chars().map(|letter| Delta::Text(letter.into()));
        let (text, withheld) = said(&mut filter, letters.collect());
        assert_eq!(withheld, Some(what), "{answer}");
        assert!(!text.contains(never), "{text}");
    }
}

#[test]
fn an_answer_without_any_of_it_passes_whole() {
    let rules = banned(&["project albatross"]);
    let answer = "Projects fly. An albatross, 4242 4242 4242 4243, and a project — albatrosses.";
    for at in (0..=answer.len()).filter(|at| answer.is_char_boundary(*at)) {
        let mut filter = AnswerFilter::new(rules.clone(), Vec::new());
        let pieces = [&answer[..at], &answer[at..]].map(|piece| Delta::Text(piece.into()));
        assert_eq!(
            said(&mut filter, pieces.into()),
            (answer.into(), None),
            "cut at {at}"
        );
    }
}

#[test]
fn what_comes_back_in_arguments_of_a_tool_stays_json() {
    let mut redaction = Redaction::default();
    let key = format!(
        "-----BEGIN {0} KEY-----\nabc\n-----END {0} KEY-----",
        "PRIVATE"
    );
    redaction.redact(&Shapes::new().unwrap(), &[Class::Secret], &key);
    let mut filter = AnswerFilter::new(Vec::new(), vec![Arc::new(redaction)]);
    let pieces = ["{\"key\":\"[SEC", "RET_1]\"}"].map(|text| Delta::ToolArguments {
        call: 0,
        text: text.into(),
    });
    let (text, _) = said(&mut filter, pieces.into());
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["key"], *key);
}

#[test]
fn thoughts_are_judged_and_stay_as_their_provider_sealed_them() {
    let (known, _) = taken_out("a@posteo.de");
    let mut filter = AnswerFilter::new(banned(&[]), known);
    let thought = || vec![Delta::Thinking("[EMAIL_1] asks".into())];
    assert_eq!(said(&mut filter, thought()).0, "[EMAIL_1] asks");
    let mut filter = AnswerFilter::new(banned(&[]), Vec::new());
    let pays = vec![Delta::Thinking("4242424242424242".into())];
    assert_eq!(said(&mut filter, pays), (String::new(), Some("card")));
}

#[test]
fn a_whole_answer_is_judged_as_a_stream_is() {
    let body = |text: &str| {
        let message = serde_json::json!({ "role": "assistant", "content": text });
        let choice = serde_json::json!({ "index": 0, "message": message, "finish_reason": "stop" });
        serde_json::json!({ "id": "c", "model": "m", "choices": [choice] }).to_string()
    };
    let (known, _) = taken_out("a@posteo.de");
    let filter = AnswerFilter::new(banned(&["project albatross"]), known);
    for (text, expected) in [
        ("Hello", Ok(false)),
        ("Hello [EMAIL_1]", Ok(true)),
        ("4242424242424242", Err("card")),
        ("PROJECT albatross", Err("phrase")),
    ] {
        let mut response = read_response(Dialect::Openai, "c", body(text).as_bytes()).unwrap();
        let judged = filter.whole(&mut response).map_err(|found| found.what);
        assert_eq!(judged, expected, "{text}");
    }
}

#[test]
fn every_text_of_a_prompt_is_seen_and_changed_and_the_request_is_written_anew() {
    let body = br#"{"model":"m","user":"u@posteo.de","messages":[
        {"role":"system","content":"s@posteo.de"},
        {"role":"user","content":[{"type":"text","text":"t@posteo.de"}]},
        {"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"password\":\"T3bQ9xLr7Vn2Kp5\",\"n\":1}"}}]},
        {"role":"tool","tool_call_id":"1","content":"r@posteo.de"}]}"#;
    let mut request = read_chat(Surface::OpenaiChat, None, false, body).unwrap();
    let mut seen = Vec::new();
    request.texts(&mut |role, text| seen.push((role, text.to_owned())));
    let roles: Vec<Role> = seen.iter().map(|(role, _)| *role).collect();
    assert_eq!(
        roles,
        [Role::System, Role::User, Role::Assistant, Role::Tool]
    );
    let shapes = Shapes::new().unwrap();
    let mut redaction = Redaction::default();
    request.change_texts(&mut |name, text| {
        let known = (&shapes, &Class::ALL[..]);
        let redacted = match name {
            Some(name) => redaction.redact_member(known, name, text),
            None => redaction.redact(known.0, known.1, text),
        };
        (redacted.replaced > 0).then_some(redacted.text)
    });
    request.changed = true;
    let sent = write_chat(&request, body, Dialect::Openai, "m").unwrap();
    let sent = String::from_utf8(sent.body.unwrap()).unwrap();
    assert!(
        !sent.contains("posteo") && !sent.contains("T3bQ9"),
        "{sent}"
    );
    assert!(
        sent.contains(r#"{\"password\":\"[SECRET_1]\",\"n\":1}"#),
        "{sent}"
    );
    assert_eq!(redaction.counts().values().sum::<usize>(), 5);
}
