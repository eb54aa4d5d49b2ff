use lockgate_fuzzing::near;

use super::*;

const ID: &str = "00112233445566778899aabbccddeeff";
const SEEDS: &[&str] = &[
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes-later",
    "00-00000000000000000000000000000000-0000000000000000-00",
];
const WORDS: &[&str] = &[
    "-",
    "ff",
    "00",
    "A",
    "g",
    " ",
    "\t",
    "\u{ff}",
    "0000000000000000",
];

#[test]
fn the_next_hop_can_always_read_the_trace() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(input) {
                headers.insert(TRACEPARENT, value);
                headers.insert(TRACESTATE, HeaderValue::from_static("a=1"));
            }
            let trace = Trace::of(&headers, &RequestId::read(ID), None);
            trace.write(&mut headers);
            let written = headers.get(TRACEPARENT).unwrap().to_str().unwrap();
            assert_eq!(written.len(), 55);
            assert_eq!(read(written).unwrap().trace, trace.id());
            assert_eq!(headers.contains_key(TRACESTATE), trace.id() != ID);
            let said = input.text();
            assert!(trace.id() == ID || said.contains(trace.id()));
        });
}
