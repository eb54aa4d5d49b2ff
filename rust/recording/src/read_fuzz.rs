use lockgate_fuzzing::near;

use super::*;

const WORDS: &[&str] = &[
    "\n",
    "\n\n",
    "{",
    "}",
    "\"",
    ":",
    ",",
    "null",
    "\"v\":2,",
    "\"at\":-1,",
    "\"headers\":[",
    "\u{ff}",
    "\0",
    "{}\n",
    "18446744073709551616",
];

fn lines() -> String {
    let event = |at| Event {
        at,
        path: "/orders".into(),
        ..Event::default()
    };
    let line = |at| serde_json::to_string(&event(at)).unwrap() + "\n";
    line(1) + &line(2) + &line(3)
}

fn read(path: &Path, bytes: &[u8]) -> (Vec<Result<Event, ReadError>>, ReadWarnings) {
    fs::write(path, bytes).unwrap();
    let mut reader = Reader::open(path).unwrap();
    let items: Vec<_> = reader.by_ref().collect();
    (items, reader.warnings())
}

#[test]
fn a_damaged_segment_gives_its_events_up_to_the_damage_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zst");
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    std::io::Write::write_all(&mut encoder, lines().as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    let (expected, _) = read(&path, &whole);
    let expected: Vec<Event> = expected.into_iter().map(Result::unwrap).collect();
    bolero::check!()
        .with_iterations(1_000)
        .with_generator(near(
            &[&whole],
            &["\0", "\u{28}", "\u{b5}", "\u{2f}", "\u{fd}", "\u{7f}"],
        ))
        .for_each(|input| {
            let (items, warnings) = read(&path, input);
            let errors = items.iter().filter(|item| item.is_err()).count();
            // A second frame may follow the first; without damage each repeats what was written.
            if errors == 0 && warnings == ReadWarnings::default() {
                for item in &items {
                    assert!(expected.contains(item.as_ref().unwrap()));
                }
            }
            assert!(errors <= 1 + items.len());
        });
}

#[test]
fn each_line_is_an_event_or_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.zst");
    bolero::check!()
        .with_iterations(1_000)
        .with_generator(near(&[lines()], WORDS))
        .for_each(|input| {
            let (items, warnings) = read(&path, &zstd::encode_all(&**input, 1).unwrap());
            let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
            let cut = lines.pop().is_some_and(|rest| !rest.is_empty());
            assert_eq!(warnings.truncated, u64::from(cut));
            let full: Vec<(u64, &[u8])> = (1..)
                .zip(lines)
                .filter(|(_, line)| !line.trim_ascii().is_empty())
                .collect();
            assert_eq!(items.len(), full.len());
            for (item, (number, text)) in items.iter().zip(full) {
                match (item, serde_json::from_slice::<Event>(text)) {
                    (Ok(event), Ok(expected)) => assert_eq!(*event, expected),
                    (Err(ReadError::NotAnEvent { line, .. }), Err(_)) => assert_eq!(*line, number),
                    (item, expected) => panic!("{item:?} {expected:?}"),
                }
            }
        });
}

#[test]
fn a_name_is_read_only_when_it_would_be_written_so() {
    bolero::check!()
        .with_iterations(4_000)
        .with_generator(near(
            &[
                "events-0001700000000000-000001.ndjson.zst",
                "events-0001700000000000-000001.ndjson.zst.part",
            ],
            &[
                "-",
                "0",
                "+",
                ".part",
                "..",
                "/",
                "18446744073709551615",
                " ",
            ],
        ))
        .for_each(|input| {
            let text = input.text();
            if let Some(name) = SegmentName::read(&text) {
                assert_eq!(name.path(Path::new("")), Path::new(&text));
                assert!(!text.contains('/'));
            }
        });
}
