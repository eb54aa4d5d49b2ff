use lockgate_fuzzing::near;

use super::*;
use crate::answer::Stamp;
use crate::client_stream::ClientStream;
use crate::dialect::Surface;
use crate::pass_through::PassThrough;

const SEEDS: &[&str] = &[
    include_str!("../tests/golden/answers/openai.stream.sse"),
    include_str!("../tests/golden/answers/openai.stream_parallel.sse"),
    include_str!("../tests/golden/answers/anthropic.stream_parallel.sse"),
    include_str!("../tests/golden/answers/gemini.stream.sse"),
    include_str!("../tests/golden/answers/gemini.stream_parallel.sse"),
    include_str!("../tests/golden/answers/mistral.stream.sse"),
    include_str!("../tests/golden/answers/ollama.stream_parallel.ndjson"),
    include_str!("../tests/golden/answers/moonshot.stream.sse"),
];
const WORDS: &[&str] = &[
    "data: ",
    "data:",
    "event: error\n",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "[DONE]",
    ": ping\n\n",
    "\u{feff}",
    "{",
    "}",
    "\"",
    "null",
    "\"finish_reason\":\"stop\"",
    "\"index\":1",
    "\"index\":18446744073709551615",
    "\"done\":true",
    "{\"error\":\"x\"}",
    "{\"type\":\"message_stop\"}",
    "\"type\":\"message_start\"",
];

fn read(dialect: Dialect, pieces: &[&[u8]]) -> Vec<Event> {
    let mut stream = UpstreamStream::bounded(dialect, "c0ffee", 8_192);
    let mut events = Vec::new();
    for piece in pieces {
        stream.feed(piece, &mut events);
    }
    stream.end(Ending::Clean, &mut events);
    events
}

#[test]
fn a_stream_has_one_end_whatever_is_in_it_and_wherever_it_is_cut() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            for dialect in Dialect::ALL {
                let whole = read(dialect, &[input]);
                let ends = whole
                    .iter()
                    .filter(|event| matches!(event, Event::End | Event::Failed(_)));
                assert_eq!(ends.count(), 1);
                assert!(matches!(whole.last(), Some(Event::End | Event::Failed(_))));
                if whole.last() == Some(&Event::End) {
                    assert!(
                        whole
                            .iter()
                            .any(|event| matches!(event, Event::Finish { .. }))
                    );
                }
                let (one, two) = input.split_at(input.len() / 2);
                assert_eq!(read(dialect, &[one, two]), whole);
                for surface in Surface::ALL {
                    let stamp = Stamp {
                        id: "c0ffee".into(),
                        now: 1,
                        model: "fast".into(),
                    };
                    let mut client = ClientStream::new(surface, stamp, true);
                    let mut out = Vec::new();
                    for event in &whole {
                        client.write(event, &mut out);
                    }
                    assert!(client.is_over() && std::str::from_utf8(&out).is_ok());
                }
            }
        });
}

#[test]
fn what_is_passed_on_is_a_beginning_of_what_came() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            for surface in Surface::ALL {
                let Some(mut stream) = PassThrough::new(surface, "c0ffee", false) else {
                    continue;
                };
                let mut out = Vec::new();
                for piece in input.chunks(7) {
                    stream.feed(piece, &mut out);
                }
                let whole = stream.failure().is_none();
                stream.end(Ending::Dropped, &mut out);
                assert!(stream.is_over());
                if whole && stream.failure().is_none() {
                    assert!(input.starts_with(&out));
                    assert!(stream.finish().is_some());
                }
            }
        });
}
