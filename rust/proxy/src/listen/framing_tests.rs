use super::*;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n";

/// What is said of an input, fed at once and byte by byte: both must agree on the verdict.
fn verdict(input: &[u8]) -> Result<u64, &'static str> {
    let at_once = run(input, input.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(run(input, piece), at_once, "in pieces of {piece}");
    }
    at_once
}

fn run(input: &[u8], piece: usize) -> Result<u64, &'static str> {
    let mut framing = Framing::new(4096);
    for part in input.chunks(piece) {
        match framing.feed(part) {
            Fed::Fine | Fed::Asks(_) => {}
            Fed::MalformedHead { why, .. } | Fed::MalformedBody(why) => return Err(why),
        }
    }
    Ok(framing.heads)
}

fn with(fields: &str) -> Result<u64, &'static str> {
    verdict(format!("{GET}{fields}\r\n").as_bytes())
}

#[test]
fn well_formed_messages_pass_one_after_the_other() {
    let input = format!(
        "{GET}\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello{GET}Transfer-Encoding: Chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n{GET}\r\n"
    );
    assert_eq!(verdict(input.as_bytes()), Ok(4));
}

#[test]
fn two_ways_to_say_where_a_body_ends_are_refused() {
    for (fields, why) in [
        (
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "`Content-Length` stands beside `Transfer-Encoding`",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "`Content-Length` stands beside `Transfer-Encoding`",
        ),
        (
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "there is more than one `Content-Length`",
        ),
        (
            "Content-Length: 1, 1\r\n",
            "`Content-Length` is not a number",
        ),
        ("Content-Length: +1\r\n", "`Content-Length` is not a number"),
        (
            "Content-Length: 0x1\r\n",
            "`Content-Length` is not a number",
        ),
        ("Content-Length:\r\n", "`Content-Length` is not a number"),
        (
            "Content-Length: 9999999999999999999\r\n",
            "`Content-Length` is not a number",
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "there is more than one `Transfer-Encoding`",
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            "`Transfer-Encoding` is not `chunked` alone",
        ),
        (
            "Transfer-Encoding: xchunked\r\n",
            "`Transfer-Encoding` is not `chunked` alone",
        ),
        (
            "Transfer-Encoding: \x0bchunked\r\n",
            "`Transfer-Encoding` is not `chunked` alone",
        ),
        (
            "Transfer-Encoding : chunked\r\n",
            "the name of a field holds a character that names cannot hold",
        ),
    ] {
        assert_eq!(with(fields), Err(why), "{fields:?}");
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(verdict(old), Err("HTTP/1.0 has no `Transfer-Encoding`"));
}

#[test]
fn lines_that_readers_end_differently_are_refused() {
    for (input, why) in [
        (
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "a line ends with a bare LF",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "a line ends with a bare LF",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "a line ends with a bare LF",
        ),
        (
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            "a line holds CR or NUL",
        ),
        (
            "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n",
            "a line holds CR or NUL",
        ),
        (
            "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            "a field is folded over lines",
        ),
        (
            "GET / HTTP/1.1\r\n\tA: b\r\n\r\n",
            "a field is folded over lines",
        ),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "a field has no colon"),
        (
            "GET / HTTP/1.1\r\n: b\r\n\r\n",
            "the name of a field holds a character that names cannot hold",
        ),
        (
            "\r\n\r\n\r\n\r\n\r\n\r\n",
            "there are empty lines where a request should begin",
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nXX\r\n",
            "the HTTP/2 preface is cut off",
        ),
    ] {
        assert_eq!(verdict(input.as_bytes()), Err(why), "{input:?}");
    }
}

#[test]
fn chunks_are_what_they_say() {
    let chunked = |chunks: &str| {
        verdict(format!("{GET}Transfer-Encoding: chunked\r\n\r\n{chunks}").as_bytes())
    };
    for (chunks, why) in [
        ("5\r\nhelloX\r\n", "a chunk is longer than its size"),
        ("5\r\nhello\n0\r\n\r\n", "a line ends with a bare LF"),
        ("5\nhello\r\n", "a line ends with a bare LF"),
        ("-5\r\n", "the size of a chunk is not a number"),
        ("0x5\r\n", "the size of a chunk is not a number"),
        ("5 \r\n", "the size of a chunk is not a number"),
        ("\r\n", "the size of a chunk is not a number"),
        (
            "FFFFFFFFFFFFFFFFF\r\n",
            "the size of a chunk is not a number",
        ),
        ("0\r\nbad trailer\r\n\r\n", "a field has no colon"),
    ] {
        assert_eq!(chunked(chunks), Err(why), "{chunks:?}");
    }
    assert_eq!(
        chunked(&format!("5;{}\r\n", "x".repeat(600))),
        Err("the line of a chunk is too long")
    );
    assert_eq!(chunked("A\r\n0123456789\r\n0\r\n\r\n"), Ok(1));
}

#[test]
fn http2_passes_unread() {
    assert_eq!(
        verdict(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n\r\n\0"),
        Ok(0)
    );
    assert_eq!(
        verdict(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Ok(1),
        "a method may begin as the preface does"
    );
}

#[test]
fn nothing_after_a_question_for_another_protocol_is_read_as_a_request() {
    let mut framing = Framing::new(4096);
    let head = format!("{GET}Connection: upgrade\r\nUpgrade: WebSocket\r\n\r\n");
    let input = format!("{head}GET /early HTTP/1.1\r\n\r\n");
    assert_eq!(framing.feed(input.as_bytes()), Fed::Asks(head.len()));
    framing.change();
    assert_eq!(framing.feed(b"\n\0\n"), Fed::Fine);
}

#[test]
fn what_is_passed_on_before_a_malformed_line_is_known() {
    let mut framing = Framing::new(4096);
    let malformed = |fine, whole_lines, started| Fed::MalformedHead {
        fine,
        whole_lines,
        started,
        why: "a line ends with a bare LF",
    };
    assert_eq!(
        framing.feed(b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n"),
        malformed(16, true, true)
    );
    let mut framing = Framing::new(4096);
    assert_eq!(framing.feed(b"GET / HTTP/1.1\r\nA: "), Fed::Fine);
    assert_eq!(framing.feed(b"b\n"), malformed(0, false, true));
    let mut framing = Framing::new(4096);
    assert_eq!(framing.feed(b"GET / HTTP/1.1\n"), malformed(0, true, false));
}

proptest::proptest! {
    #[test]
    fn any_bytes_get_the_same_verdict_however_they_are_cut(
        input in proptest::collection::vec(
            proptest::sample::select(b"GET /HTP1.0\r\n :;x5\0Content-LengthTransfer-Encodingchunked".to_vec()), 0..200),
        piece in 1usize..40,
    ) {
        let mut text = GET.as_bytes().to_vec();
        text.extend(input);
        proptest::prop_assert_eq!(run(&text, piece), run(&text, text.len()));
    }
}
