use super::*;

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(second).unwrap()
}

fn block(blocks: lockgate_generations::Blocks, per_minute: Option<u32>) -> Block {
    Block {
        blocks,
        since: at(0),
        until: at(3_600),
        why: "a burst".to_owned(),
        who: "ada".to_owned(),
        per_minute,
    }
}

fn source(text: &str) -> Block {
    block(lockgate_generations::Blocks::Source(text.to_owned()), None)
}

fn code(blocks: &Blocks, client: &str, second: u64) -> Option<&'static str> {
    let refusal = blocks.source(client.parse().unwrap(), Timestamp::from_seconds(second));
    refusal.map(|refusal| refusal.reason.code)
}

#[test]
fn an_address_or_its_network_is_refused_until_the_end_and_no_other() {
    let blocks = Blocks::of(
        &[
            source("192.0.2.7/32"),
            source("198.51.100.0/24"),
            source("2001:db8::/32"),
        ],
        &Blocks::default(),
    );
    for client in [
        "192.0.2.7",
        "::ffff:192.0.2.7",
        "198.51.100.200",
        "2001:db8:1::5",
    ] {
        assert_eq!(code(&blocks, client, 3_599), Some("source.blocked"));
        assert_eq!(code(&blocks, client, 3_600), None, "it ends by itself");
    }
    for client in ["192.0.2.8", "198.51.101.1", "2001:db9::5", "::1"] {
        assert_eq!(code(&blocks, client, 0), None);
    }
}

#[test]
fn who_is_slowed_down_has_so_many_calls_in_each_minute_whatever_else_is_blocked_meanwhile() {
    let slow = [block(
        lockgate_generations::Blocks::Source("192.0.2.7/32".to_owned()),
        Some(2),
    )];
    let blocks = Blocks::of(&slow, &Blocks::default());
    assert_eq!(code(&blocks, "192.0.2.7", 0), None);
    let more = [slow[0].clone(), source("203.0.113.0/24")];
    let blocks = Blocks::of(&more, &blocks);
    assert_eq!(code(&blocks, "192.0.2.7", 59), None);
    let now = Timestamp::from_seconds(50);
    let refusal = blocks.source("192.0.2.7".parse().unwrap(), now).unwrap();
    assert_eq!(refusal.reason.code, "caller.throttled");
    assert_eq!(refusal.headers[0].1, "10", "until the next minute");
    assert_eq!(code(&blocks, "192.0.2.7", 60), None);
}

#[test]
fn a_network_that_is_blocked_is_not_opened_by_an_address_of_it_that_is_slowed_down() {
    let slow = block(
        lockgate_generations::Blocks::Source("192.0.2.7/32".to_owned()),
        Some(100),
    );
    let blocks = Blocks::of(&[slow, source("192.0.2.0/24")], &Blocks::default());
    assert_eq!(code(&blocks, "192.0.2.7", 0), Some("source.blocked"));
}

#[test]
fn blocks_are_counted_while_they_last() {
    let of = |blocks| block(blocks, None);
    let blocks = Blocks::of(
        &[
            source("192.0.2.7/32"),
            of(lockgate_generations::Blocks::Application("shop".to_owned())),
            of(lockgate_generations::Blocks::Credential("00".repeat(32))),
        ],
        &Blocks::default(),
    );
    let counted = |second| {
        let Counted {
            sources,
            applications,
            credentials,
        } = blocks.counted(Timestamp::from_seconds(second));
        [sources, applications, credentials]
    };
    assert_eq!(counted(0), [1, 1, 1]);
    assert_eq!(counted(3_600), [0, 0, 0]);
    let refusal = blocks.application("shop", Timestamp::from_seconds(0));
    assert_eq!(refusal.unwrap().reason.code, "application.blocked");
    assert!(blocks.application("kiosk", Timestamp::default()).is_none());
}
