use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::read::Reader;

const SECOND: u64 = 1_000_000;

fn event(at: u64) -> Event {
    Event {
        at,
        path: "/orders".into(),
        ..Event::default()
    }
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn times(path: &Path) -> Vec<u64> {
    Reader::open(path)
        .unwrap()
        .map(|event| event.unwrap().at)
        .collect()
}

fn open(directory: &Path, options: SegmentOptions, now: u64) -> SegmentWriter {
    SegmentWriter::open(directory, options, now).unwrap()
}

#[test]
fn events_are_read_back_from_a_sealed_segment() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 5);
    (0..1000).for_each(|at| writer.append(&event(at), 7));
    let stats = writer.finish(8);
    assert_eq!(
        (stats.written, stats.failed, stats.sealed, stats.errors),
        (1000, 0, 1, 0)
    );
    assert_eq!(
        files(directory.path()),
        ["events-0000000000000007-000001.ndjson.zst"]
    );
    assert_eq!(times(directory.path()), (0..1000).collect::<Vec<_>>());
    let size = fs::metadata(directory.path().join(&files(directory.path())[0]))
        .unwrap()
        .len();
    assert_eq!(stats.bytes, size);
}

#[test]
fn directory_and_segments_are_for_their_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("a/b");
    let mut writer = open(&directory, SegmentOptions::default(), 0);
    writer.append(&event(1), 0);
    writer.tick(2 * SECOND);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(&files(&directory)[0])), 0o600);
}

#[test]
fn what_was_flushed_survives_a_crash_and_is_sealed_by_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 0);
    (0..10).for_each(|at| writer.append(&event(at), 0));
    writer.tick(SECOND);
    assert_eq!(writer.stats().written, 10);
    writer.append(&event(99), SECOND);
    // A crash: nothing is flushed or finished, the system closes the file.
    drop(writer);
    assert!(files(directory.path())[0].ends_with(".part"));
    let mut reader = Reader::open(directory.path()).unwrap();
    assert_eq!(
        reader
            .by_ref()
            .map(|event| event.unwrap().at)
            .collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
    let warnings = reader.warnings();
    assert_eq!((warnings.truncated, warnings.lost_ends), (1, 0));
    assert_eq!(Reader::open_sealed(directory.path()).unwrap().count(), 0);

    let next = open(directory.path(), SegmentOptions::default(), 2 * SECOND);
    assert_eq!(next.stats().sealed, 1);
    assert!(files(directory.path())[0].ends_with(".zst"));
    let mut reader = Reader::open_sealed(directory.path()).unwrap();
    assert_eq!(reader.by_ref().count(), 10);
    assert_eq!(reader.warnings().lost_ends, 1, "nobody writes its end");
}

#[test]
fn a_segment_that_is_still_written_is_left_to_its_writer() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = open(directory.path(), SegmentOptions::default(), 0);
    first.append(&event(1), 0);
    first.tick(SECOND);
    let mut second = open(directory.path(), SegmentOptions::default(), SECOND);
    second.append(&event(2), SECOND);
    assert_eq!(first.finish(SECOND).sealed, 1);
    assert_eq!(second.finish(SECOND).sealed, 1);
    assert_eq!(times(directory.path()), [1, 2]);
}

#[test]
fn nothing_is_written_out_before_a_second_has_passed() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 0);
    writer.append(&event(1), 0);
    writer.tick(SECOND - 1);
    assert_eq!(writer.stats().written, 0);
    writer.tick(SECOND);
    assert_eq!(writer.stats().written, 1);
}

#[test]
fn a_clock_that_is_set_back_delays_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 100 * SECOND);
    writer.append(&event(1), 100 * SECOND);
    writer.tick(50 * SECOND);
    assert_eq!(writer.stats().written, 1);
}

#[test]
fn segments_end_by_age_and_by_size() {
    let directory = tempfile::tempdir().unwrap();
    let options = SegmentOptions {
        rotate_every: Duration::from_secs(10),
        ..SegmentOptions::default()
    };
    let mut writer = open(directory.path(), options, 0);
    writer.append(&event(1), 0);
    writer.tick(SECOND);
    writer.tick(9 * SECOND);
    assert_eq!(writer.stats().sealed, 0);
    writer.tick(11 * SECOND);
    assert_eq!(writer.stats().sealed, 1);
    drop(writer);

    let options = SegmentOptions {
        rotate_bytes: 10,
        ..SegmentOptions::default()
    };
    let mut writer = open(directory.path(), options, 20 * SECOND);
    for at in 2..5 {
        writer.append(&event(at), at * 20 * SECOND);
        writer.tick(at * 20 * SECOND);
    }
    assert_eq!(writer.stats().sealed, 3);
    assert_eq!(times(directory.path()), [1, 2, 3, 4]);
}

#[test]
fn the_oldest_segments_are_deleted_but_no_file_of_others_and_never_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("events-notes.zst"), [0; 4096]).unwrap();
    let options = SegmentOptions {
        rotate_bytes: 1,
        keep_bytes: 1,
        ..SegmentOptions::default()
    };
    let mut writer = open(directory.path(), options, 0);
    for at in 1..5 {
        writer.append(&event(at), at * SECOND);
        writer.seal(at * SECOND);
    }
    assert_eq!(writer.stats().deleted, 3);
    assert_eq!(times(directory.path()), [4]);
    assert!(files(directory.path()).contains(&"events-notes.zst".to_owned()));
}

#[test]
fn what_fits_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 0);
    for at in 1..5 {
        writer.append(&event(at), at);
        writer.seal(at);
    }
    assert_eq!(
        (writer.stats().deleted, times(directory.path())),
        (0, vec![1, 2, 3, 4])
    );
}

#[test]
fn a_directory_that_cannot_be_used_says_so() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = SegmentWriter::open(&file.join("sub"), SegmentOptions::default(), 0).unwrap_err();
    assert!(matches!(error, SegmentError::Directory { .. }));
    assert!(
        error.to_string().starts_with("recording directory `"),
        "{error}"
    );
}

#[test]
fn a_directory_that_vanishes_costs_counted_events_and_writing_goes_on_when_it_is_back() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("recording");
    let mut writer = open(&directory, SegmentOptions::default(), 0);
    fs::remove_dir_all(&directory).unwrap();
    writer.append(&event(1), 0);
    writer.tick(SECOND);
    assert!(writer.stats().errors > 0 && writer.stats().written == 0);
    assert!(matches!(
        writer.last_error(),
        Some(SegmentError::Create { .. })
    ));
    let large = Event {
        body: Some("x".repeat(1000).into()),
        ..event(2)
    };
    (0..3000).for_each(|_| writer.append(&large, SECOND));
    let lost = writer.stats().failed;
    assert!(lost > 1000 && writer.pending.len() < 2 * MAX_PENDING_BYTES);

    fs::create_dir(&directory).unwrap();
    writer.tick(3 * SECOND);
    assert!(writer.last_error().is_none());
    let stats = writer.finish(3 * SECOND);
    assert_eq!((stats.failed, stats.written), (lost, 3001 - lost));
    assert_eq!(times(&directory).len() as u64, stats.written);
}

#[test]
fn a_full_disk_is_counted_and_tried_again() {
    // The device takes no byte and says that the disk is full.
    let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 0);
    let name = SegmentName {
        start: 0,
        number: 9,
        sealed: false,
    };
    writer.open = Some(OpenSegment::new(full, name).unwrap());
    writer.append(&event(1), 0);
    writer.tick(SECOND);
    writer.tick(2 * SECOND);
    assert!(matches!(
        writer.last_error(),
        Some(SegmentError::Write { .. })
    ));
    let stats = writer.finish(3 * SECOND);
    assert_eq!((stats.written, stats.failed, stats.sealed), (0, 1, 0));
    assert!(stats.errors >= 2);
}

#[test]
fn an_event_too_long_for_readers_loses_its_body_or_is_counted_as_failed() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = open(directory.path(), SegmentOptions::default(), 0);
    let long: crate::Text = "x".repeat(MAX_LINE_BYTES).into();
    writer.append(
        &Event {
            body: Some(long.clone()),
            ..event(1)
        },
        0,
    );
    writer.append(
        &Event {
            path: long,
            ..event(2)
        },
        0,
    );
    let stats = writer.finish(0);
    assert_eq!((stats.written, stats.failed), (1, 1));
    let read = Reader::open(directory.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert_eq!((read.at, read.body, read.body_truncated), (1, None, true));
}

#[test]
fn a_failed_attempt_is_repeated_after_a_second_and_not_before() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("recording");
    let mut writer = open(&directory, SegmentOptions::default(), 0);
    fs::remove_dir_all(&directory).unwrap();
    let large = Event {
        body: Some("x".repeat(BATCH_BYTES).into()),
        ..event(1)
    };
    (0..5).for_each(|_| writer.append(&large, SECOND / 2));
    assert_eq!(writer.stats().errors, 1);
    writer.append(&large, 2 * SECOND);
    assert_eq!(writer.stats().errors, 2);
}
