//! A case file, read and checked: what is wrong with it is said before anything runs.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use lockgate_config::{
    Each, Loaded, Problem, Raw, RevisionId, Source, Span, Spanned, decode_with_empty,
    load_document, parse,
};
use lockgate_policy::{
    ExplainAnswer, ExplainRequest, Revision, Secrets, Timestamp, explain, read_time, reasons,
};

use crate::application::{identify, with_credentials};
use crate::expect::{Decision, Expect, ExpectForwarded};
use crate::file::{
    Fields, WrittenAnswer, WrittenCase, WrittenExpect, WrittenFile, WrittenRequest, WrittenStep,
};
use crate::{MAX_FILE_BYTES, MAX_REQUESTS};

/// A case file with its gateway.
#[derive(Debug)]
pub struct Suite {
    /// The file.
    pub file: PathBuf,
    /// What its requests are sent to.
    pub gateway: Gateway,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// The gateway of a case file.
#[derive(Debug)]
pub struct Gateway {
    /// Its file, or the case file that holds it.
    pub name: String,
    /// The id of the document as it was written.
    pub id: RevisionId,
    /// The document, with a key for each application that the cases call as.
    pub loaded: Loaded,
    /// The same, compiled without reading secrets.
    pub revision: Revision,
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The line of its name.
    pub line: u32,
    /// The clock at its start; `None` for now.
    pub at: Option<Timestamp>,
    /// Why it is not sent through a running gateway.
    pub live: Option<String>,
    /// Its requests, in order.
    pub steps: Vec<Step>,
}

/// One request of a case.
#[derive(Debug, Clone)]
pub struct Step {
    /// The line of its request.
    pub line: u32,
    /// How far the clock moves before it.
    pub after: Duration,
    /// For how many further steps it is not answered yet.
    pub in_flight: usize,
    /// The request, with the key of its application.
    pub request: ExplainRequest,
    /// What is expected.
    pub expect: Expect,
}

impl Suite {
    /// Reads a case file and its gateway; `gateway` takes the place of the one that the file names.
    ///
    /// # Errors
    /// Every problem of the file and of the gateway.
    pub fn read(file: &Path, gateway: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let name = file.display().to_string();
        let text = text_of(file).map_err(|message| vec![Problem::in_file(&*name, message)])?;
        let node = parse(&name, &text).map_err(|problem| vec![problem])?;
        if node.get("lockgate").is_some() {
            let problem = Problem::in_file(name, "this is a gateway document, and no case file");
            return Err(vec![problem.help(
                "name a file with `cases`; `lockgate check` is for documents",
            )]);
        }
        let written: WrittenFile = decode_with_empty(&node)?;
        let (name, source) = source(file, written.gateway.as_ref(), gateway)?;
        let loaded = load_document(&source)?;
        let id = loaded.id.clone();
        let applications: Vec<&Spanned<String>> = written
            .cases
            .iter()
            .flat_map(WrittenCase::requests)
            .filter_map(|request| request.application.as_ref())
            .collect();
        let loaded = with_credentials(loaded, &applications)?;
        let (revision, _) = Revision::compile(loaded.clone(), Secrets::Skip)?;
        let cases = read_cases(written.cases, &revision)?;
        Ok(Self {
            file: file.to_owned(),
            gateway: Gateway {
                name,
                id,
                loaded,
                revision,
            },
            cases,
        })
    }
}

/// The text of a case file.
pub fn text_of(file: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read: {error}");
    if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(format!("the file is larger than {MAX_FILE_BYTES} bytes"));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())
}

/// The gateway of a file, and its name.
fn source(
    file: &Path,
    written: Option<&Spanned<String>>,
    instead: Option<&Path>,
) -> Result<(String, Source), Vec<Problem>> {
    let name = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new(""));
    match (instead, written) {
        (Some(path), _) => Ok((path.display().to_string(), Source::file(path))),
        (None, Some(text)) if text.contains('\n') => {
            // Problems of the text then name the lines of this file.
            let lines = "\n".repeat(text.span.line.saturating_sub(1) as usize);
            let source = Source::Text {
                name: name.clone(),
                text: format!("{lines}{}", text.value),
                base: folder.to_owned(),
            };
            Ok((name, source))
        }
        (None, Some(path)) => {
            let path = folder.join(&path.value);
            Ok((shown(&path), Source::file(path)))
        }
        (None, None) => Err(vec![
            Problem::in_file(name, "the field `gateway` is missing")
                .help("write the path of a gateway document, or give it with `--gateway`"),
        ]),
    }
}

/// A path as people write it: without steps down and up again. Only a name: through links it may lead elsewhere.
fn shown(path: &Path) -> String {
    let mut steps: Vec<Component<'_>> = Vec::new();
    for step in path.components() {
        match (steps.last(), step) {
            (Some(Component::Normal(_)), Component::ParentDir) => drop(steps.pop()),
            _ => steps.push(step),
        }
    }
    steps.iter().collect::<PathBuf>().display().to_string()
}

impl WrittenCase {
    fn requests(&self) -> impl Iterator<Item = &WrittenRequest> {
        let several = self.steps.iter().flat_map(|steps| steps.iter());
        let several = several.map(|step| &step.value.request.value);
        self.request
            .iter()
            .map(|request| &request.value)
            .chain(several)
    }

    /// The steps, whichever way they were written.
    fn steps(self) -> Result<Vec<WrittenStep>, Problem> {
        let problem = |message: &str| {
            Problem::new(
                &self.name.span,
                format!("the case `{}` {message}", *self.name),
            )
        };
        let alone = self.request.is_some()
            || self.expect.is_some()
            || self.answer.is_some()
            || self.facts.is_some()
            || self.certificate.is_some();
        match (self.steps, self.request, self.expect) {
            (Some(_), _, _) if alone => Err(problem("has `steps` and fields of a step")
                .help("move `request`, `expect` and the rest into `steps`")),
            (Some(steps), _, _) => Ok(steps.into_iter().map(|step| step.value).collect()),
            (None, Some(request), Some(expect)) => Ok(vec![WrittenStep {
                after: None,
                request,
                certificate: self.certificate,
                facts: self.facts,
                answer: self.answer,
                in_flight: None,
                times: None,
                expect,
            }]),
            (None, None, _) => Err(problem("sends nothing")
                .help("write `request` and `expect`, or `steps` that have them")),
            (None, Some(_), None) => {
                Err(problem("expects nothing").help("write `expect: { decision: … }`"))
            }
        }
    }
}

fn read_cases(written: Each<WrittenCase>, revision: &Revision) -> Result<Vec<Case>, Vec<Problem>> {
    let (mut problems, mut cases) = (Vec::new(), Vec::new());
    let (mut lines, mut room) = (HashMap::new(), MAX_REQUESTS);
    for case in written {
        let span = case.name.span.clone();
        if let Some(first) = lines.insert(case.name.value.clone(), span.line) {
            let message = format!("the case `{}` exists twice", *case.name);
            problems.push(
                Problem::new(&span, message).help(format!("the first stands at line {first}")),
            );
        }
        match read_case(case, revision, &mut room) {
            Err(mut found) => problems.append(&mut found),
            Ok(case) => cases.push(case),
        }
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(problems)
    }
}

/// `room` is how many more requests the file may send.
fn read_case(
    case: WrittenCase,
    revision: &Revision,
    room: &mut usize,
) -> Result<Case, Vec<Problem>> {
    let mut problems = Vec::new();
    let at = case.at.as_ref().and_then(|text| {
        let time = read_time(text);
        if time.is_none() {
            problems.push(
                Problem::new(&text.span, format!("`{}` is not a time", text.value))
                    .help("write one such as `2027-01-31T12:00:00Z`"),
            );
        }
        time
    });
    let (name, line, live) = (
        case.name.value.clone(),
        case.name.span.line,
        case.live.clone(),
    );
    let mut steps = Vec::new();
    for step in case.steps().map_err(|problem| vec![problem])? {
        match repeated(&step, room).and_then(|times| Ok((times, read_step(step, at, revision)?))) {
            Ok((times, step)) => {
                let again = Step {
                    after: Duration::ZERO,
                    ..step.clone()
                };
                steps.push(step);
                steps.extend(std::iter::repeat_n(again, times - 1));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(Case {
            name,
            line,
            at,
            live,
            steps,
        })
    } else {
        Err(problems)
    }
}

/// How often a step is sent.
fn repeated(step: &WrittenStep, room: &mut usize) -> Result<usize, Problem> {
    let times = step.times.as_ref().map_or(1, |times| times.get());
    match room.checked_sub(times) {
        Some(left) => {
            *room = left;
            Ok(times)
        }
        None => {
            let span = step
                .times
                .as_ref()
                .map_or(&step.request.span, |times| &times.span);
            let message = format!("the file sends more than {MAX_REQUESTS} requests");
            Err(Problem::new(span, message).help("lower `times`, or move cases into another file"))
        }
    }
}

fn read_step(
    step: WrittenStep,
    at: Option<Timestamp>,
    revision: &Revision,
) -> Result<Step, Problem> {
    let Spanned {
        span,
        value: written,
    } = step.request;
    let application = written.application.clone();
    let both = |what: &str| Problem::new(&span, format!("{what} has both `body` and `json`"));
    let mut request = request(written).ok_or_else(|| both("the request"))?;
    request.certificate = step.certificate;
    let facts = step.facts.unwrap_or_default();
    request.facts = facts.iter().map(|Raw(node)| node.to_json()).collect();
    let answered = step.answer.map(answer).unwrap_or(Some(ExplainAnswer {
        status: 200,
        headers: Vec::new(),
        body: String::new(),
    }));
    request.answer = Some(answered.ok_or_else(|| both("the answer"))?);
    let unreadable = |message: String| Problem::new(&span, message);
    let trace = explain(revision, &request, at.unwrap_or_default()).map_err(unreadable)?;
    if let Some(application) = &application {
        identify(&mut request, application, &trace, revision)?;
    }
    Ok(Step {
        line: span.line,
        after: step
            .after
            .map(lockgate_config::Duration::get)
            .unwrap_or_default(),
        in_flight: step.in_flight.map_or(0, NonZeroUsize::get),
        request,
        expect: expect(step.expect)?,
    })
}

fn request(written: WrittenRequest) -> Option<ExplainRequest> {
    let (headers, body) = content(&written.headers, written.body, written.json.as_ref())?;
    Some(ExplainRequest {
        method: written.method,
        url: written.url,
        headers,
        body,
        client: written.client,
        ..ExplainRequest::default()
    })
}

fn answer(written: WrittenAnswer) -> Option<ExplainAnswer> {
    let (headers, body) = content(&written.headers, written.body, written.json.as_ref())?;
    Some(ExplainAnswer {
        status: written.status,
        headers,
        body: body.unwrap_or_default(),
    })
}

type Content = (Vec<(String, String)>, Option<String>);

/// Fields and body; `json` names its type unless the fields do. `None` when both sorts of body are written.
fn content(fields: &Fields, body: Option<String>, json: Option<&Raw>) -> Option<Content> {
    let mut headers = fields.pairs();
    let body = match (body, json) {
        (Some(_), Some(_)) => return None,
        (body, None) => body,
        (None, Some(Raw(node))) => {
            if !fields.has("content-type") {
                headers.push(("Content-Type".into(), "application/json".into()));
            }
            Some(node.to_json().to_string())
        }
    };
    Some((headers, body))
}

fn expect(written: WrittenExpect) -> Result<Expect, Problem> {
    if let Some(code) = written
        .code
        .as_ref()
        .filter(|_| written.decision == Decision::Refuse)
    {
        known(code)?;
    }
    let forwarded = written.forwarded;
    Ok(Expect {
        decision: written.decision,
        code: written.code.map(|code| code.value),
        status: written.status,
        headers: written.headers.pairs(),
        without: written.without,
        body: written.body,
        application: written.application,
        route: written.route,
        policies: written.policies,
        rules: written.rules,
        forwarded: ExpectForwarded {
            path: forwarded.path,
            query: forwarded.query,
            headers: forwarded.headers.pairs(),
            without: forwarded.without,
            cache: forwarded.cache,
        },
    })
}

/// A code that no policy has would make a case fail for ever, or for the wrong reason.
fn known(code: &Spanned<String>) -> Result<(), Problem> {
    let codes: Vec<&str> = reasons().map(|reason| reason.code).collect();
    if codes.contains(&code.as_str()) {
        return Ok(());
    }
    let span: &Span = &code.span;
    let problem = Problem::unknown(span, "reason code", code, &codes);
    Err(match lockgate_config::nearest(code, &codes) {
        Some(_) => problem,
        None => Problem::new(span, problem.message)
            .help("`lockgate policies KIND` lists the codes of a kind"),
    })
}
