//! What was used of limits when a recording began, so that a replay counts on from there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::segment_name::{SegmentName, list};

const PREFIX: &str = "begin-";
/// Not `.json`: `lockgate run` takes each change of such a file below the document for a change of the document.
const SUFFIX: &str = ".state";
const VERSION: u32 = 1;
/// The largest file that is read.
const MOST_BYTES: u64 = 256 << 20;

/// The start of a node that records, with what its callers had used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beginning {
    v: u32,
    /// When the node started, in microseconds since 1970.
    pub at: u64,
    /// What was used of limits, in the form of whoever counts.
    pub usage: Value,
}

/// Writes down what is used when a node starts to record into a folder, before its first event.
///
/// # Errors
/// The folder cannot be written.
pub fn write_beginning(directory: &Path, at: u64, usage: Value) -> io::Result<()> {
    let segments = list(directory)?;
    let next = segments.iter().map(|name| name.number).max();
    let next = next.map_or(0, |last| last.saturating_add(1));
    if let Some(first) = segments.iter().map(|name| name.number).min() {
        forget_before(directory, first)?;
    }
    let beginning = Beginning {
        v: VERSION,
        at,
        usage,
    };
    let path = directory.join(format!("{PREFIX}{next:06}{SUFFIX}"));
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&serde_json::to_vec(&beginning)?)?;
    file.sync_all()?;
    fs::rename(&beside, &path)
}

/// The start that the first segment of a recording, a segment or a folder of them, has followed at once. Nothing when segments
/// between the two were deleted: what was used then is not known.
#[must_use]
pub fn read_beginning(recording: &Path) -> Option<Beginning> {
    let (directory, first) = if recording.is_dir() {
        let segments = list(recording).ok()?;
        let first = segments.iter().map(|name| name.number).min()?;
        (recording, first)
    } else {
        let name = recording.file_name()?.to_str()?;
        (recording.parent()?, SegmentName::read(name)?.number)
    };
    // The writer takes a number to prove that the folder can be written.
    [first, first.checked_sub(1)?]
        .into_iter()
        .find_map(|number| read(&directory.join(format!("{PREFIX}{number:06}{SUFFIX}"))))
}

fn read(path: &Path) -> Option<Beginning> {
    if fs::metadata(path).ok()?.len() > MOST_BYTES {
        return None;
    }
    let beginning: Beginning = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (beginning.v == VERSION).then_some(beginning)
}

/// Removes beginnings whose segments were all deleted.
fn forget_before(directory: &Path, first: u64) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| {
            let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
            digits.parse::<u64>().ok()
        });
        if number.is_some_and(|number| number.saturating_add(1) < first) {
            fs::remove_file(directory.join(name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Event, SegmentOptions, SegmentWriter};

    fn write(directory: &Path, at: u64) {
        let mut writer = SegmentWriter::open(directory, SegmentOptions::default(), at).unwrap();
        write_beginning(directory, at, json!([at])).unwrap();
        writer.append(&Event::default(), at);
        writer.finish(at);
    }

    #[test]
    fn a_recording_begins_where_its_first_segment_does() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(read_beginning(folder), None);
        write(folder, 1);
        write(folder, 2);
        assert_eq!(read_beginning(folder).unwrap().at, 1);
        let segments = list(folder).unwrap();
        let [first, second] = &segments[..] else {
            panic!("{segments:?}")
        };
        assert_eq!(
            read_beginning(&second.path(folder)).unwrap().usage,
            json!([2])
        );
        // The first segment is deleted: the second one has followed its own start at once.
        fs::remove_file(first.path(folder)).unwrap();
        assert_eq!(read_beginning(folder).unwrap().at, 2);
        // Starts without segments of their own are forgotten with the next one.
        write(folder, 3);
        let kept = fs::read_dir(folder).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with(PREFIX)
        });
        assert_eq!(kept.count(), 2);
    }

    #[test]
    fn after_segments_were_deleted_nothing_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let options = SegmentOptions {
            rotate_bytes: 1,
            ..SegmentOptions::default()
        };
        let mut writer = SegmentWriter::open(folder, options, 1).unwrap();
        write_beginning(folder, 1, json!([])).unwrap();
        for at in [2, 2_000_000, 4_000_000, 6_000_000] {
            writer.append(&Event::default(), at);
            writer.tick(at + 1_500_000);
        }
        writer.finish(8_000_000);
        let segments = list(folder).unwrap();
        assert!(segments.len() > 1, "{segments:?}");
        assert!(read_beginning(folder).is_some());
        fs::remove_file(segments[0].path(folder)).unwrap();
        assert_eq!(read_beginning(folder), None);
    }
}
