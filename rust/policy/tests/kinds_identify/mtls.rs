use lockgate_policy::{ClientCertificate, Fact};

use crate::support::*;

fn gateway(settings: &str) -> String {
    let policy = format!("{{ id: partner, kind: mtls{settings} }}");
    let may = "{ id: may, kind: require, plans: [gold] }";
    let listed = format!(
        "shop: {{ certificates: [{{ sha256: {} }}, {{ san: \"uri:spiffe://example.org/shop\" }}], plan",
        "ab".repeat(32)
    );
    with(&[&policy, may]).replace("shop: { plan", &listed)
}

fn ask(gateway: &str, fingerprint: u8, names: &[&str]) -> String {
    let certificate = ClientCertificate {
        sha256: [fingerprint; 32],
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        authority: None,
    };
    let request = call("GET", "/orders/7", &[]);
    judged(&compile(gateway), &request, Some(&certificate), |_| {
        Fact::Unavailable("none".into())
    })
}

#[test]
fn a_listed_certificate_identifies_by_fingerprint_or_name() {
    let gateway = gateway("");
    assert_eq!(ask(&gateway, 0xab, &[]), "");
    assert_eq!(
        ask(
            &gateway,
            0,
            &["dns:x.example", "uri:spiffe://example.org/shop"]
        ),
        ""
    );
    assert_eq!(
        ask(&gateway, 0, &["uri:spiffe://example.org/shop2"]),
        "mtls.unknown"
    );
    assert_eq!(ask(&gateway, 0, &[]), "mtls.unknown");
}

#[test]
fn no_certificate_is_a_challenge() {
    let trace = trace(&gateway(""), &call("GET", "/orders/7", &[]));
    assert_eq!((trace.status, code(&trace)), (Some(401), "mtls.missing"));
    let challenge = (
        "www-authenticate".to_owned(),
        "ClientCertificate".to_owned(),
    );
    assert_eq!(trace.headers, [challenge]);
}

#[test]
fn a_certificate_must_carry_one_of_the_names() {
    let gateway = gateway(
        ", names: [\"dns:*.partner.example\", \"uri:spiffe://example.org/*\", \"email:a@b.example\"]",
    );
    for (name, expected) in [
        ("dns:a.partner.example", ""),
        ("dns:.partner.example", "mtls.unknown"),
        ("dns:partner.example", "mtls.unknown"),
        ("dns:a.b.partner.example", "mtls.unknown"),
        ("dns:a.partner.example.evil.example", "mtls.unknown"),
        ("uri:spiffe://example.org/ns/a", ""),
        ("uri:spiffe://example.org/", "mtls.unknown"),
        ("uri:spiffe://example.orgx/ns", "mtls.unknown"),
        ("email:a@b.example", ""),
        ("email:aa@b.example", "mtls.unknown"),
    ] {
        assert_eq!(ask(&gateway, 0xab, &[name]), expected, "{name}");
    }
    // The name alone does not identify: the directory must know the certificate.
    assert_eq!(ask(&gateway, 0, &["dns:a.partner.example"]), "mtls.unknown");
}

#[test]
fn a_certificate_of_a_suspended_application_is_refused() {
    let gateway = gateway("").replace("plan: gold", "suspended: true, plan: gold");
    assert_eq!(ask(&gateway, 0xab, &[]), "mtls.unknown");
}

#[test]
fn a_blocked_certificate_is_refused_until_the_end_and_by_no_name_either() {
    let revision = compile(&gateway(""));
    let blocked = |until| {
        let mut revision = compile(&gateway(""));
        let directory = (*revision.directory).clone();
        revision.directory =
            std::sync::Arc::new(directory.with_blocked([([0xab; 32], until)].into()));
        revision
    };
    let ask = |revision: &lockgate_policy::Revision| {
        let certificate = ClientCertificate {
            sha256: [0xab; 32],
            names: vec!["uri:spiffe://example.org/shop".to_owned()],
            authority: None,
        };
        let request = call("GET", "/orders/7", &[]);
        judged(revision, &request, Some(&certificate), |_| {
            Fact::Unavailable("none".into())
        })
    };
    assert_eq!(ask(&revision), "");
    let later = lockgate_policy::Timestamp(NOW.0 + 1);
    assert_eq!(ask(&blocked(later)), "credential.blocked");
    assert_eq!(ask(&blocked(NOW)), "");
}

#[test]
fn bad_settings_say_what_to_write() {
    for (settings, expected) in [
        (", names: []", "the list is empty"),
        (
            ", names: [a.example]",
            "`a.example` is not a subject alternative name; write `dns:host`",
        ),
        (
            ", names: [\"dns:\"]",
            "`dns:` is not a subject alternative name",
        ),
        (
            ", names: [\"dns:*\"]",
            "`dns:*` stands for too much; write at most one `*`",
        ),
        (", names: [\"dns:*.*.example\"]", "stands for too much"),
        (", nams: [\"dns:a\"]", "did you mean `names`?"),
    ] {
        let found = messages(&gateway(settings));
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
