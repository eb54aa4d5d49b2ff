//! Nodes of their own that are asked a sequence of requests, and a replay of what they recorded.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use lockgate_config::Source;
use lockgate_policy::{Revision, Timestamp};
use lockgate_proxy::{Clock, Node, Options};
use lockgate_recording::{Event, Reader};
use lockgate_replay::{Expectation, Report, replay};
use lockgate_testkit::read_message;

pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
const DRAIN: Duration = Duration::from_secs(20);

/// A request of a sequence, and how long after the one before it is sent, in microseconds.
#[derive(Clone)]
pub struct Sent {
    pub after: u64,
    pub text: String,
}

/// Numbers below a bound, which look like chance and are the same each time: xorshift.
pub fn chosen() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most as u64).unwrap()
    }
}

/// Sends the sequence to a node of its own; gives what it recorded, by number.
pub fn live(text: &str, folder: &Path, sequence: &[Sent]) -> HashMap<String, Event> {
    let clock = Clock::by_hand(START);
    let options = Options {
        clock: clock.clone(),
        ..Options::default()
    };
    let (node, _) = Node::start_with(Source::text("gateway.yaml", text), options)
        .unwrap_or_else(|error| panic!("{error:?}"));
    let address = node.listeners()[0].address;
    let mut connection = BufReader::new(TcpStream::connect(address).unwrap());
    let mut now = START;
    for sent in sequence {
        now = Timestamp(now.0 + sent.after);
        clock.set(now);
        connection
            .get_mut()
            .write_all(sent.text.as_bytes())
            .unwrap();
        read_message(&mut connection).unwrap();
    }
    drop(connection);
    assert!(node.stop(DRAIN));
    let events: HashMap<String, Event> = Reader::open(folder)
        .unwrap()
        .map(|event| event.unwrap())
        .map(|event| (event.headers.get("x-number").unwrap().to_owned(), event))
        .collect();
    assert_eq!(events.len(), sequence.len());
    events
}

pub fn compile(text: &str) -> Revision {
    Revision::check(&Source::text("gateway.yaml", text))
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
        .0
}

/// Replays a recording of which nothing is expected to differ.
pub fn run(base: &str, candidate: &str, recording: &Path) -> Report {
    let (base, candidate) = (compile(base), compile(candidate));
    replay(
        base,
        candidate,
        recording,
        &Expectation::default(),
        Vec::new(),
        &mut |_| true,
    )
    .unwrap()
}
