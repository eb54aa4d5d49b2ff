//! A node's disk: whatever happens to it, there is a whole revision to serve (failure classes F11, F12, F15).

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

use lockgate_rollout::generations::{Disk, Files, Generations, Loaded, MAX_BYTES, WriteError};

fn revision(number: u64) -> Vec<u8> {
    format!("revision {number} ").repeat(50).into_bytes()
}

/// Generations 1 and 2 are good, 3 serves.
fn three(folder: &Path) -> Generations {
    let mut generations = Generations::open(folder).unwrap();
    for number in 1..=3 {
        generations.accept(number, &revision(number)).unwrap();
        if number < 3 {
            generations.mark_good(number).unwrap();
        }
    }
    generations
}

fn loaded(folder: &Path) -> Loaded {
    let loaded = Generations::open(folder).unwrap().load().unwrap();
    assert_eq!(loaded.revision, revision(loaded.number), "whole");
    loaded
}

/// A disk that stops for good at one of its steps; what was not flushed is lost in part.
struct Stopping {
    steps: Rc<RefCell<Vec<&'static str>>>,
    stop_at: usize,
    unflushed: Vec<PathBuf>,
}

impl Stopping {
    fn step(&mut self, name: &'static str) -> io::Result<Files> {
        let mut steps = self.steps.borrow_mut();
        if steps.len() >= self.stop_at {
            for path in self.unflushed.drain(..) {
                if let Ok(bytes) = fs::read(&path) {
                    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
                }
            }
            return Err(io::Error::other("the machine has stopped"));
        }
        steps.push(name);
        Ok(Files)
    }
}

impl Disk for Stopping {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step("write")?.write(path, bytes)?;
        self.unflushed.push(path.to_owned());
        Ok(())
    }

    fn flush(&mut self, path: &Path) -> io::Result<()> {
        self.step("flush")?.flush(path)?;
        self.unflushed.retain(|unflushed| unflushed != path);
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename")?.rename(from, to)?;
        for path in &mut self.unflushed {
            if path == from {
                to.clone_into(path);
            }
        }
        Ok(())
    }

    fn flush_folder(&mut self, path: &Path) -> io::Result<()> {
        self.step("flush_folder")?.flush_folder(path)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step("remove")?.remove(path)
    }
}

fn stopping(
    folder: &Path,
    stop_at: usize,
) -> (Generations<Stopping>, Rc<RefCell<Vec<&'static str>>>) {
    let steps = Rc::default();
    let disk = Stopping {
        steps: Rc::clone(&steps),
        stop_at,
        unflushed: Vec::new(),
    };
    (Generations::open_on(folder, disk).unwrap(), steps)
}

/// Something that is done to generations, and those that may serve afterwards: if it failed, if it did not.
type Act = (
    fn(&mut Generations<Stopping>) -> Result<(), WriteError>,
    [u64; 2],
);

const ACTS: [Act; 4] = [
    (|generations| generations.accept(4, &revision(4)), [3, 4]),
    (|generations| generations.mark_good(3), [3, 3]),
    (|generations| generations.step_back().map(drop), [3, 2]),
    (|generations| generations.starting().map(drop), [3, 3]),
];

#[test]
fn a_machine_that_stops_at_any_step_of_a_write_serves_the_old_or_the_new_revision_whole() {
    for (act, [old, new]) in ACTS {
        let mut stop_at = 0;
        loop {
            let folder = tempfile::tempdir().unwrap();
            three(folder.path());
            let (mut generations, _) = stopping(folder.path(), stop_at);
            let result = act(&mut generations);
            let served = loaded(folder.path());
            match result {
                Ok(()) => assert_eq!(served.number, new, "stopped at {stop_at}"),
                Err(_) => assert!(
                    [old, new].contains(&served.number),
                    "stopped at {stop_at}: {}",
                    served.number
                ),
            }
            assert_eq!(served.passed_over, [0; 0], "stopped at {stop_at}");
            assert!(Generations::open(folder.path()).unwrap().newest() >= 3);
            assert!(Generations::open(folder.path()).unwrap().last_good() >= Some(2));
            // What was interrupted can be published again.
            let mut again = Generations::open(folder.path()).unwrap();
            if again.newest() < 4 {
                again.accept(4, &revision(4)).unwrap();
                assert_eq!(loaded(folder.path()).number, 4);
            }
            if result.is_ok() && stop_at > 14 {
                break;
            }
            stop_at += 1;
        }
    }
}

#[test]
fn the_first_write_that_is_stopped_leaves_nothing_or_all() {
    for stop_at in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let (mut generations, _) = stopping(folder.path(), stop_at);
        let is_written = generations.accept(1, &revision(1)).is_ok();
        let served = Generations::open(folder.path()).unwrap().load();
        assert!(!is_written || served.is_some());
        assert!(served.is_none_or(|loaded| loaded.revision == revision(1)));
    }
}

#[test]
fn a_revision_is_on_the_disk_before_its_name_and_before_the_state_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut generations, steps) = stopping(folder.path(), usize::MAX);
    generations.accept(1, &revision(1)).unwrap();
    let one = ["write", "flush", "rename", "flush_folder"];
    assert_eq!(*steps.borrow(), [one, one].concat());
}

/// All files of a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn one_damaged_file_of_any_kind_leaves_a_whole_revision_to_serve() {
    type Damage = fn(&mut Vec<u8>, usize);
    let damages: [(&str, Damage); 3] = [
        ("truncated", |bytes, at| bytes.truncate(at)),
        ("a flipped bit", |bytes, at| bytes[at] ^= 0x10),
        ("zeros", |bytes, at| bytes[at..].fill(0)),
    ];
    for (name, damage) in damages {
        for index in 0..5 {
            for part in [0, 1, 30, 60, 99] {
                let folder = tempfile::tempdir().unwrap();
                three(folder.path());
                let path = &files(folder.path())[index];
                let mut bytes = fs::read(path).unwrap();
                let at = bytes.len() * part / 100;
                damage(&mut bytes, at);
                fs::write(path, bytes).unwrap();
                let served = loaded(folder.path());
                assert!(
                    served.number >= 2,
                    "{name} at {at} of {}: {}",
                    path.display(),
                    served.number
                );
                let newest = Generations::open(folder.path()).unwrap().newest();
                assert_eq!(newest, 3, "{name} at {at} of {}", path.display());
            }
        }
    }
}

#[test]
fn a_damaged_revision_is_passed_over_and_said() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    fs::write(folder.path().join("3.candidate"), "").unwrap();
    let served = loaded(folder.path());
    assert_eq!((served.number, served.passed_over), (2, vec![3]));
    fs::remove_file(folder.path().join("2.good")).unwrap();
    let served = loaded(folder.path());
    assert_eq!((served.number, served.passed_over), (1, vec![3, 2]));
}

#[test]
fn a_copy_under_another_number_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    fs::copy(
        folder.path().join("1.good"),
        folder.path().join("3.candidate"),
    )
    .unwrap();
    assert_eq!(loaded(folder.path()).number, 2);
}

#[test]
fn an_empty_revision_is_never_served_though_its_checksum_is_right() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let nothing =
        "lockgate generation 3 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    fs::write(folder.path().join("3.candidate"), nothing).unwrap();
    assert_eq!(loaded(folder.path()).number, 2);
}

#[test]
fn the_older_state_finds_all_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = three(folder.path());
    generations.step_back().unwrap();
    generations.step_back().unwrap();
    let states = ["state-0", "state-1"].map(|name| folder.path().join(name));
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let newer = states
        .iter()
        .find(|path| read(path).contains("\"current\":1,"))
        .unwrap();
    fs::write(newer, "?").unwrap();
    let served = loaded(folder.path());
    assert_eq!((served.number, served.passed_over.len()), (2, 0));
}

#[test]
fn without_any_state_the_newest_good_revision_serves_and_old_numbers_stay_fenced() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    for slot in ["state-0", "state-1"] {
        fs::write(folder.path().join(slot), "?").unwrap();
    }
    assert_eq!(loaded(folder.path()).number, 2);
    let mut generations = Generations::open(folder.path()).unwrap();
    let stale = generations.accept(3, &revision(3)).unwrap_err();
    assert!(matches!(
        stale,
        WriteError::Stale {
            number: 3,
            newest: 3
        }
    ));
    generations.accept(4, &revision(4)).unwrap();
    assert_eq!(loaded(folder.path()).number, 4);
}

#[test]
fn a_stale_writer_changes_nothing_also_after_a_step_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = three(folder.path());
    assert_eq!(generations.step_back().unwrap(), 2);
    for number in [0, 1, 2, 3] {
        let error = generations.accept(number, b"stale").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "generation {number} is stale: 3 was accepted already; publish again with a higher number"
            )
        );
    }
    assert_eq!(loaded(folder.path()).number, 2);
    generations.accept(4, &revision(4)).unwrap();
    assert_eq!(loaded(folder.path()).number, 4);
}

#[test]
fn steps_back_go_to_the_last_good_one_then_the_one_before_and_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = three(folder.path());
    assert_eq!(generations.step_back().unwrap(), 2);
    assert_eq!(generations.step_back().unwrap(), 1);
    assert!(matches!(
        generations.step_back(),
        Err(WriteError::NothingBefore)
    ));
    assert_eq!(
        (loaded(folder.path()).number, generations.last_good()),
        (1, Some(1))
    );
}

#[test]
fn a_crash_loop_steps_back_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    let served: Vec<u64> = (0..12)
        .map(|_| {
            let mut generations = Generations::open(folder.path()).unwrap();
            generations.starting().unwrap();
            generations.load().unwrap().number
        })
        .collect();
    assert_eq!(served, [3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_node_that_settles_does_not_step_back() {
    let folder = tempfile::tempdir().unwrap();
    three(folder.path());
    for _ in 0..10 {
        let mut generations = Generations::open(folder.path()).unwrap();
        assert!(!generations.starting().unwrap());
        generations.settled().unwrap();
    }
    assert_eq!(loaded(folder.path()).number, 3);
}

#[test]
fn what_cannot_serve_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut generations = three(folder.path());
    let empty = generations.accept(4, b"").unwrap_err();
    assert_eq!(
        empty.to_string(),
        "generation 4 is empty; a node keeps what it has"
    );
    let large = generations
        .accept(4, &vec![b'x'; MAX_BYTES + 1])
        .unwrap_err();
    assert_eq!(
        large.to_string(),
        "generation 4 has 67108865 bytes; the most is 67108864"
    );
    let other = generations.mark_good(2).unwrap_err();
    assert_eq!(
        other.to_string(),
        "generation 2 does not serve; only what serves becomes last good"
    );
    assert_eq!(loaded(folder.path()).number, 3);
}

#[test]
fn old_generations_are_removed_and_nobody_else_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let mut generations = Generations::open(folder.path()).unwrap();
    for number in 1..=50 {
        generations.accept(number, &revision(number)).unwrap();
        generations.mark_good(number).unwrap();
    }
    let files = files(folder.path());
    // Three generations, one more that the older state names, and two states.
    assert!(files.len() <= 6, "{files:?}");
    for file in files {
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
