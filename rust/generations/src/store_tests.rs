use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex};

use lockgate_config::Carried;

use super::files::name;
use super::*;
use crate::sealed::seal;
use crate::starts::START_WINDOW_SECONDS;
use crate::target::Target;

/// How a disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// One step fails, as when the disk is full; the node lives on.
    Full,
    /// The process is killed within the step; what was written is there.
    Kill,
    /// The power is lost within the step; what was not flushed is gone.
    Power,
}

#[derive(Debug, Default)]
struct File {
    written: Vec<u8>,
    flushed: Vec<u8>,
}

#[derive(Debug, Default)]
struct Inner {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    flushed: BTreeMap<PathBuf, usize>,
    steps: usize,
    fails: Option<(usize, Fault)>,
    dead: bool,
}

/// A disk in memory that knows what a loss of power would leave.
#[derive(Debug, Clone, Default)]
struct Ram(Arc<Mutex<Inner>>);

impl Ram {
    /// Runs a step; the one that fails does half of it when `half` can.
    fn step(&self, run: impl FnOnce(&mut Inner, bool)) -> std::io::Result<()> {
        let mut inner = self.0.lock().unwrap();
        if inner.dead {
            return Err(Error::other("dead"));
        }
        inner.steps += 1;
        match inner.fails {
            Some((at, fault)) if at == inner.steps => {
                inner.dead = fault != Fault::Full;
                run(&mut inner, false);
                Err(Error::from(ErrorKind::StorageFull))
            }
            _ => {
                run(&mut inner, true);
                Ok(())
            }
        }
    }

    fn fail(&self, at: usize, fault: Fault) {
        self.0.lock().unwrap().fails = Some((at, fault));
    }

    /// The machine as it comes up again.
    fn restart(&self) {
        let mut inner = self.0.lock().unwrap();
        if let Some((_, Fault::Power)) = inner.fails {
            inner.names = inner.flushed.clone();
            for file in &mut inner.files {
                file.written = file.flushed.clone();
            }
        }
        (inner.fails, inner.dead) = (None, false);
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.0.lock().unwrap();
        let file = inner.names[&PathBuf::from("/s").join(name)];
        change(&mut inner.files[file].written);
    }
}

impl Disk for Ram {
    fn make_folder(&self, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    fn read(&self, path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
        let inner = self.0.lock().unwrap();
        let file = inner.names.get(path).ok_or(ErrorKind::NotFound)?;
        let bytes = inner.files[*file].written.clone();
        assert!(bytes.len() as u64 <= most);
        Ok(bytes)
    }

    fn list(&self, _: &Path) -> std::io::Result<Vec<String>> {
        let inner = self.0.lock().unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        Ok(inner.names.keys().map(name).collect())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        self.step(|inner, whole| {
            let end = if whole { bytes.len() } else { bytes.len() / 2 };
            inner.files.push(File {
                written: bytes[..end].to_vec(),
                // Some of what was not flushed may have reached the disk.
                flushed: bytes[..end / 3].to_vec(),
            });
            let file = inner.files.len() - 1;
            inner.names.insert(path.to_owned(), file);
        })
    }

    fn flush(&self, path: &Path) -> std::io::Result<()> {
        self.step(|inner, whole| {
            if !whole {
                return;
            }
            match inner.names.get(path) {
                Some(file) => {
                    let file = &mut inner.files[*file];
                    file.flushed = file.written.clone();
                }
                None => inner.flushed = inner.names.clone(),
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.step(|inner, whole| {
            if whole && let Some(file) = inner.names.remove(from) {
                inner.names.insert(to.to_owned(), file);
            }
        })
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.step(|inner, whole| {
            if whole {
                inner.names.remove(path);
            }
        })
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn bundle(generation: u64) -> Bundle {
    Bundle::new(
        format!("{{\"lockgate\":1,\"n\":{generation}}}"),
        &Carried::default(),
        generation,
        None,
        at(0),
    )
}

fn open(ram: &Ram) -> Opened {
    Store::with_disk(PathBuf::from("/s"), Box::new(ram.clone()), at(0)).unwrap()
}

fn apply(store: &mut Store, generation: u64) -> Result<(), Nack> {
    store.propose(&bundle(generation), Path::new("/etc"), at(1))?;
    let full = |error: Error| Nack::Disk(error.to_string());
    store.applied(generation, at(2)).map_err(full)
}

fn current(store: &Store) -> Option<u64> {
    store.current().map(|kept| kept.generation)
}

/// What a node does in its life, one acknowledged step after the other; gives the generations that were acknowledged, and those that
/// the step which failed was about to bring.
fn life(store: &mut Store) -> (Vec<u64>, Option<u64>) {
    let mut served = Vec::new();
    for generation in 1..=4 {
        if apply(store, generation).is_err() {
            return (served, Some(generation));
        }
        served.push(generation);
        if store.baked(at(3)).is_err() {
            return (served, None);
        }
    }
    if apply(store, 5).is_err() {
        return (served, Some(5));
    }
    served.push(5);
    if store.go_back(4, "wrong", at(9)).is_err() {
        return (served, Some(4));
    }
    served.push(4);
    (served, None)
}

#[test]
fn whatever_step_dies_the_next_start_serves_what_was_acknowledged_or_the_step_after() {
    let healthy = Ram::default();
    let whole = life(&mut open(&healthy).store);
    assert_eq!(whole, (vec![1, 2, 3, 4, 5, 4], None));
    let steps = healthy.0.lock().unwrap().steps;
    assert!(steps > 50);
    for fault in [Fault::Full, Fault::Kill, Fault::Power] {
        for step in 1..=steps {
            let ram = Ram::default();
            ram.fail(step, fault);
            let (served, next) = life(&mut open(&ram).store);
            ram.restart();
            let store = open(&ram).store;
            let now = current(&store);
            let allowed = [served.last().copied(), next];
            let what = format!("{fault:?} at step {step}: {now:?} of {served:?}, then {next:?}");
            if served.is_empty() {
                assert!(now.is_none() || allowed.contains(&now), "{what}");
                continue;
            }
            assert!(allowed.contains(&now), "{what}");
            assert_eq!(
                store.load(now.unwrap()).unwrap().0,
                bundle(now.unwrap()),
                "{what}"
            );
            assert!(store.newest() >= *served.iter().max().unwrap(), "{what}");
            for generation in store.servable() {
                store
                    .load(generation)
                    .unwrap_or_else(|error| panic!("{what}: {error}"));
            }
        }
    }
}

#[test]
fn a_disk_that_was_full_takes_the_next_change() {
    for step in 1..20 {
        let ram = Ram::default();
        let mut store = open(&ram).store;
        apply(&mut store, 1).unwrap();
        let done = ram.0.lock().unwrap().steps;
        ram.fail(done + step, Fault::Full);
        let _ = apply(&mut store, 2);
        ram.restart();
        apply(&mut store, 3).unwrap();
        assert_eq!(current(&store), Some(3));
        assert_eq!(current(&open(&ram).store), Some(3), "step {step}");
    }
}

#[test]
fn a_damaged_copy_of_the_journal_costs_one_step_at_most() {
    for copy in ["journal.a", "journal.b"] {
        let ram = Ram::default();
        let mut store = open(&ram).store;
        apply(&mut store, 1).unwrap();
        store.baked(at(3)).unwrap();
        apply(&mut store, 2).unwrap();
        ram.change(copy, |bytes| bytes[100] ^= 1);
        let Opened { store, said } = open(&ram);
        assert!(said[0].contains("one copy of the journal"), "{said:?}");
        let now = current(&store).unwrap();
        assert!(store.load(now).is_ok());
        assert_eq!(store.newest(), 2);
        assert_eq!(store.last_good(), Some(1));
    }
}

#[test]
fn without_a_journal_the_newest_whole_generation_is_served_and_no_number_comes_again() {
    let ram = Ram::default();
    let mut store = open(&ram).store;
    apply(&mut store, 1).unwrap();
    apply(&mut store, 2).unwrap();
    for copy in ["journal.a", "journal.b"] {
        ram.change(copy, |bytes| bytes.truncate(30));
    }
    ram.change(&name(2), |bytes| bytes.truncate(99));
    let Opened { mut store, said } = open(&ram);
    assert!(said[0].contains("both copies"), "{said:?}");
    assert_eq!(store.servable(), [1]);
    let nack = store
        .propose(&bundle(2), Path::new("/"), at(4))
        .unwrap_err();
    assert_eq!(nack.code(), "generation.older");
}

#[test]
fn a_flipped_bit_costs_that_generation_and_says_so() {
    let ram = Ram::default();
    let mut store = open(&ram).store;
    apply(&mut store, 1).unwrap();
    store.baked(at(3)).unwrap();
    apply(&mut store, 2).unwrap();
    ram.change(&name(2), |bytes| bytes[200] ^= 4);
    let said = store.load(2).unwrap_err().to_string();
    assert_eq!(
        said,
        "generation 2 is damaged on disk: its checksum does not fit"
    );
    assert_eq!(store.servable(), [2, 1]);
    assert!(store.load(1).is_ok());
}

#[test]
fn a_late_publisher_is_refused_and_so_is_one_that_took_the_same_number() {
    let mut store = open(&Ram::default()).store;
    apply(&mut store, 7).unwrap();
    let late = store
        .propose(&bundle(6), Path::new("/"), at(3))
        .unwrap_err();
    assert_eq!(
        late.to_string(),
        "generation 6 comes late: generation 7 was seen already"
    );
    let other = Bundle::new("{}".into(), &Carried::default(), 7, None, at(0));
    let taken = store.propose(&other, Path::new("/"), at(3)).unwrap_err();
    assert_eq!(taken, Nack::Taken(7));
    assert_eq!(store.propose(&bundle(7), Path::new("/"), at(3)), Ok(()));
    // Going back makes no room for numbers that were used.
    apply(&mut store, 8).unwrap();
    store.go_back(7, "wrong", at(4)).unwrap();
    let nack = store.propose(&bundle(8), Path::new("/"), at(5));
    assert!(nack.is_ok(), "the same revision is known: {nack:?}");
}

#[test]
fn only_what_was_proven_is_the_last_good() {
    let mut store = open(&Ram::default()).store;
    apply(&mut store, 1).unwrap();
    assert_eq!(store.last_good(), None);
    store.baked(at(3)).unwrap();
    apply(&mut store, 2).unwrap();
    apply(&mut store, 3).unwrap();
    assert_eq!(store.last_good(), Some(1));
    assert_eq!(store.find(Target::LastGood).unwrap(), 1);
    assert_eq!(store.find(Target::Previous).unwrap(), 2);
    let listed: Vec<u64> = store.list().iter().map(|kept| kept.generation).collect();
    assert_eq!(listed, [3, 2, 1]);
}

#[test]
fn from_the_last_good_one_goes_back_to_the_one_before() {
    let mut store = open(&Ram::default()).store;
    for generation in 1..=2 {
        apply(&mut store, generation).unwrap();
        store.baked(at(3)).unwrap();
    }
    assert_eq!(store.find(Target::LastGood).unwrap(), 1);
    store.go_back(1, "it refuses everybody", at(4)).unwrap();
    assert_eq!((current(&store), store.last_good()), (Some(1), Some(1)));
    let nack = store.refused(bundle(2).id()).unwrap();
    assert!(
        nack.to_string()
            .ends_with("was taken back: it refuses everybody")
    );
    let said = store.find(Target::LastGood).unwrap_err().to_string();
    assert_eq!(
        said,
        "there is no generation to go back to: no other was proven, and none was served before"
    );
    // A person may ask for it all the same.
    store.go_back(2, "it was right", at(5)).unwrap();
    assert_eq!(store.refused(bundle(2).id()), None);
}

#[test]
fn a_generation_that_is_not_kept_is_named_with_those_that_are() {
    let mut store = open(&Ram::default()).store;
    apply(&mut store, 1).unwrap();
    apply(&mut store, 2).unwrap();
    let said = store.find(Target::Generation(9)).unwrap_err().to_string();
    assert_eq!(
        said,
        "there is no generation to go back to: generation 9 is not kept; these are: 1, 2"
    );
    let said = store.find(Target::Generation(2)).unwrap_err().to_string();
    assert!(said.ends_with("generation 2 is served already"));
}

#[test]
fn the_third_start_without_proof_goes_back_and_says_why() {
    let ram = Ram::default();
    let mut store = open(&ram).store;
    apply(&mut store, 1).unwrap();
    store.baked(at(3)).unwrap();
    apply(&mut store, 2).unwrap();
    assert_eq!(open(&ram).store.start(at(10)).unwrap(), None);
    let mut store = open(&ram).store;
    let said = store.start(at(11)).unwrap().unwrap();
    assert!(said.starts_with("went back from generation 2 to 1: the node started 3 times"));
    assert_eq!(current(&store), Some(1));
    assert!(store.refused(bundle(2).id()).is_some());
}

#[test]
fn starts_that_end_as_told_or_lie_long_back_say_nothing_against_a_generation() {
    let mut store = open(&Ram::default()).store;
    apply(&mut store, 1).unwrap();
    store.baked(at(3)).unwrap();
    apply(&mut store, 2).unwrap();
    for start in 0..9 {
        assert_eq!(store.start(at(10 + start)).unwrap(), None);
        store.end().unwrap();
    }
    for start in 1..9 {
        assert_eq!(store.start(at(start * START_WINDOW_SECONDS)).unwrap(), None);
    }
    assert_eq!(current(&store), Some(2));
}

#[test]
fn a_proven_generation_is_not_taken_back_by_starts() {
    let mut store = open(&Ram::default()).store;
    for generation in 1..=2 {
        apply(&mut store, generation).unwrap();
        store.baked(at(3)).unwrap();
    }
    for start in 0..9 {
        assert_eq!(store.start(at(start)).unwrap(), None);
    }
    assert_eq!(current(&store), Some(2));
}

#[test]
fn a_candidate_that_was_never_served_is_dropped_at_the_next_start() {
    let ram = Ram::default();
    let mut store = open(&ram).store;
    apply(&mut store, 1).unwrap();
    store.propose(&bundle(2), Path::new("/"), at(3)).unwrap();
    let Opened { store, said } = open(&ram);
    assert_eq!(
        said,
        ["generation 2 was written but never served; it is dropped"]
    );
    assert_eq!((current(&store), store.newest()), (Some(1), 2));
}

#[test]
fn the_number_of_revocations_never_falls() {
    let ram = Ram::default();
    let mut store = open(&ram).store;
    store.raise_revocations(7).unwrap();
    store.raise_revocations(3).unwrap();
    assert_eq!(open(&ram).store.revocations(), 7);
}

#[test]
fn a_journal_of_a_newer_lockgate_is_left_alone() {
    let ram = Ram::default();
    let mut store = open(&ram).store;
    apply(&mut store, 1).unwrap();
    let newer = seal(br#"{"v":2,"more":true}"#);
    ram.change("journal.a", |bytes| *bytes = newer);
    let opened = Store::with_disk(PathBuf::from("/s"), Box::new(ram), at(0));
    assert!(matches!(opened, Err(StoreError::Newer(2))));
}

#[test]
fn two_nodes_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path(), at(0)).unwrap();
    let second = Store::open(folder.path(), at(0));
    assert!(matches!(second, Err(StoreError::InUse(_))));
    drop(first);
    assert!(Store::open(folder.path(), at(0)).is_ok());
}

#[test]
fn what_is_kept_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), at(0)).unwrap().store;
    apply(&mut store, 1).unwrap();
    let kept = folder.path().join("generations");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&kept), 0o700);
    for name in ["lock", "journal.a", "journal.b", &name(1)] {
        assert_eq!(mode(&kept.join(name)), 0o600, "{name}");
    }
}
