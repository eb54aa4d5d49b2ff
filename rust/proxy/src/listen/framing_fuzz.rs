//! What this reader lets pass, hyper reads in the same way.

use super::*;
use lockgate_fuzzing::near;

const SEEDS: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1A\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x01\x02",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
];
const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0",
    "5",
    "0x5",
    "+5",
    "ffffffffffffffff",
    "Content-Length: 5\r\n",
    "content-length:0\r\n",
    "Content-Length: 5, 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: identity\r\n",
    "transfer-encoding:\tchunked \r\n",
    " folded\r\n",
    "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.0",
    "0\r\n\r\n",
    "\x0b",
    "\x0c",
    "\u{a0}",
];
const MANY: usize = 100_000;

/// Where heads end for this reader, to the length of a piece, until it refuses; and whether it did. A question for another
/// protocol is answered with no, so that what follows is HTTP.
fn ours(input: &[u8], piece: usize) -> (Vec<usize>, bool) {
    let mut framing = Framing::new(MANY);
    let (mut ends, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let part = &input[at..input.len().min(at + piece)];
        let before = framing.heads;
        let fed = framing.feed(part);
        at += match fed {
            Fed::Asks(end) => end,
            _ => part.len(),
        };
        for _ in before..framing.heads {
            ends.push(at);
        }
        if matches!(fed, Fed::MalformedHead { .. } | Fed::MalformedBody(_)) {
            return (ends, true);
        }
    }
    (ends, false)
}

/// Why the reference reader stops.
#[derive(Debug, PartialEq)]
enum Stop {
    Refuses,
    WantsMore,
}

/// Where heads end for the parser that hyper uses, with bodies as hyper reads them.
fn reference(input: &[u8]) -> (Vec<usize>, Stop) {
    let (mut at, mut ends) = (0, Vec::new());
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut fields);
        let length = match request.parse(&input[at..]) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return (ends, Stop::WantsMore),
            Err(_) => return (ends, Stop::Refuses),
        };
        at += length;
        ends.push(at);
        let value = |name: &str| {
            let field = request
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name));
            field.map(|field| {
                String::from_utf8_lossy(field.value)
                    .trim_matches([' ', '\t'])
                    .to_ascii_lowercase()
            })
        };
        let body = if let Some(coding) = value("transfer-encoding") {
            if coding != "chunked" || request.version == Some(0) {
                return (ends, Stop::Refuses);
            }
            chunked(&input[at..])
        } else {
            let length = value("content-length").map_or(Ok(0), |text| text.parse::<usize>());
            match length {
                Ok(length) if length <= input.len() - at => Ok(length),
                Ok(_) => Err(Stop::WantsMore),
                Err(_) => Err(Stop::Refuses),
            }
        };
        match body {
            Ok(length) => at += length,
            Err(stop) => return (ends, stop),
        }
    }
}

/// The length of a chunked body.
fn chunked(input: &[u8]) -> Result<usize, Stop> {
    let mut at = 0;
    loop {
        let (start, size) = match httparse::parse_chunk_size(&input[at..]) {
            Ok(httparse::Status::Complete(read)) => read,
            Ok(httparse::Status::Partial) => return Err(Stop::WantsMore),
            Err(_) => return Err(Stop::Refuses),
        };
        at += start;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; 100];
            return match httparse::parse_headers(&input[at..], &mut fields) {
                Ok(httparse::Status::Complete((length, _))) => Ok(at + length),
                Ok(httparse::Status::Partial) => Err(Stop::WantsMore),
                Err(_) => Err(Stop::Refuses),
            };
        }
        let left = (input.len() - at) as u64;
        if size >= left {
            return Err(Stop::WantsMore);
        }
        at += usize::try_from(size).unwrap();
        match &input[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return Err(Stop::WantsMore),
            _ => return Err(Stop::Refuses),
        }
    }
}

#[test]
fn what_passes_ends_where_hyper_says_it_ends() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let (ours, refused) = ours(input, 1);
            if input.starts_with(PREFACE) {
                assert!(ours.is_empty() && !refused);
                return;
            }
            let (theirs, stop) = reference(input);
            // Where either stops, the connection ends: only what both read can be read differently.
            let both = ours.len().min(theirs.len());
            assert_eq!(ours[..both], theirs[..both], "{stop:?}");
            if !refused {
                assert!(
                    theirs.len() <= ours.len(),
                    "hyper reads more: {theirs:?} {ours:?}"
                );
            }
            if stop == Stop::WantsMore {
                assert!(
                    ours.len() <= theirs.len(),
                    "hyper reads less: {theirs:?} {ours:?}"
                );
            }
        });
}

#[test]
fn the_verdict_does_not_depend_on_how_the_input_is_cut() {
    bolero::check!()
        .with_iterations(2_000)
        .with_generator(near(SEEDS, WORDS))
        .for_each(|input| {
            let (heads, refused) = ours(input, 1);
            for piece in [2, 7, 64, MANY] {
                let (cut, verdict) = ours(input, piece);
                assert_eq!((cut.len(), verdict), (heads.len(), refused), "{piece}");
            }
        });
}
