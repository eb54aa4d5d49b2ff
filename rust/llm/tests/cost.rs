//! What watching and translating a chunk takes. Printed, and never a gate:
//! `cargo test --release -p lockgate-llm --test cost -- --nocapture`.

#![allow(clippy::unwrap_used)]

use std::time::Instant;

use lockgate_llm::{ClientStream, Dialect, PassThrough, Stamp, Surface, UpstreamStream};

const CHUNKS: u32 = 20_000;

fn chunk() -> Vec<u8> {
    br#"data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1700000000,"model":"gpt-5","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" there"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"abcdefgh"}

"#
    .to_vec()
}

#[test]
fn chunks_are_watched_and_translated() {
    let chunk = chunk();
    let mut stream = PassThrough::new(Surface::OpenaiChat, "c0ffee", false).unwrap();
    let mut out = Vec::new();
    let begin = Instant::now();
    for _ in 0..CHUNKS {
        out.clear();
        stream.feed(&chunk, &mut out);
        assert_eq!(out, chunk);
    }
    println!("passed on: {:?} a chunk", begin.elapsed() / CHUNKS);
    for surface in Surface::ALL {
        let stamp = Stamp {
            id: "c0ffee".into(),
            now: 1,
            model: "fast".into(),
        };
        let mut upstream = UpstreamStream::new(Dialect::Openai, "c0ffee");
        let mut client = ClientStream::new(surface, stamp, true);
        let mut events = Vec::new();
        let begin = Instant::now();
        for _ in 0..CHUNKS {
            out.clear();
            upstream.feed(&chunk, &mut events);
            for event in events.drain(..) {
                client.write(&event, &mut out);
            }
            assert!(!out.is_empty());
        }
        println!(
            "for {}: {:?} a chunk",
            surface.name(),
            begin.elapsed() / CHUNKS
        );
    }
}
