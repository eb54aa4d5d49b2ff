use std::io::Write;

use proptest::prelude::*;

use super::*;

fn segment(directory: &Path, start: u64, lines: &[u8]) -> PathBuf {
    let path = SegmentName {
        start,
        number: 0,
        sealed: true,
    }
    .path(directory);
    fs::write(&path, zstd::encode_all(lines, 1).unwrap()).unwrap();
    path
}

fn line(at: u64) -> String {
    serde_json::to_string(&Event {
        at,
        ..Event::default()
    })
    .unwrap()
        + "\n"
}

fn times(reader: &mut Reader) -> Vec<Option<u64>> {
    reader
        .map(|event| event.ok().map(|event| event.at))
        .collect()
}

#[test]
fn segments_are_read_in_the_order_of_their_start() {
    let directory = tempfile::tempdir().unwrap();
    segment(directory.path(), 200, (line(3) + &line(4)).as_bytes());
    segment(
        directory.path(),
        100,
        (line(1) + "\n" + &line(2)).as_bytes(),
    );
    segment(directory.path(), 300, b"");
    fs::write(directory.path().join("other.zst"), b"junk").unwrap();
    let mut reader = Reader::open(directory.path()).unwrap();
    assert_eq!(times(&mut reader), [1, 2, 3, 4].map(Some));
    assert_eq!(reader.warnings(), ReadWarnings::default());
}

#[test]
fn a_segment_cut_at_any_byte_gives_whole_events_and_at_most_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for at in 0..5 {
        encoder.write_all(line(at).as_bytes()).unwrap();
        encoder.flush().unwrap();
    }
    let whole = encoder.finish().unwrap();
    let path = directory.path().join("cut.zst");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut reader = Reader::open(&path).unwrap();
        let read = times(&mut reader);
        let expected: Vec<_> = (0..read.len() as u64).map(Some).collect();
        assert_eq!(read, expected, "cut at {length}");
        assert_eq!(reader.warnings().truncated, 1, "cut at {length}");
    }
}

#[test]
fn a_damaged_segment_is_an_error_and_the_next_one_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = segment(directory.path(), 1, line(1).as_bytes());
    fs::write(&path, b"this is not compressed at all").unwrap();
    segment(directory.path(), 2, line(2).as_bytes());
    let all: Vec<_> = Reader::open(directory.path()).unwrap().collect();
    assert!(
        matches!(all[..], [Err(ReadError::Damaged { line: 0, .. }), Ok(_)]),
        "{all:?}"
    );
}

#[test]
fn a_line_that_is_too_long_or_no_event_is_an_error_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(MAX_LINE_BYTES + 1);
    let text = format!("{}{long}\n{{\"at\":true}}\n{}", line(1), line(4));
    segment(directory.path(), 1, text.as_bytes());
    let all: Vec<_> = Reader::open(directory.path()).unwrap().collect();
    assert!(
        matches!(
            all[..],
            [
                Ok(_),
                Err(ReadError::TooLong { line: 2, .. }),
                Err(ReadError::NotAnEvent { line: 3, .. }),
                Ok(_)
            ]
        ),
        "{all:?}"
    );
}

#[test]
fn a_line_of_just_the_limit_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = line(1);
    let fill = " ".repeat(MAX_LINE_BYTES + 1 - text.len());
    text.insert_str(1, &fill);
    segment(directory.path(), 1, text.as_bytes());
    assert_eq!(
        times(&mut Reader::open(directory.path()).unwrap()),
        [Some(1)]
    );
}

#[test]
fn a_segment_that_asks_for_too_much_memory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = segment(directory.path(), 1, b"");
    // A frame header with a window of 2^30 bytes (RFC 8878 §3.1.1.1.2), then an empty last block.
    fs::write(
        &path,
        [0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00],
    )
    .unwrap();
    let all: Vec<_> = Reader::open(directory.path()).unwrap().collect();
    assert!(
        matches!(all[..], [Err(ReadError::Damaged { .. })]),
        "{all:?}"
    );
}

#[test]
fn segments_sealed_or_deleted_after_listing_are_found_or_noted() {
    let directory = tempfile::tempdir().unwrap();
    let sealed = segment(directory.path(), 1, line(1).as_bytes());
    let part = SegmentName {
        start: 1,
        number: 0,
        sealed: false,
    }
    .path(directory.path());
    fs::rename(&sealed, &part).unwrap();
    let gone = segment(directory.path(), 2, line(2).as_bytes());
    let mut reader = Reader::open(directory.path()).unwrap();
    fs::rename(&part, &sealed).unwrap();
    fs::remove_file(gone).unwrap();
    assert_eq!(times(&mut reader), [Some(1)]);
    assert_eq!(reader.warnings().vanished, 1);
}

#[test]
fn a_filter_picks_events_up_to_its_limit() {
    let directory = tempfile::tempdir().unwrap();
    let text: String = (0..10).map(line).collect();
    segment(directory.path(), 1, text.as_bytes());
    let filter = Filter {
        since: Some(3),
        until: Some(8),
        limit: Some(4),
        ..Filter::default()
    };
    let read: Vec<u64> = Reader::open(directory.path())
        .unwrap()
        .filtered(filter)
        .map(|event| event.unwrap().at)
        .collect();
    assert_eq!(read, [3, 4, 5, 6]);
}

#[test]
fn segments_last_written_before_the_wanted_time_are_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    segment(directory.path(), 1, b"no event\n");
    let later = last_written(directory.path()).unwrap() + 3_600_000_000;
    let filter = Filter {
        since: Some(later),
        ..Filter::default()
    };
    assert_eq!(
        Reader::open(directory.path())
            .unwrap()
            .filtered(filter)
            .count(),
        0
    );
    assert_eq!(Reader::open(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_path_that_is_not_there_says_so() {
    let error = Reader::open(Path::new("/nonexistent/recording")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("recording `/nonexistent/recording` cannot be read"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), compressed: bool, flip in any::<(usize, u8)>()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("any.zst");
        let mut data = if compressed { zstd::encode_all(&bytes[..], 1).unwrap() } else { bytes };
        let length = data.len().max(1);
        if let Some(byte) = data.get_mut(flip.0 % length) {
            *byte ^= flip.1;
        }
        fs::write(&path, data).unwrap();
        prop_assert!(Reader::open(&path).unwrap().count() < 1000);
    }
}
