use super::*;

#[test]
fn a_name_comes_back_from_its_text() {
    for sealed in [true, false] {
        for (start, number) in [(0, 0), (1_700_000_000_000_000, 12), (u64::MAX, u64::MAX)] {
            let name = SegmentName {
                start,
                number,
                sealed,
            };
            assert_eq!(SegmentName::read(&name.text()), Some(name));
        }
    }
}

#[test]
fn names_of_others_are_not_segments() {
    for name in [
        "",
        "events-1-1.ndjson.zst",
        "events-+000000000000001-000001.ndjson.zst",
        "events-0000000000000001-000001.ndjson",
        "events-0000000000000001-000001.ndjson.zst.part.part",
        "my-events-0000000000000001-000001.ndjson.zst",
        "events-99999999999999999999999-000001.ndjson.zst",
    ] {
        assert_eq!(SegmentName::read(name), None, "{name}");
    }
}

#[test]
fn a_directory_lists_its_segments_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let names = [(20, 0), (3, 1), (3, 0)].map(|(start, number)| SegmentName {
        start,
        number,
        sealed: true,
    });
    for name in names {
        fs::write(name.path(directory.path()), b"").unwrap();
    }
    fs::write(directory.path().join("notes.txt"), b"").unwrap();
    assert_eq!(
        list(directory.path()).unwrap(),
        [names[2], names[1], names[0]]
    );
}
