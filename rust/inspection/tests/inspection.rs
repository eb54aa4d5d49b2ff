//! Behaviour of the rule pack over whole requests.

// The lint exempts test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lockgate_inspection::injection::{
    Class, Detector, Engine, FIELDS_MAX, FINDINGS_MAX, Field, Finding, INSPECTED_BYTES_MAX,
    Inspection, Location, OverBudget, PackSettings, RulePack, Sensitivity, show_cookies, show_form,
    show_json, show_query, show_xml,
};

fn own() -> RulePack {
    RulePack::own(&PackSettings::default()).unwrap()
}

fn findings(show: impl FnOnce(&mut dyn Inspection)) -> Vec<Finding> {
    let pack = own();
    let mut inspection = pack.begin();
    show(&mut *inspection);
    inspection.finish().unwrap()
}

#[test]
fn every_part_of_a_request_is_inspected_and_named() {
    let attack = "x%27%20OR%201%3D1--";
    let places = [
        findings(|each| {
            let _ = show_query(each, format!("a=1&q={attack}").as_bytes());
        }),
        findings(|each| {
            let _ = show_form(each, format!("q={attack}").as_bytes());
        }),
        findings(|each| {
            let _ = show_cookies(each, format!("a=1; q={attack}").as_bytes());
        }),
        findings(|each| show_json(each, br#"{"a":[{"b":"x' OR 1=1--"}]}"#).unwrap()),
        findings(|each| show_xml(each, b"<a><b c='x'>x' OR 1=1--</b></a>").unwrap()),
        findings(|each| show_xml(each, b"<a><b c=\"x' OR 1=1--\"/></a>").unwrap()),
    ];
    let named: Vec<_> = places
        .iter()
        .map(|found| (found.len(), found[0].location, found[0].field.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            (1, Location::QueryValue, "q"),
            (1, Location::FormValue, "q"),
            (1, Location::Cookie, "q"),
            (1, Location::JsonValue, "/a/0/b"),
            (1, Location::XmlText, "/a/b"),
            (1, Location::XmlAttribute, "c"),
        ]
    );
    assert_eq!(places[0][0].detector, "sql_injection.statement");
    assert_eq!(places[0][0].excerpt, "OR 1=1--");
}

#[test]
fn names_and_keys_are_inspected() {
    let found = findings(|each| {
        let _ = show_query(each, b"x%27%20OR%201%3D1--=1");
    });
    assert_eq!(found[0].location, Location::QueryName);
    let found = findings(|each| show_json(each, br#"{"<script>alert(1)</script>":1}"#).unwrap());
    assert_eq!(found[0].location, Location::JsonKey);
}

#[test]
fn strings_in_front_of_a_syntax_error_are_inspected() {
    let pack = own();
    let mut inspection = pack.begin();
    assert!(show_json(&mut *inspection, br#"["${jndi:ldap://x/a}", oops]"#).is_err());
    assert_eq!(inspection.finish().unwrap()[0].class, Class::Log4shell);
}

#[test]
fn each_class_can_be_switched_off() {
    let attacks = [
        "x' OR 1=1--",
        "<svg onload=alert(1)>",
        "../../../etc/passwd",
        "; cat /etc/passwd",
        "${jndi:ldap://x/a}",
        "http://169.254.169.254/",
    ];
    for (class, attack) in Class::ALL.into_iter().zip(attacks) {
        let flagged = |classes: Vec<Class>| {
            let pack = RulePack::own(&PackSettings {
                classes,
                ..PackSettings::default()
            })
            .unwrap();
            let mut inspection = pack.begin();
            let _ = inspection.field(&Field::new(Location::JsonValue, "v", attack.as_bytes()));
            inspection
                .finish()
                .unwrap()
                .into_iter()
                .map(|finding| finding.class)
                .collect::<Vec<_>>()
        };
        assert_eq!(flagged(vec![class]), [class]);
        assert!(
            !flagged(
                Class::ALL
                    .into_iter()
                    .filter(|each| *each != class)
                    .collect()
            )
            .contains(&class)
        );
        assert_eq!(flagged(vec![]), []);
    }
}

#[test]
fn strict_flags_what_standard_lets_pass() {
    for value in ["../images/logo.png", "10.0.0.1", "${env:HOME}"] {
        let flagged = |sensitivity| {
            let pack = RulePack::own(&PackSettings {
                sensitivity,
                ..PackSettings::default()
            })
            .unwrap();
            let mut inspection = pack.begin();
            let _ = inspection.field(&Field::new(Location::JsonValue, "v", value.as_bytes()));
            !inspection.finish().unwrap().is_empty()
        };
        assert_eq!(
            (flagged(Sensitivity::Standard), flagged(Sensitivity::Strict)),
            (false, true),
            "{value}"
        );
    }
}

#[test]
fn a_value_at_the_byte_budget_passes_and_one_more_byte_is_over_budget() {
    let pack = own();
    let inspect = |length: usize| {
        let mut inspection = pack.begin();
        let _ = inspection.field(&Field::new(Location::JsonValue, "v", &vec![b'a'; length]));
        inspection.finish()
    };
    assert_eq!(inspect(INSPECTED_BYTES_MAX), Ok(vec![]));
    assert_eq!(
        inspect(INSPECTED_BYTES_MAX + 1),
        Err(OverBudget::Bytes {
            limit: INSPECTED_BYTES_MAX
        })
    );
}

#[test]
fn decoded_views_count_towards_the_budget() {
    let pack = own();
    let mut inspection = pack.begin();
    let value = "%41".repeat(INSPECTED_BYTES_MAX / 3);
    let _ = inspection.field(&Field::new(Location::JsonValue, "v", value.as_bytes()));
    assert_eq!(
        inspection.finish(),
        Err(OverBudget::Bytes {
            limit: INSPECTED_BYTES_MAX
        })
    );
}

#[test]
fn too_many_fields_are_over_budget_and_end_the_walk() {
    let pack = own();
    let mut inspection = pack.begin();
    let field = Field::new(Location::JsonValue, "v", b"a");
    assert!((0..FIELDS_MAX).all(|_| inspection.field(&field).is_continue()));
    assert!(inspection.field(&field).is_break());
    assert_eq!(
        inspection.finish(),
        Err(OverBudget::Fields { limit: FIELDS_MAX })
    );
}

#[test]
fn a_finding_stands_even_when_the_rest_is_over_budget() {
    let pack = own();
    let mut inspection = pack.begin();
    let _ = inspection.field(&Field::new(Location::JsonValue, "v", b"x' OR 1=1--"));
    assert!(
        inspection
            .field(&Field::new(
                Location::JsonValue,
                "w",
                &vec![b'a'; INSPECTED_BYTES_MAX]
            ))
            .is_break()
    );
    assert_eq!(inspection.finish().unwrap().len(), 1);
}

#[test]
fn findings_are_bounded() {
    let pack = own();
    let mut inspection = pack.begin();
    let mut shown = 0;
    while shown < 1_000
        && inspection
            .field(&Field::new(Location::JsonValue, "v", b"x' OR 1=1--"))
            .is_continue()
    {
        shown += 1;
    }
    assert_eq!(
        (shown, inspection.finish().unwrap().len()),
        (FINDINGS_MAX, FINDINGS_MAX)
    );
}

#[test]
fn secrets_do_not_reach_the_excerpt() {
    let found = findings(|each| {
        show_json(
            each,
            br#"{"password":"hunter2' OR 1=1--","q":"AKIAIOSFODNN7EXAMPLE' OR 1=1--"}"#,
        )
        .unwrap()
    });
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].excerpt, "***");
    assert!(!format!("{found:?}").contains("AKIA"), "{found:?}");
}

#[test]
fn the_own_host_in_headers_is_no_target() {
    let pack = own();
    for (name, flagged) in [("Host", false), ("Referer", false), ("X-Callback", true)] {
        let mut inspection = pack.begin();
        let _ = inspection.field(&Field::new(
            Location::Header,
            name,
            b"http://localhost:3000/",
        ));
        assert_eq!(!inspection.finish().unwrap().is_empty(), flagged, "{name}");
    }
}

/// Counts how often it is asked.
struct Counting(Arc<AtomicUsize>, &'static [&'static str]);

impl Detector for Counting {
    fn id(&self) -> &'static str {
        "test.counting"
    }

    fn class(&self) -> Class {
        Class::SqlInjection
    }

    fn needles(&self) -> &'static [&'static str] {
        self.1
    }

    fn inspect(&self, _: &Field<'_>) -> Option<Finding> {
        self.0.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[test]
fn the_prefilter_spares_detectors_values_without_their_needles() {
    let (picky, always) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let detectors: Vec<Box<dyn Detector>> = vec![
        Box::new(Counting(picky.clone(), &["drop"])),
        Box::new(Counting(always.clone(), &[])),
    ];
    let pack = RulePack::of("test", "1", detectors).unwrap();
    let mut inspection = pack.begin();
    for value in [&b"hello"[..], b"DrOp it", b"%64rop"] {
        assert_eq!(
            inspection.field(&Field::new(Location::JsonValue, "v", value)),
            ControlFlow::Continue(())
        );
    }
    // The third value is asked about twice by the one without needles: as it stands and decoded.
    assert_eq!(
        (
            picky.load(Ordering::Relaxed),
            always.load(Ordering::Relaxed)
        ),
        (2, 4)
    );
    assert_eq!((pack.name(), pack.version()), ("test", "1"));
}

#[test]
fn a_pack_of_more_than_64_detectors_is_refused() {
    let of = |count: usize| {
        let detectors =
            (0..count).map(|_| Box::new(Counting(Arc::default(), &["x"])) as Box<dyn Detector>);
        RulePack::of("test", "1", detectors.collect()).is_ok()
    };
    assert_eq!((of(64), of(65)), (true, false));
}
