//! The taster: a child that reads, compiles and tries a candidate before the node does. What kills it kills no traffic (F9).

use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lockgate_config::{Problem, Source};
use lockgate_generations::Nack;
use lockgate_policy::{ExplainRequest, Revision, Route, RouteTarget, Timestamp, explain};
use lockgate_recording::Reader;
use serde::{Deserialize, Serialize};

use crate::candidate::Candidate;
use crate::compile::parts;

/// The most of a child's answer that is read.
const MAX_ANSWER_BYTES: u64 = 16 * 1024 * 1024;
/// The most requests that a candidate judges.
const MAX_REQUESTS: usize = 256;
const PAUSE: Duration = Duration::from_millis(5);

/// How to start a taster. It limits its own memory and processor time; the node limits how long it waits.
#[derive(Debug, Clone)]
pub struct Taster {
    /// The program with its arguments.
    pub command: Vec<String>,
    /// How long it may take.
    pub wait: Duration,
}

/// What a taster is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    document: PathBuf,
}

/// What it found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tasted {
    /// The id of the revision, when it compiles.
    pub id: Option<String>,
    /// Its problems.
    pub problems: Vec<Problem>,
    /// How many requests it judged.
    pub judged: usize,
}

impl Taster {
    /// Lets a child try the document.
    ///
    /// # Errors
    /// The child found problems, or did not survive.
    pub fn taste(&self, source: &Source) -> Result<Tasted, Nack> {
        let Source::File(document) = source else {
            return Err(Nack::Taster("only a file can be tasted".to_owned()));
        };
        let asked = Asked {
            document: document.clone(),
        };
        let answer = self.run(&asked).map_err(Nack::Taster)?;
        let tasted: Tasted = serde_json::from_slice(&answer)
            .map_err(|_| Nack::Taster("its answer was no answer".to_owned()))?;
        if tasted.id.is_some() {
            Ok(tasted)
        } else {
            Err(Nack::Document(tasted.problems))
        }
    }

    fn run(&self, asked: &Asked) -> Result<Vec<u8>, String> {
        let failed = |error: std::io::Error| format!("it could not be started: {error}");
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| "there is no program to start".to_owned())?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        // A child that died at once takes no question; how it ended says more.
        if let (Some(mut stdin), Ok(text)) = (child.stdin.take(), serde_json::to_vec(asked)) {
            let _ = stdin.write_all(&text);
        }
        let reading = child.stdout.take().map(|stdout| {
            std::thread::spawn(move || {
                let mut answer = Vec::new();
                let read = stdout.take(MAX_ANSWER_BYTES).read_to_end(&mut answer);
                read.map(|_| answer)
            })
        });
        let ended = wait(&mut child, self.wait);
        let answer = reading.and_then(|reading| reading.join().ok());
        match (ended?, answer) {
            (status, Some(Ok(answer))) if status.success() => Ok(answer),
            (status, _) => Err(death(status)),
        }
    }
}

fn wait(child: &mut Child, most: Duration) -> Result<ExitStatus, String> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if began.elapsed() < most => std::thread::sleep(PAUSE),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it took longer than {} s", most.as_secs_f64()));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn death(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(24), _) => "it used up its processor time (signal 24)".to_owned(),
        (Some(6), _) => "it broke off, or found no more memory (signal 6)".to_owned(),
        (Some(signal), _) => format!("it was ended by signal {signal}"),
        (None, code) => format!("it gave up with exit code {}", code.unwrap_or(-1)),
    }
}

/// What the child does: compiles what it is asked to, as the node would, and judges requests by it. Nothing is served or written.
pub fn taste(asked: &str, now: Timestamp) -> Result<Tasted, String> {
    let asked: Asked = serde_json::from_str(asked).map_err(|error| error.to_string())?;
    let refused = |problems| Tasted {
        id: None,
        problems,
        judged: 0,
    };
    let source = Source::File(asked.document);
    let candidate = match Candidate::read(&source, None) {
        Ok(candidate) => candidate,
        Err(nack) => return Ok(refused(nack.problems(&source.name()))),
    };
    let parts = candidate
        .load()
        .and_then(|loaded| parts(loaded, &candidate, None));
    let parts = match parts {
        Ok(parts) => parts,
        Err(problems) => return Ok(refused(problems)),
    };
    let judged = judge(&parts.revision, now);
    Ok(Tasted {
        id: Some(parts.revision.id.to_string()),
        problems: parts.warnings,
        judged,
    })
}

/// Judges a request to each route, as far as there are not too many, and those that were recorded last.
fn judge(revision: &Revision, now: Timestamp) -> usize {
    let every = revision.routes.len().div_ceil(MAX_REQUESTS / 2).max(1);
    let own = revision.routes.iter().step_by(every).map(own_request);
    let requests: Vec<ExplainRequest> = own.chain(recorded(revision)).collect();
    // What it says is not judged here; that it says something is.
    requests
        .iter()
        .filter(|request| explain(revision, request, now).is_ok())
        .count()
}

fn own_request(route: &Route) -> ExplainRequest {
    let path: Vec<&str> = route
        .path
        .split('/')
        .map(|segment| {
            if segment.starts_with('{') {
                "1"
            } else {
                segment
            }
        })
        .collect();
    let method = route.methods.first();
    // A body reaches the policies that look into bodies.
    let body = matches!(route.target, RouteTarget::Upstream(_)).then(|| "{}".to_owned());
    ExplainRequest {
        method: method.map_or_else(|| "GET".to_owned(), ToString::to_string),
        url: path.join("/"),
        body,
        ..ExplainRequest::default()
    }
}

/// The requests of the newest segment of the recording, when there is one. They hold no secrets.
fn recorded(revision: &Revision) -> Vec<ExplainRequest> {
    let newest = revision.document.recording.as_ref().and_then(|settings| {
        let names = std::fs::read_dir(revision.base.join(&settings.directory)).ok()?;
        names
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with(".ndjson.zst"))
            .max()
    });
    let Some(reader) = newest.and_then(|segment| Reader::open(&segment).ok()) else {
        return Vec::new();
    };
    reader
        .filter_map(Result::ok)
        .take(MAX_REQUESTS / 2)
        .map(|event| {
            let query = event.query.map(|query| format!("?{query}"));
            let fields = event.headers.iter();
            ExplainRequest {
                method: event.method.into_owned(),
                url: format!(
                    "{}://{}{}{}",
                    event.scheme,
                    event.host,
                    event.path,
                    query.unwrap_or_default()
                ),
                headers: fields
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                body: event.body.map(|body| body.as_ref().to_owned()),
                client: event.client,
                ..ExplainRequest::default()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taster(script: &str, wait: Duration) -> Result<Tasted, Nack> {
        let taster = Taster {
            command: ["sh", "-c", script].map(str::to_owned).to_vec(),
            wait,
        };
        taster.taste(&Source::file("gateway.yaml"))
    }

    #[test]
    fn every_way_for_a_taster_to_die_is_a_refusal_with_its_cause() {
        let long = Duration::from_secs(60);
        for (script, cause) in [
            (
                "kill -6 $$",
                "it broke off, or found no more memory (signal 6)",
            ),
            ("kill -9 $$", "it was ended by signal 9"),
            ("kill -24 $$", "it used up its processor time (signal 24)"),
            ("exit 3", "it gave up with exit code 3"),
            ("echo hello", "its answer was no answer"),
            ("exit 0", "its answer was no answer"),
        ] {
            let nack = taster(script, long).unwrap_err();
            assert_eq!(nack, Nack::Taster(cause.to_owned()), "{script}");
        }
        let nack = taster("exec sleep 60", Duration::from_millis(50)).unwrap_err();
        assert_eq!(nack, Nack::Taster("it took longer than 0.05 s".to_owned()));
    }

    #[test]
    fn what_a_taster_finds_is_told_as_it_found_it() {
        let found = r#"cat >/dev/null; echo '{"id":null,"problems":[{"severity":"error","file":"gateway.yaml","line":2,"column":1,"message":"wrong"}],"judged":0}'"#;
        let Err(Nack::Document(problems)) = taster(found, Duration::from_secs(60)) else {
            panic!("it is refused");
        };
        assert_eq!(problems[0].to_string(), "gateway.yaml:2:1: wrong");
    }
}
