//! How streams end, told truly, whatever the provider did and wherever its bytes were cut.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use lockgate_llm::{
    ClientStream, Delta, Dialect, Ending, Event, FailureKind, FinishReason, PassThrough, Stamp,
    Surface, UpstreamStream,
};
use serde_json::Value;

fn input(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden/answers")
            .join(name),
    )
    .unwrap()
}

fn stamp() -> Stamp {
    Stamp {
        id: "c0ffee".into(),
        now: 1_700_000_100,
        model: "fast".into(),
    }
}

/// Every recorded stream that ends well.
const WHOLE: [(Dialect, &str); 10] = [
    (Dialect::Openai, "openai.stream.sse"),
    (Dialect::Openai, "openai.stream_parallel.sse"),
    (Dialect::Anthropic, "anthropic.stream.sse"),
    (Dialect::Anthropic, "anthropic.stream_parallel.sse"),
    (Dialect::Gemini, "gemini.stream.sse"),
    (Dialect::Gemini, "gemini.stream_parallel.sse"),
    (Dialect::Mistral, "mistral.stream.sse"),
    (Dialect::Ollama, "ollama.stream.ndjson"),
    (Dialect::Ollama, "ollama.stream_parallel.ndjson"),
    (Dialect::Moonshot, "moonshot.stream.sse"),
];

fn read(dialect: Dialect, pieces: &[&[u8]], ending: Ending) -> Vec<Event> {
    let mut stream = UpstreamStream::new(dialect, "c0ffee");
    let mut events = Vec::new();
    for piece in pieces {
        stream.feed(piece, &mut events);
    }
    stream.end(ending, &mut events);
    assert!(stream.is_over());
    events
}

fn write(surface: Surface, events: &[Event]) -> String {
    let mut client = ClientStream::new(surface, stamp(), true);
    let mut out = Vec::new();
    for event in events {
        client.write(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

fn text(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Delta {
                delta: Delta::Text(text),
                ..
            } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

/// Words in a caller's language that say that all went well.
fn says_it_is_done(surface: Surface, written: &str) -> bool {
    match surface {
        Surface::OpenaiChat => written.contains("[DONE]"),
        Surface::OpenaiResponses => {
            written.contains("response.completed") || written.contains("response.incomplete")
        }
        Surface::AnthropicMessages => written.contains("message_stop"),
        Surface::Gemini => written.contains("finishReason"),
        Surface::Plain => written.contains("event: end"),
    }
}

fn says_it_failed(surface: Surface, written: &str) -> bool {
    match surface {
        Surface::OpenaiChat | Surface::Gemini => written.contains("data: {\"error\":"),
        Surface::OpenaiResponses => {
            written.contains("event: response.failed") && written.contains("event: error")
        }
        Surface::AnthropicMessages => written.contains("event: error\ndata: {\"type\":\"error\""),
        Surface::Plain => written.contains("event: error\ndata: {\"type\":\"https:"),
    }
}

#[test]
fn every_cut_of_the_bytes_gives_the_same_events() {
    for (dialect, name) in WHOLE {
        let bytes = input(name);
        let whole = read(dialect, &[&bytes], Ending::Clean);
        assert_eq!(whole.last(), Some(&Event::End), "{name}");
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            assert_eq!(
                read(dialect, &[one, two], Ending::Clean),
                whole,
                "{name} cut at {at}"
            );
        }
        let singles: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(
            read(dialect, &singles, Ending::Clean),
            whole,
            "{name} byte by byte"
        );
    }
}

#[test]
fn events_without_data_say_nothing_wherever_they_are_cut() {
    for (dialect, name) in WHOLE {
        if dialect == Dialect::Ollama {
            continue;
        }
        let expected = read(dialect, &[&input(name)], Ending::Clean);
        let told = |events: Vec<Event>| -> Vec<Event> {
            events
                .into_iter()
                .filter(|event| *event != Event::Ping)
                .collect()
        };
        for end in ["\r\n", "\n", "\r"] {
            for empty in ["data:", "data: ", ": ping", "event: x", "id: 7", ""] {
                // Two of them: what is left of the end of one stands before the other.
                let mut bytes = format!("{empty}{end}{end}").repeat(2).into_bytes();
                let before = bytes.len();
                bytes.extend(input(name));
                for at in 0..=before {
                    let (one, two) = bytes.split_at(at);
                    let events = read(dialect, &[one, two], Ending::Clean);
                    assert_eq!(
                        told(events),
                        told(expected.clone()),
                        "{name} {empty:?}{end:?} cut at {at}"
                    );
                }
            }
        }
    }
}

#[test]
fn why_an_answer_ended_and_what_of_it_was_reasoning_is_known_from_every_provider() {
    use FinishReason::{Stop, ToolCalls};
    let known = [
        ("openai.stream.sse", Stop, Some(3)),
        ("openai.stream_parallel.sse", ToolCalls, None),
        ("anthropic.stream.sse", Stop, None),
        ("anthropic.stream_parallel.sse", ToolCalls, None),
        ("gemini.stream.sse", Stop, Some(3)),
        ("gemini.stream_parallel.sse", ToolCalls, Some(3)),
        ("mistral.stream.sse", Stop, None),
        ("ollama.stream.ndjson", Stop, None),
        ("ollama.stream_parallel.ndjson", ToolCalls, None),
        ("moonshot.stream.sse", Stop, None),
    ];
    for ((dialect, name), (of, reason, reasoning)) in WHOLE.into_iter().zip(known) {
        assert_eq!(name, of);
        let bytes = input(name);
        let mut stream = UpstreamStream::new(dialect, "c0ffee");
        assert_eq!(stream.reason(), None, "{name}: nothing is made up");
        stream.feed(&bytes, &mut Vec::new());
        stream.end(Ending::Clean, &mut Vec::new());
        assert_eq!(stream.reason(), Some(reason), "{name}");
        let said = stream.usage().and_then(|usage| usage.reasoning);
        assert_eq!(said, reasoning, "{name}");
        // What is passed on as it is says the same to those who watch.
        for surface in Surface::ALL {
            if surface.native() == Some(dialect)
                && let Some(mut watch) = PassThrough::new(surface, "c0ffee", false)
            {
                watch.feed(&bytes, &mut Vec::new());
                watch.end(Ending::Clean, &mut Vec::new());
                let said = watch.usage().and_then(|usage| usage.reasoning);
                assert_eq!((watch.reason(), said), (Some(reason), reasoning), "{name}");
            }
        }
    }
}

#[test]
fn of_several_answers_the_one_that_ended_least_as_wished_says_why() {
    let chunk = |index: u64, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":{index},\"delta\":{{}},\"finish_reason\":\"{finish}\"}}]}}\n\n"
        )
    };
    for order in [["stop", "length", "tool_calls"], ["length", "stop", "flux"]] {
        let mut stream = UpstreamStream::new(Dialect::Openai, "c0ffee");
        for (index, finish) in (0_u64..).zip(order) {
            stream.feed(chunk(index, finish).as_bytes(), &mut Vec::new());
        }
        assert_eq!(stream.reason(), Some(FinishReason::Length), "{order:?}");
    }
}

#[test]
fn a_stream_that_ends_too_early_is_a_failure_in_every_language() {
    for (dialect, name) in WHOLE {
        let bytes = input(name);
        let whole = read(dialect, &[&bytes], Ending::Clean);
        for at in 0..bytes.len() {
            for ending in [Ending::Clean, Ending::Dropped, Ending::TimedOut] {
                let events = read(dialect, &[&bytes[..at]], ending);
                let finished = events
                    .iter()
                    .any(|event| matches!(event, Event::Finish { .. }));
                match events.last() {
                    // The provider had said why, and closed in order or said so itself.
                    Some(Event::End) => assert!(finished, "{name} cut at {at}: {ending:?}"),
                    Some(Event::Failed(failure)) => {
                        assert!(failure.usage.as_ref().is_none_or(|usage| usage.partial));
                        assert!(
                            matches!(
                                failure.kind,
                                FailureKind::StreamTruncated
                                    | FailureKind::StreamDropped
                                    | FailureKind::Timeout
                            ),
                            "{name} cut at {at}: {failure:?}"
                        );
                    }
                    other => panic!("{name} cut at {at}: {other:?}"),
                }
                assert!(
                    text(&whole).starts_with(&text(&events)),
                    "no text is made up"
                );
                let said: Vec<_> = events
                    .iter()
                    .filter(|event| matches!(event, Event::Usage(_)))
                    .collect();
                assert!(
                    said.iter().all(|event| whole.contains(event)),
                    "no usage is made up"
                );
            }
        }
    }
}

#[test]
fn callers_of_every_language_are_told() {
    for (dialect, name) in WHOLE {
        let bytes = input(name);
        for at in [bytes.len() / 3, bytes.len() / 2] {
            let events = read(dialect, &[&bytes[..at]], Ending::Dropped);
            for surface in Surface::ALL {
                let written = write(surface, &events);
                assert!(
                    says_it_failed(surface, &written),
                    "{name} {surface:?}: {written}"
                );
                assert!(
                    !says_it_is_done(surface, &written),
                    "{name} {surface:?}: {written}"
                );
            }
        }
        let events = read(dialect, &[&bytes], Ending::Clean);
        for surface in Surface::ALL {
            let written = write(surface, &events);
            assert!(
                says_it_is_done(surface, &written),
                "{name} {surface:?}: {written}"
            );
            assert!(
                !says_it_failed(surface, &written),
                "{name} {surface:?}: {written}"
            );
        }
    }
}

#[test]
fn a_malformed_chunk_ends_the_stream_with_what_was_known() {
    let cases: [(Dialect, &str, &str); 5] = [
        (
            Dialect::Openai,
            "openai.stream.sse",
            "data: {\"id\":\"x\",\n\n",
        ),
        (
            Dialect::Openai,
            "openai.stream.sse",
            "data: {\"id\":\"x\"}\n\n",
        ),
        (
            Dialect::Anthropic,
            "anthropic.stream.sse",
            "event: content_block_delta\ndata: {oops}\n\n",
        ),
        (Dialect::Gemini, "gemini.stream.sse", "data: [1]\r\n\r\n"),
        (
            Dialect::Ollama,
            "ollama.stream.ndjson",
            "{\"model\":\"x\"}\n",
        ),
    ];
    for (dialect, name, bad) in cases {
        let good = input(name);
        let good = String::from_utf8(good).unwrap();
        let half = good.find("Hello").unwrap();
        let half = half + good[half..].find('\n').unwrap() + 1;
        let rest = good[half..].trim_start_matches(['\r', '\n']);
        let cut = good.len() - rest.len();
        let events = read(
            dialect,
            &[&good.as_bytes()[..cut], bad.as_bytes(), rest.as_bytes()],
            Ending::Clean,
        );
        let Some(Event::Failed(failure)) = events.last() else {
            panic!("{name}: {events:?}");
        };
        assert_eq!(failure.kind, FailureKind::StreamMalformed, "{name}");
        assert_eq!(text(&events), "Hello", "{name}");
        let known = matches!(dialect, Dialect::Anthropic | Dialect::Gemini);
        assert_eq!(
            failure.usage.as_ref().map(|usage| usage.partial),
            known.then_some(true),
            "{name}"
        );
    }
}

#[test]
fn a_providers_own_error_keeps_its_kind() {
    let overloaded = read(
        Dialect::Anthropic,
        &[&input("anthropic.stream_overloaded.sse")],
        Ending::Clean,
    );
    let Some(Event::Failed(failure)) = overloaded.last() else {
        panic!("{overloaded:?}");
    };
    assert_eq!(
        (failure.kind, failure.status),
        (FailureKind::Overloaded, 529)
    );
    assert_eq!(failure.usage.as_ref().unwrap().input, Some(12));
    let ollama = read(
        Dialect::Ollama,
        &[&input("ollama.stream_error.ndjson")],
        Ending::Clean,
    );
    assert!(
        matches!(ollama.last(), Some(Event::Failed(failure)) if failure.message.contains("running the model"))
    );
    let mistral = read(
        Dialect::Mistral,
        &[b"data: {\"id\":\"a\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n"],
        Ending::Clean,
    );
    assert!(
        matches!(mistral.last(), Some(Event::Failed(failure)) if failure.kind == FailureKind::Server)
    );
}

#[test]
fn an_answer_of_several_is_whole_when_each_has_ended() {
    let chunk = |index: u8, finish: &str| {
        format!(
            "data: {{\"id\":\"a\",\"model\":\"m\",\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"x\"}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let one = chunk(0, "null") + &chunk(1, "null") + &chunk(0, "\"stop\"");
    let events = read(
        Dialect::Openai,
        &[one.as_bytes(), b"data: [DONE]\n\n"],
        Ending::Clean,
    );
    assert!(
        matches!(events.last(), Some(Event::Failed(failure)) if failure.kind == FailureKind::StreamTruncated)
    );
    let both = one + &chunk(1, "\"stop\"");
    assert_eq!(
        read(Dialect::Openai, &[both.as_bytes()], Ending::Clean).last(),
        Some(&Event::End)
    );
}

#[test]
fn an_event_without_end_is_bounded() {
    let mut stream = UpstreamStream::bounded(Dialect::Openai, "c0ffee", 1_000);
    let mut events = Vec::new();
    for _ in 0..10 {
        stream.feed(&[b'x'; 500], &mut events);
    }
    assert!(
        matches!(events.as_slice(), [Event::Failed(failure)] if failure.kind == FailureKind::StreamMalformed)
    );
}

#[test]
fn a_call_that_the_limit_cut_off_is_no_call_for_gemini_callers() {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"a\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let call =
        r#"{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\":"}}]}"#;
    for (finish, fails) in [("\"length\"", false), ("\"tool_calls\"", true)] {
        let bytes = chunk(call, "null") + &chunk("{}", finish) + "data: [DONE]\n\n";
        let events = read(Dialect::Openai, &[bytes.as_bytes()], Ending::Clean);
        let mut client = ClientStream::new(Surface::Gemini, stamp(), false);
        let mut out = Vec::new();
        for event in &events {
            client.write(event, &mut out);
        }
        assert_eq!(client.failure().is_some(), fails);
        assert_eq!(client.losses().is_empty(), fails);
        assert!(!String::from_utf8(out).unwrap().contains("functionCall"));
    }
}

fn pass(surface: Surface, pieces: &[&[u8]], ending: Ending, hide: bool) -> (PassThrough, String) {
    let mut stream = PassThrough::new(surface, "c0ffee", hide).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        stream.feed(piece, &mut out);
    }
    stream.end(ending, &mut out);
    (stream, String::from_utf8(out).unwrap())
}

const PASSED: [(Surface, &str); 6] = [
    (Surface::OpenaiChat, "openai.stream.sse"),
    (Surface::OpenaiChat, "openai.stream_parallel.sse"),
    (Surface::AnthropicMessages, "anthropic.stream.sse"),
    (Surface::AnthropicMessages, "anthropic.stream_parallel.sse"),
    (Surface::Gemini, "gemini.stream.sse"),
    (Surface::Gemini, "gemini.stream_parallel.sse"),
];

#[test]
fn what_is_passed_on_is_not_touched_wherever_it_is_cut() {
    for (surface, name) in PASSED {
        let bytes = input(name);
        for at in 0..=bytes.len() {
            let (one, two) = bytes.split_at(at);
            let (stream, out) = pass(surface, &[one, two], Ending::Clean, false);
            assert_eq!(out.as_bytes(), bytes, "{name} cut at {at}");
            assert!(
                stream.failure().is_none() && stream.finish().is_some() && stream.model().is_some()
            );
            assert!(stream.usage().is_none_or(|usage| !usage.partial));
        }
    }
    let (stream, _) = pass(
        Surface::AnthropicMessages,
        &[&input("anthropic.stream.sse")],
        Ending::Clean,
        false,
    );
    let usage = stream.usage().unwrap();
    assert_eq!(
        (usage.input, usage.cached, usage.output),
        (Some(12), Some(4), Some(7))
    );
}

#[test]
fn what_breaks_off_is_passed_on_and_told() {
    for (surface, name) in PASSED {
        let bytes = input(name);
        for at in 0..bytes.len() {
            let (stream, out) = pass(surface, &[&bytes[..at]], Ending::Dropped, false);
            if stream.failure().is_none() {
                // All had been said before the connection broke.
                assert!(
                    out.contains("[DONE]") || out.contains("message_stop"),
                    "{name} cut at {at}"
                );
                continue;
            }
            assert!(says_it_failed(surface, &out), "{name} cut at {at}: {out}");
            let (passed, _) = out
                .rsplit_once(if surface == Surface::AnthropicMessages {
                    "event: error"
                } else {
                    "data: {\"error\""
                })
                .unwrap();
            assert!(
                bytes.starts_with(passed.as_bytes()),
                "{name} cut at {at}: only whole events go on"
            );
        }
    }
}

#[test]
fn done_without_a_finish_does_not_go_on() {
    let bytes = b"data: {\"id\":\"a\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\ndata: [DONE]\n\n";
    let (stream, out) = pass(Surface::OpenaiChat, &[bytes], Ending::Clean, false);
    assert!(
        !out.contains("[DONE]") && says_it_failed(Surface::OpenaiChat, &out),
        "{out}"
    );
    assert_eq!(stream.failure().unwrap().kind, FailureKind::StreamTruncated);
}

#[test]
fn usage_that_only_the_gateway_asked_for_stays_here() {
    let bytes = input("openai.stream.sse");
    let (stream, out) = pass(Surface::OpenaiChat, &[&bytes], Ending::Clean, true);
    assert!(!out.contains("\"usage\"") && out.ends_with("data: [DONE]\n\n"));
    assert_eq!(stream.usage().unwrap().output, Some(7));
    for line in out.lines().filter_map(|line| line.strip_prefix("data: {")) {
        serde_json::from_str::<Value>(&format!("{{{line}")).unwrap();
    }
}
