use crate::support::*;

const API_KEY: &str = "{ id: key, kind: api_key }";

#[test]
fn require_names_what_is_missing() {
    for (demand, expected) in [
        ("scopes: [orders:read]", ""),
        ("scopes: [orders:write]", "require.scope"),
        ("roles: [admin]", "require.role"),
        ("plans: [silver]", "require.plan"),
        ("claims: { department: support }", "require.claim"),
        ("any_of: [{ roles: [admin] }, { plans: [gold] }]", ""),
        (
            "all_of: [{ plans: [gold] }, { roles: [admin] }]",
            "require.role",
        ),
    ] {
        let gateway = with(&[API_KEY, &format!("{{ id: may, kind: require, {demand} }}")]);
        assert_eq!(
            code(&trace(
                &gateway,
                &call("GET", "/orders", &[("X-Api-Key", KEY)])
            )),
            expected,
            "{demand}"
        );
    }
}

#[test]
fn a_requirement_of_nothing_or_of_nobody_does_not_compile() {
    assert!(
        messages(&with(&[API_KEY, "{ id: may, kind: require }"]))
            .contains("the policy `may` requires nothing")
    );
    let empty = messages(&with(&[
        API_KEY,
        "{ id: may, kind: require, any_of: [{}] }",
    ]));
    assert!(
        empty.contains("an empty demand would let everybody pass"),
        "{empty}"
    );
    let nobody = messages(&with(&["{ id: may, kind: require, plans: [gold] }"]));
    assert!(
        nobody
            .contains("the policy `may` needs to know who calls, and nothing before it finds out"),
        "{nobody}"
    );
    let list = messages(&with(&[API_KEY, "{ id: may, kind: require, scopes: [] }"]));
    assert!(list.contains("the list is empty"), "{list}");
}
