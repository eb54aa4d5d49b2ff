use std::net::IpAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::event::{Decision, ModelCall};
use crate::text::Text;
use crate::words::{Prompt, Said, Words};

fn line(event: &Event) -> String {
    let mut out = Vec::new();
    write(&mut out, event).unwrap();
    String::from_utf8(out).unwrap()
}

/// Texts of all lengths around a block, with and without letters that need an escape.
fn text() -> impl Strategy<Value = Text> {
    prop_oneof![
        "[a-z0-9./-]{0,70}",
        ".{0,40}",
        "[a-z]{0,40}[\"\\\\\u{0}-\u{1f}\u{7f}é\u{2028}]{1,2}[a-z]{0,40}",
    ]
    .prop_map(Text::from)
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (text(), text(), option::of(text()), any::<bool>()).prop_map(|(id, word, code, shadow)| {
        Verdict {
            scope: id.clone(),
            id,
            kind: "api_key".into(),
            word: word.to_string().into(),
            code: code.as_deref().map(|code| code.to_owned().into()),
            shadow,
            found_by: code.clone(),
            rule: code,
        }
    })
}

prop_compose! {
    fn event()(
        texts in vec(text(), 8),
        maybe in vec(option::of(text()), 15),
        headers in vec((text(), text()), 0..4),
        verdicts in vec(verdict(), 0..4),
        numbers in any::<[u64; 5]>(),
        client in option::of(any::<IpAddr>()),
        decision in prop_oneof![Just(Decision::Forward), Just(Decision::Refuse), Just(Decision::Respond)],
        (small, flags, facts) in (any::<[u16; 3]>(), any::<[bool; 2]>(), vec(text(), 0..3)),
    ) -> Event {
        let [at, bytes_in, bytes_out, latency_us, upstream_us] = numbers;
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap();
        let mut maybe = maybe.into_iter();
        let mut maybe = || maybe.next().unwrap();
        Event {
            v: u32::from(small[0]),
            at,
            id: text(),
            node: text(),
            revision: text(),
            listener: text(),
            client,
            method: text().to_string().into(),
            scheme: "http".into(),
            host: text(),
            path: text(),
            query: maybe(),
            version: text().to_string().into(),
            headers: headers.iter().map(|(name, value)| (&**name, &**value)).collect(),
            api: maybe(),
            api_version: maybe(),
            route: maybe(),
            application: maybe(),
            subject: maybe(),
            claims: maybe().map(|text| Arc::new(serde_json::json!({ "sub": &*text }))),
            facts: facts.iter().map(|text| Arc::new(serde_json::json!([&**text]))).collect(),
            decision,
            code: maybe().map(|code| code.to_string().into()),
            verdicts,
            status: small[1],
            grpc_status: flags[0].then_some(14),
            broke_off: flags[1],
            upstream: maybe(),
            target: maybe(),
            tries: small[2],
            bytes_in,
            bytes_out,
            latency_us,
            upstream_us,
            trace_id: maybe(),
            has_body: flags[0],
            body: maybe(),
            body_truncated: flags[1],
            model_call: maybe().map(|text| Box::new(ModelCall {
                model: text.clone(),
                lost: Some(text.clone()),
                finish: Some(text.to_string().into()),
                priced_by: Some(text),
                input_tokens: Some(at),
                reasoning_tokens: Some(bytes_in),
                ..ModelCall::default()
            })),
            prompt: maybe().map(|text| Box::new(Prompt {
                model: Some(text),
                input: Some(at),
                ..Prompt::default()
            })),
            answer: maybe().map(|text| Box::new(Words {
                said: vec![Said { by: "assistant".into(), text, taken_out: None }],
                cut: flags[1],
            })),
        }
    }
}

proptest! {
    #[test]
    fn a_line_is_the_json_that_serde_makes(event in event()) {
        prop_assert_eq!(line(&event), serde_json::to_string(&event).unwrap());
    }

    #[test]
    fn a_letter_that_needs_an_escape_is_found_wherever_it_stands(before in 0usize..80, after in 0usize..80, letter in prop_oneof![0u8..0x20, Just(b'"'), Just(b'\\')]) {
        let mut text = vec![b'a'; before];
        text.push(letter);
        text.resize(before + 1 + after, b'z');
        prop_assert!(needs_escapes(&text));
        text[before] = 0x7f;
        prop_assert!(!needs_escapes(&text));
    }
}

#[test]
fn an_empty_event_has_no_field_that_says_nothing() {
    let event = Event::default();
    assert_eq!(line(&event), serde_json::to_string(&event).unwrap());
}
