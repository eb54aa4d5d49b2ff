use super::*;

fn wanted(what: &str) -> Wanted {
    Wanted {
        what: what.to_owned(),
        seconds: 3_600,
        why: "a burst".to_owned(),
        who: "ada".to_owned(),
        per_minute: None,
    }
}

fn blocks(what: &str) -> Result<Blocks, String> {
    let block = wanted(what).block(None, Timestamp::UNIX_EPOCH)?;
    Ok(block.blocks)
}

#[test]
fn an_address_a_network_a_hash_and_an_application_are_told_apart() {
    let source = |text: &str| Ok(Blocks::Source(text.to_owned()));
    assert_eq!(blocks("192.0.2.7"), source("192.0.2.7/32"));
    assert_eq!(blocks("::ffff:192.0.2.7"), source("192.0.2.7/32"));
    assert_eq!(blocks("192.0.2.0/24"), source("192.0.2.0/24"));
    assert_eq!(blocks("2001:DB8::/32"), source("2001:db8::/32"));
    let digits = "AB".repeat(32);
    assert_eq!(
        blocks(&digits),
        Ok(Blocks::Credential(digits.to_ascii_lowercase()))
    );
    assert_eq!(blocks("shop"), Ok(Blocks::Application("shop".to_owned())));
}

#[test]
fn what_would_be_everybody_for_ever_or_for_no_reason_is_refused_with_what_to_write() {
    let said = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = wanted("192.0.2.7");
        change(&mut wanted);
        wanted.block(None, Timestamp::UNIX_EPOCH).unwrap_err()
    };
    assert_eq!(
        said(&|wanted| wanted.what = "0.0.0.0/0".to_owned()),
        "`0.0.0.0/0` is everybody; block at most a /8, or use a policy"
    );
    assert_eq!(
        said(&|wanted| wanted.what = "2001::/16".to_owned()),
        "`2001::/16` is too large a part of the Internet; block at most a /32, or use a policy"
    );
    assert_eq!(
        said(&|wanted| wanted.what = "192.0.2.7/24".to_owned()),
        "`192.0.2.7/24` has bits outside its network; write `192.0.2.0/24` for the network or `192.0.2.7` for the address"
    );
    assert!(
        said(&|wanted| wanted.what = "::ffff:0.0.0.0/96".to_owned()).contains("write it as one")
    );
    assert!(said(&|wanted| wanted.seconds = 0).contains("from 1 second to 30 days, not 0"));
    assert!(said(&|wanted| wanted.seconds = u64::MAX).contains("lockgate directory revoke"));
    assert!(said(&|wanted| wanted.why = " ".to_owned()).starts_with("say why"));
    assert!(said(&|wanted| wanted.who = "a".repeat(300)).contains("at most 254"));
    assert!(said(&|wanted| wanted.per_minute = Some(0)).contains("leave the number out"));
    let credential = said(&|wanted| {
        wanted.what = "ab".repeat(32);
        wanted.per_minute = Some(5);
    });
    assert!(credential.contains("slow its application down"));
}
