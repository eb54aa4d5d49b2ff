//! Rollouts of a node that keeps generations.

use lockgate_generations::{Kept, Stage as Keeping, Target};

use super::*;

fn start() -> Gateway {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        state: Some(folder.path().join("state")),
        ..Options::default()
    };
    Gateway::start_in(folder, options)
}

impl Gateway {
    fn tend(&self) {
        let (shared, reloader) = self.node.parts();
        reloader.tend(shared);
    }

    fn kept(&self) -> Kept {
        let (_, reloader) = self.node.parts();
        reloader.current().unwrap()
    }

    fn serves_candidate(&self) -> bool {
        let (status, seen) = self.ask("");
        assert_eq!(status, 200);
        seen.to_ascii_lowercase().contains("x-candidate")
    }
}

#[test]
fn what_a_rollout_proved_is_the_last_good_generation_and_can_be_left_again() {
    let gateway = start();
    let (shared, reloader) = gateway.node.parts();
    let base = gateway.kept();
    gateway.begin(OTHER);
    gateway.tend();
    assert_eq!(
        gateway.kept(),
        base,
        "a candidate is not on disk before its time"
    );
    gateway.go_to("last good");
    gateway.tend();
    let kept = gateway.kept();
    assert_eq!(
        (kept.generation, kept.stage),
        (base.generation + 1, Keeping::Baked)
    );
    assert_eq!(kept.id, *shared.generation().id);
    assert!(gateway.serves_candidate());
    let left = reloader
        .go_back(shared, Target::LastGood, "planted")
        .unwrap();
    assert_eq!(left.generation, Some(base.generation));
    assert!(!gateway.serves_candidate());
    // The document is the base's: nobody forgot to replace it now.
    assert!(reloader.apply(shared, Reloading::default()).applied);
    gateway.stop();
}

#[test]
fn going_back_while_a_rollout_runs_ends_it_and_serves_what_it_began_with() {
    let gateway = start();
    let (shared, reloader) = gateway.node.parts();
    let base = gateway.kept();
    gateway.begin(OTHER);
    gateway.go_to("live");
    assert!(gateway.serves_candidate());
    let left = reloader
        .go_back(shared, Target::LastGood, "planted")
        .unwrap();
    assert_eq!((left.applied, left.generation), (true, Some(1)));
    assert_eq!(shared.rollouts.running(), None);
    assert!(!gateway.serves_candidate());
    gateway.tend();
    assert_eq!(gateway.kept().id, base.id);
    assert!(reloader.go_back(shared, Target::LastGood, "again").is_err());
    gateway.stop();
}

#[test]
fn who_is_revoked_while_a_rollout_runs_is_refused_by_both_revisions() {
    let gateway = start();
    let (shared, reloader) = gateway.node.parts();
    gateway.begin(OTHER);
    let revoked = reloader.change_members(shared, |history, _, now| {
        let revokes = lockgate_generations::Revokes::Hash(sha256_hex(b"lg_key"));
        let done = history.ask_members(|members, store| members.revoke(store, revokes, now));
        done.map_err(|error| error.to_string())
    });
    assert!(revoked.is_ok());
    assert_eq!(gateway.ask("").0, 401);
    let found = gateway.until(|status| status["beside"]["judged"] == 1);
    assert_eq!(
        found["stage"], "shadow",
        "the candidate refuses as well: no difference"
    );
    assert!(shared.rollouts.end(shared));
    assert_eq!(gateway.ask("").0, 401);
    gateway.stop();
}

#[test]
fn who_is_blocked_while_a_rollout_runs_is_refused_by_both_revisions_until_the_end_and_nobody_is_blamed()
 {
    for (what, code) in [
        ("127.0.0.1", "source.blocked"),
        ("shop", "application.blocked"),
        (&*sha256_hex(b"lg_key"), "credential.blocked"),
    ] {
        let gateway = start();
        let (shared, reloader) = gateway.node.parts();
        gateway.begin(OTHER);
        gateway.go_to("canary 1");
        let before = gateway.until(|_| true)["stage"].clone();
        let wanted = crate::members::Wanted {
            what: what.to_owned(),
            seconds: 60,
            why: "a burst".to_owned(),
            who: "ada".to_owned(),
            per_minute: None,
        };
        let blocked = reloader.change_members(shared, |history, current, now| {
            let block = wanted.block(Some(&current.directory), now)?;
            let kept = history.ask_members(|members, _| members.block(block, now));
            kept.map_err(|error| error.to_string())
        });
        assert_eq!(blocked, Ok(()));
        let (status, body) = gateway.ask("");
        assert_eq!(status, 403);
        assert!(body.contains(code), "{body}");
        assert_eq!(gateway.until(|_| true)["stage"], before);
        assert!(shared.rollouts.end(shared));
        assert_eq!(gateway.ask("").0, 403, "the base as well");
        let end = Timestamp(gateway.clock.now().0 + 60_000_000);
        gateway.clock.set(end);
        assert_eq!(gateway.ask("").0, 200, "free at its time");
        gateway.stop();
    }
}
