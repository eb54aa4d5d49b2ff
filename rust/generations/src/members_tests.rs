use lockgate_config::load_directory;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

struct Folder {
    folder: tempfile::TempDir,
    store: Store,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), at(0)).unwrap().store;
        Self { folder, store }
    }

    fn members(&self) -> Result<Members, StoreError> {
        Members::open(self.folder.path(), self.store.revocations())
    }

    fn damage(&self, name: &str) {
        let path = self.folder.path().join("generations").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[90] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
}

fn document(text: &str) -> DirectoryDocument {
    load_directory("d.yaml", &format!("lockgate_directory: 1\n{text}")).unwrap()
}

fn publish(members: &mut Members, text: &str) -> Result<(), Problem> {
    let document = document(text);
    let applications = members.after(&document)?;
    members.publish(document.sequence, applications).unwrap();
    Ok(())
}

fn ids(members: &Members) -> Vec<&str> {
    let applications = members.applications().unwrap();
    applications.keys().map(String::as_str).collect()
}

#[test]
fn what_is_published_comes_in_order_or_not_at_all() {
    let folder = Folder::new();
    let mut members = folder.members().unwrap();
    publish(&mut members, "sequence: 7\napplications: { a: {}, b: {} }").unwrap();
    publish(&mut members, "sequence: 8\nset: { c: {} }\nremove: [a]").unwrap();
    assert_eq!(ids(&members), ["b", "c"]);
    for (text, said) in [
        (
            "sequence: 8\napplications: { a: {} }",
            "sequence 8 comes late: sequence 8 is served already",
        ),
        (
            "sequence: 10\nremove: [b]",
            "the delta 10 does not follow what is served, 8",
        ),
        (
            "sequence: 9\nremove: [d]",
            "there is no application `d` to remove",
        ),
        (
            "sequence: 9\nremove: [b, c]",
            "nobody would be left, and everybody refused",
        ),
    ] {
        let problem = publish(&mut members, text).unwrap_err();
        assert_eq!(problem.message, said);
    }
    let again = folder.members().unwrap();
    assert_eq!((again.sequence(), ids(&again)), (8, vec!["b", "c"]));
}

#[test]
fn a_delta_to_the_applications_of_a_document_is_refused() {
    let mut members = Folder::new().members().unwrap();
    let problem = publish(&mut members, "sequence: 1\nset: { a: {} }").unwrap_err();
    assert_eq!(
        problem.message,
        "the delta 1 does not follow what is served, 0"
    );
}

#[test]
fn a_revocation_stays_whatever_is_published_and_whichever_copy_is_damaged() {
    let mut folder = Folder::new();
    let mut members = folder.members().unwrap();
    let revokes = Revokes::Application("a".to_owned());
    for _ in 0..2 {
        members
            .revoke(&mut folder.store, revokes.clone(), at(1))
            .unwrap();
    }
    publish(&mut members, "sequence: 7\napplications: { a: {} }").unwrap();
    for copy in COPIES {
        folder.damage(copy);
        let again = folder.members();
        if copy == "directory.a" {
            let again = again.unwrap();
            assert_eq!(
                again.revoked(),
                [Revocation {
                    revokes: revokes.clone(),
                    at: at(1)
                }]
            );
        } else {
            let said = again.unwrap_err().to_string();
            assert!(
                said.starts_with("1 revocation was served with and 0 are left"),
                "{said}"
            );
        }
    }
}

fn block(blocks: Blocks, until: i64) -> Block {
    Block {
        blocks,
        since: at(0),
        until: at(until),
        why: "a burst".to_owned(),
        who: "ada".to_owned(),
        per_minute: None,
    }
}

fn source(number: usize) -> Blocks {
    Blocks::Source(format!("192.0.2.{number}/32"))
}

#[test]
fn a_block_survives_a_restart_stays_beside_what_is_published_and_is_forgotten_once_it_has_ended() {
    let folder = Folder::new();
    let mut members = folder.members().unwrap();
    members.block(block(source(1), 100), at(0)).unwrap();
    members.block(block(source(1), 200), at(1)).unwrap();
    members.block(block(source(2), 300), at(2)).unwrap();
    publish(&mut members, "sequence: 7\napplications: { a: {} }").unwrap();
    folder.damage("directory.a");
    let mut again = folder.members().unwrap();
    let kept: Vec<_> = again
        .blocked()
        .iter()
        .map(|block| (block.blocks.clone(), block.until))
        .collect();
    assert_eq!(kept, [(source(1), at(200)), (source(2), at(300))]);
    again.block(block(source(3), 400), at(200)).unwrap();
    assert_eq!(again.blocked().len(), 2, "the first has ended");
    assert_eq!(
        again.unblock(&source(2), at(201)).unwrap(),
        Some(block(source(2), 300))
    );
    assert_eq!(again.unblock(&source(1), at(201)).unwrap(), None);
    assert_eq!(folder.members().unwrap().blocked().len(), 1);
}

#[test]
fn there_are_only_so_many_blocks() {
    let folder = Folder::new();
    let mut members = folder.members().unwrap();
    members.held.blocked = (0..MAX_BLOCKS)
        .map(|number| block(Blocks::Application(number.to_string()), 100))
        .collect();
    let refused = members.block(block(source(1), 100), at(0)).unwrap_err();
    assert!(refused.to_string().contains("lockgate block remove"));
    members.block(block(source(1), 200), at(100)).unwrap();
    assert_eq!(members.blocked().len(), 1);
}

#[test]
fn an_older_build_reads_the_directory_as_long_as_nothing_is_blocked() {
    let folder = Folder::new();
    let mut members = folder.members().unwrap();
    members.block(block(source(1), 100), at(0)).unwrap();
    assert_eq!(members.held.v, VERSION);
    members.unblock(&source(1), at(1)).unwrap();
    let text = serde_json::to_value(&members.held).unwrap();
    assert_eq!(text["v"], 1);
    assert_eq!(text.get("blocked"), None);
}
