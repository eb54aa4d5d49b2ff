//! A case, sent through a node of its own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lockgate_cases::{Came, CameForwarded, CameVerdict, Case, Step, Suite};
use lockgate_config::Source;
use lockgate_policy::{ExplainAnswer, Timestamp};
use lockgate_proxy::{Clock, Node, Options};
use lockgate_recording::{Decision, Event, Reader};
use lockgate_testkit::{Answer, Authority, Issued, Message};

use crate::backend::{Backend, FactServer, Release};
use crate::document::{Around, listener};
use crate::wire::{CallerTls, Wire};

const DRAIN: Duration = Duration::from_secs(20);

/// What a case needs, and what it has sent.
struct Run<'a> {
    node: &'a Node,
    clock: Clock,
    backend: Backend,
    facts: FactServer,
    authority: Option<&'a Authority>,
    /// The certificates of the steps, by their number.
    certificates: HashMap<usize, Issued>,
}

/// A request that the service has not answered yet.
struct InFlight {
    step: usize,
    left: usize,
    wire: Wire,
    release: Release,
}

/// What came of each step of a case. `now` is the time of a case that says none.
pub fn run(suite: &Suite, case: &Case, now: Timestamp) -> Vec<Came> {
    let folder = tempfile::tempdir().unwrap();
    let over_tls = case.steps.iter().any(is_tls);
    let authority = over_tls.then(|| Authority::new(folder.path()));
    let (mut certificates, mut fingerprints) = (HashMap::new(), Vec::new());
    for (at, step) in case.steps.iter().enumerate() {
        if let (Some(written), Some(authority)) = (&step.request.certificate, &authority) {
            let issued = authority.issue(&format!("caller-{at}"), &written.names);
            fingerprints.push((written.sha256.clone(), issued.sha256.clone()));
            certificates.insert(at, issued);
        }
    }
    let own = authority
        .as_ref()
        .map(|authority| authority.issue("gateway", &["dns:localhost".into()]));
    let (backend, facts) = (Backend::start(), FactServer::start());
    let around = Around {
        folder: folder.path(),
        backend: backend.address,
        facts: facts.address,
        tls: authority.as_ref().zip(own.as_ref()),
        fingerprints: &fingerprints,
    };
    let source = Source::Text {
        name: case.name.clone(),
        text: around.document(&suite.gateway.loaded.canonical),
        base: suite.gateway.loaded.base.path().to_owned(),
    };
    let clock = Clock::by_hand(case.at.unwrap_or(now));
    let started = Node::start_with(
        source,
        Options {
            clock: clock.clone(),
            ..Options::default()
        },
    );
    let (node, _) = started.unwrap_or_else(|error| panic!("{}: {error:?}", case.name));
    let run = Run {
        node: &node,
        clock,
        backend,
        facts,
        authority: authority.as_ref(),
        certificates,
    };
    let answers = run.send(case, case.at.unwrap_or(now));
    let backend = run.backend;
    assert!(node.stop(DRAIN), "{}: the node does not stop", case.name);
    let events: HashMap<String, Event> = Reader::open(&folder.path().join("recording"))
        .unwrap()
        .map(|event| event.unwrap())
        .map(|event| (event.id.to_string(), event))
        .collect();
    answers
        .into_iter()
        .map(|answer| came(answer, &backend, &events))
        .collect()
}

fn is_tls(step: &Step) -> bool {
    step.request.certificate.is_some() || step.request.url.starts_with("https://")
}

impl Run<'_> {
    /// The answers, in the order of the steps.
    fn send(&self, case: &Case, mut time: Timestamp) -> Vec<Message> {
        let mut answers: Vec<Option<Message>> = vec![None; case.steps.len()];
        let mut in_flight: Vec<InFlight> = Vec::new();
        for (at, step) in case.steps.iter().enumerate() {
            let micros = u64::try_from(step.after.as_micros()).unwrap();
            time = Timestamp(time.0 + micros);
            self.clock.set(time);
            self.facts.next(&step.request.facts);
            let hold = step.in_flight > 0;
            self.backend
                .next(answer(step.request.answer.as_ref()), hold);
            let wire = self.call(at, step);
            if hold {
                in_flight.push(InFlight {
                    step: at,
                    left: step.in_flight + 1,
                    wire,
                    release: self.backend.arrived(),
                });
            } else {
                answers[at] = Some(wire.read());
            }
            for flying in &mut in_flight {
                flying.left -= 1;
            }
            for done in in_flight.extract_if(.., |flying| flying.left == 0) {
                done.release.send(()).unwrap();
                answers[done.step] = Some(done.wire.read());
            }
        }
        for left in in_flight {
            left.release.send(()).unwrap();
            answers[left.step] = Some(left.wire.read());
        }
        answers.into_iter().map(Option::unwrap).collect()
    }

    fn call(&self, at: usize, step: &Step) -> Wire {
        let client = step
            .request
            .client
            .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ip| ip.to_canonical());
        let from_here = client.is_ipv4() && client.is_loopback();
        let name = listener(!from_here, is_tls(step));
        let listening = self
            .node
            .listeners()
            .iter()
            .find(|listening| listening.name == name);
        let tls = self
            .authority
            .filter(|_| is_tls(step))
            .map(|authority| CallerTls {
                authority,
                certificate: self.certificates.get(&at),
            });
        let from = if from_here {
            client
        } else {
            Ipv4Addr::LOCALHOST.into()
        };
        let mut wire = Wire::connect(listening.unwrap().address, from, tls.as_ref());
        wire.send(&step.request, (!from_here).then_some(client));
        wire
    }
}

fn answer(written: Option<&ExplainAnswer>) -> Answer {
    written.map_or_else(
        || Answer::ok(""),
        |written| Answer {
            status: written.status,
            headers: written.headers.clone(),
            body: written.body.clone(),
        },
    )
}

fn came(answer: Message, backend: &Backend, events: &HashMap<String, Event>) -> Came {
    let id = answer
        .field("x-lockgate-request-id")
        .expect("an answer has the id of its request");
    let event = events.get(&id).expect("a request is recorded");
    let cached = answer.field("cache-status");
    let forwarded = backend.seen(&id).map(|message| {
        let (path, query) = match message.second_word().split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (message.second_word(), None),
        };
        CameForwarded {
            path: path.to_owned(),
            query: query.map(str::to_owned),
            headers: message.fields(),
            cache: cached.is_some(),
        }
    });
    let mut verdicts: Vec<CameVerdict> = Vec::new();
    for said in &event.verdicts {
        // A policy that sees requests and answers speaks twice; the last word counts, as in a trace.
        let verdict = CameVerdict {
            id: said.id.clone(),
            word: Some(said.word.clone()),
            code: said.code.clone(),
            rules: said.found_by.iter().cloned().collect(),
        };
        match verdicts.iter_mut().find(|known| known.id == said.id) {
            Some(known) => {
                let rules = std::mem::take(&mut known.rules);
                *known = verdict;
                known.rules.splice(0..0, rules);
            }
            None => verdicts.push(verdict),
        }
    }
    Came {
        decision: match event.decision {
            Decision::Forward => "forward",
            Decision::Refuse => "refuse",
            Decision::Respond => "respond",
        },
        code: event.code.as_ref().map(ToString::to_string),
        status: answer.second_word().parse().ok(),
        headers: answer.fields(),
        body: Some(answer.body.clone()),
        application: event.application.clone(),
        route: event.route.clone(),
        forwarded,
        verdicts,
    }
}
