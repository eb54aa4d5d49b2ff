//! Bundles: what is signed is what is read, and nothing else passes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;

use lockgate_config::{Carried, Files, Source, load_document};
use lockgate_generations::{Bundle, Nack, PublicKey, SigningKey};
use serde_json::Value;

const DOCUMENT: &str = "lockgate: 1\nlisteners: { public: { bind: '127.0.0.1:0' } }\n";

fn bundle() -> Bundle {
    let loaded = load_document(&Source::text("gateway.yaml", DOCUMENT)).unwrap();
    let one = |name: &str, content: &[u8]| Files::from([(name.to_owned(), content.to_vec())]);
    let carried = Carried {
        files: one("jwks.json", b"{}"),
        certificates: one("ca.pem", b"-----"),
    };
    let created = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    Bundle::new(loaded.canonical, &carried, 7, Some("ab".into()), created)
}

fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

fn changed(bundle: &Bundle, change: impl FnOnce(&mut Value)) -> Result<Bundle, Nack> {
    let mut value = serde_json::from_str(&bundle.text()).unwrap();
    change(&mut value);
    Bundle::read(lockgate_config::canonical_json(&value).as_bytes())
}

#[test]
fn a_bundle_comes_back_as_it_was_signed() {
    let key = key();
    let signed = bundle().sign(&key);
    let read = Bundle::read(signed.text().as_bytes()).unwrap();
    assert_eq!(read, signed);
    assert_eq!(read.verify(&key.public()), Ok(()));
    assert_eq!((read.generation(), read.base()), (7, Some("ab")));
    assert_eq!(read.created().to_string(), "2027-01-15T08:00:00Z");
    assert_eq!(read.signed_with(), Some(&*key.public().id()));
    let loaded = read.load("bundle.json", Path::new("/nowhere")).unwrap();
    let id = loaded.id.with_files(&loaded.base.digests());
    assert_eq!(id.as_str(), read.id(), "as a check prints it");
    assert_eq!(
        loaded.base.read_certificates("ca.pem", 9).unwrap(),
        b"-----"
    );
    assert_eq!(loaded.base.read("jwks.json", 99).unwrap(), b"{}");
    assert!(loaded.base.read("/etc/passwd", 9999).is_err());
}

#[test]
fn an_unsigned_bundle_and_one_of_another_publisher_are_refused_by_name() {
    let (key, other) = (key(), key());
    assert_eq!(bundle().verify(&key.public()), Err(Nack::Unsigned));
    let nack = bundle().sign(&other).verify(&key.public()).unwrap_err();
    let expected = format!(
        "the bundle is signed with the key {}, and this node trusts {}",
        other.public().id(),
        key.public().id()
    );
    assert_eq!(nack.to_string(), expected);
}

#[test]
fn what_was_changed_after_it_was_signed_is_refused_even_with_a_new_id() {
    let key = key();
    let signed = bundle().sign(&key);
    let nack = changed(&signed, |value| {
        value["document"] = "{\"lockgate\":1}".into();
    });
    assert_eq!(nack.unwrap_err().code(), "bundle.content");
    for (field, to) in [
        ("generation", Value::from(8)),
        ("base", Value::Null),
        ("created", "2020-01-01T00:00:00Z".into()),
    ] {
        let read = changed(&signed, |value| value[field] = to).unwrap();
        assert_eq!(read.verify(&key.public()), Err(Nack::Signature), "{field}");
    }
    // The id belongs to what is signed: one that fits the new content does not help.
    let forged = Bundle::new(
        "{\"lockgate\":1}".into(),
        &Carried::default(),
        7,
        None,
        jiff::Timestamp::UNIX_EPOCH,
    );
    let mut value: Value = serde_json::from_str(&forged.text()).unwrap();
    let original: Value = serde_json::from_str(&signed.text()).unwrap();
    value["signature"] = original["signature"].clone();
    let read = Bundle::read(lockgate_config::canonical_json(&value).as_bytes()).unwrap();
    assert_eq!(read.verify(&key.public()), Err(Nack::Signature));
}

#[test]
fn newer_and_older_publishers_are_told_from_damage() {
    for (version, shown) in [
        (Value::from(2), "2"),
        (Value::from(0), "0"),
        (Value::Null, "null"),
        ("1".into(), "\"1\""),
    ] {
        let nack = changed(&bundle(), |value| {
            value["lockgate_bundle"] = version;
            value["what_version_2_added"] = true.into();
        });
        let expected = format!("the bundle has version {shown}; this build reads version 1");
        assert_eq!(nack.unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_field_too_many_or_too_few_is_named() {
    let more = changed(&bundle(), |value| value["extra"] = 1.into()).unwrap_err();
    assert_eq!(more.code(), "bundle.fields");
    assert!(more.to_string().contains("unknown field `extra`"), "{more}");
    for field in [
        "id",
        "generation",
        "created",
        "document",
        "files",
        "certificates",
    ] {
        let fewer = changed(&bundle(), |value| {
            value.as_object_mut().unwrap().remove(field);
        });
        let said = fewer.unwrap_err().to_string();
        assert!(said.contains(&format!("missing field `{field}`")), "{said}");
        for to in [Value::Null, "".into(), Value::Array(Vec::new())] {
            let empty = changed(&bundle(), |value| value[field] = to.clone());
            assert!(empty.is_err(), "{field}: {to}");
        }
    }
}

#[test]
fn only_the_canonical_form_is_read() {
    let text = bundle().text();
    assert!(Bundle::read(format!("{text}\n").as_bytes()).is_ok());
    for other in [
        text.replacen(',', ", ", 1),
        text.replacen("{", "{\"generation\":7,", 1),
        text.replacen("\"files\":{", "\"files\":{\"jwks.json\":\"e30=\",", 1),
    ] {
        let nack = Bundle::read(other.as_bytes()).unwrap_err();
        assert!(
            matches!(nack, Nack::Malformed(_) | Nack::Fields(_)),
            "{nack}"
        );
    }
}

#[test]
fn what_is_no_bundle_or_too_large_is_said() {
    for text in ["", "lockgate: 1", "[]", "{}", "\u{0}"] {
        let nack = Bundle::read(text.as_bytes()).unwrap_err();
        assert_eq!(nack.code(), "bundle.malformed", "{text}");
    }
    let huge = vec![b' '; lockgate_generations::MAX_BUNDLE_BYTES + 1];
    assert_eq!(Bundle::read(&huge).unwrap_err().code(), "bundle.too_large");
}

#[test]
fn a_document_that_is_not_canonical_is_not_served() {
    let odd = Bundle::new(
        DOCUMENT.into(),
        &Carried::default(),
        1,
        None,
        jiff::Timestamp::UNIX_EPOCH,
    );
    let problems = odd.load("bundle.json", Path::new(".")).unwrap_err();
    assert!(problems[0].message.contains("not in canonical form"));
}

#[test]
fn every_reason_says_what_to_do() {
    let key = PublicKey::from_pem(&key().public().to_pem()).unwrap();
    let nack = bundle().verify(&key).unwrap_err();
    let problems = nack.problems("bundle.json");
    assert_eq!(
        problems[0].help.as_deref(),
        Some("build it with `lockgate revision build --key KEY`")
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn no_flipped_bit_of_a_signed_bundle_passes(at: usize, bit in 0u8..7) {
        let key = key();
        let mut bytes = bundle().sign(&key).text().into_bytes();
        let place = at % bytes.len();
        bytes[place] ^= 1 << bit;
        let passed = Bundle::read(&bytes).and_then(|read| read.verify(&key.public()));
        proptest::prop_assert!(passed.is_err());
    }
}
