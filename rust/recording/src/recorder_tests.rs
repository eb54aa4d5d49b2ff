use super::*;
use crate::read::Reader;

fn start(directory: &Path, lane_events: usize) -> Recorder {
    let options = RecorderOptions {
        lane_events,
        ..RecorderOptions::new(directory)
    };
    Recorder::start(options, Redactor::new([1; 32], ["x-pin"])).unwrap()
}

fn event(node: &str, at: u64) -> Event {
    Event {
        at,
        node: node.into(),
        ..Event::default()
    }
}

fn boxed(node: &str, at: u64) -> Box<Event> {
    Box::new(event(node, at))
}

#[test]
fn events_of_all_lanes_are_written_in_the_order_of_each_lane() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = start(directory.path(), 1000);
    let cores: Vec<_> = ["a", "b"]
        .map(|node| {
            let mut lane = recorder.lane();
            thread::spawn(move || (0..1000).all(|at| lane.push(boxed(node, at))))
        })
        .into();
    assert!(cores.into_iter().all(|core| core.join().unwrap()));
    let stats = recorder.stop();
    assert_eq!((stats.written, stats.dropped, stats.failed), (2000, 0, 0));
    let read: Vec<Event> = Reader::open_sealed(directory.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for node in ["a", "b"] {
        let times: Vec<u64> = read
            .iter()
            .filter(|event| &*event.node == node)
            .map(|event| event.at)
            .collect();
        assert_eq!(times, (0..1000).collect::<Vec<_>>());
    }
}

#[test]
fn a_full_lane_drops_and_counts_instead_of_waiting() {
    let (ring, mut consumer) = RingBuffer::new(3);
    let counts = Arc::new(Counts::default());
    let mut lane = Lane {
        ring,
        counts: Arc::clone(&counts),
        writer: None,
        wake_after: 1,
        pushed: 0,
    };
    let taken = (0..5).filter(|at| lane.push(boxed("a", *at))).count();
    assert_eq!((taken, counts.stats().dropped), (3, 2));
    assert_eq!(consumer.pop().unwrap().at, 0);
    assert!(lane.push(boxed("a", 9)));
}

#[test]
fn what_is_pushed_after_the_end_is_dropped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = start(directory.path(), 8);
    let mut lane = recorder.lane();
    assert!(lane.push(boxed("a", 1)));
    let counts = Arc::clone(&recorder.counts);
    drop(recorder);
    assert!(!lane.push(boxed("a", 2)));
    assert_eq!((counts.stats().written, counts.stats().dropped), (1, 1));
}

#[test]
fn no_credential_reaches_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = start(directory.path(), 8);
    let mut secret = event("a", 1);
    secret.headers.push("x-pin", "s3cret-pin");
    assert!(recorder.lane().push(Box::new(secret)));
    recorder.stop();
    let file = std::fs::read_dir(directory.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let text =
        String::from_utf8(zstd::decode_all(std::fs::File::open(file.path()).unwrap()).unwrap())
            .unwrap();
    assert!(text.contains("hmac-sha256:") && !text.contains("s3cret-pin"));
}

#[test]
fn a_directory_that_cannot_be_used_stops_the_start() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let result = Recorder::start(
        RecorderOptions::new(file.path()),
        Redactor::new([1; 32], [""; 0]),
    );
    assert!(matches!(result, Err(SegmentError::Directory { .. })));
}

#[test]
fn an_event_is_small_enough_for_its_lane() {
    assert!(size_of::<Event>() <= 700, "{}", size_of::<Event>());
}

#[test]
fn everything_that_waits_is_written_before_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let (mut ring, consumer) = RingBuffer::new(TURN * 40);
    (0..TURN as u64 * 40).for_each(|at| ring.push(boxed("a", at)).unwrap());
    let (lanes, new_lanes) = mpsc::channel();
    lanes.send(consumer).unwrap();
    let counts = Arc::new(Counts::default());
    counts.stop.store(true, Ordering::Release);
    let work = Work {
        new_lanes,
        lanes: Vec::new(),
        redactor: Redactor::new([1; 32], [""; 0]),
        writer: SegmentWriter::open(directory.path(), SegmentOptions::default(), now()).unwrap(),
        counts: Arc::clone(&counts),
    };
    work.run();
    assert_eq!(counts.stats().written, TURN as u64 * 40);
}
