//! Who may call, as a revision keeps it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use lockgate_config::{Source, load_document};
use lockgate_policy::{Revision, Secrets};

#[test]
fn a_revision_keeps_its_applications_in_the_directory_alone_and_its_id_says_them() {
    let revision = |applications: &str| {
        let text = format!("lockgate: 1\npurposes: optional\napplications: {applications}\n");
        let source = Source::Text {
            name: "document".into(),
            text,
            base: ".".into(),
        };
        let loaded = load_document(&source).unwrap();
        Revision::compile(loaded, Secrets::Skip).unwrap().0
    };
    let two = revision("{ shop: { scopes: [read] }, kiosk: {} }");
    assert!(two.document.applications.is_empty());
    assert_eq!(two.directory.ids(), ["kiosk", "shop"]);
    let scopes = |id: &str| two.directory.application(id).unwrap().scopes.to_vec();
    assert_eq!(
        (scopes("shop"), scopes("kiosk")),
        (vec!["read".into()], vec![])
    );
    assert_ne!(two.id, revision("{ shop: { scopes: [read] } }").id);
}
