//! Cases as they were written, read and checked.

use std::collections::HashMap;
use std::time::Duration;

use lockgate_config::{Each, Problem};
use lockgate_policy::{Revision, read_time};

use crate::MAX_REQUESTS;
use crate::file::{WrittenCase, WrittenRequest, WrittenStep};

use super::case::{Case, Step};
use super::step::read_step;

impl WrittenCase {
    /// All requests of the case.
    pub fn requests(&self) -> impl Iterator<Item = &WrittenRequest> {
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

/// Reads all cases of a file; no two have one name.
pub fn read_cases(
    written: Each<WrittenCase>,
    revision: &Revision,
) -> Result<Vec<Case>, Vec<Problem>> {
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
