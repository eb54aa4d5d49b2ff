//! Documents made ready to serve: checked, packed as bundles, compiled with what they open.

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::{Document, Loaded, Problem, Source, load_document};
use lockgate_generations::{Bundle, Nack};
use lockgate_policy::{Revision, Secrets};
use serde_json::Value;

use crate::access_log::AccessLog;
use crate::candidate::Candidate;
use crate::core::Generation;
use crate::listen::tls::{ListenerTls, check_certificates, listener_tls};
use crate::models::{Models, models};
use crate::recording::Recording;
use crate::telemetry::{Plan, Telemetry};
use crate::upstream::{Building, Upstreams, upstreams};

/// Checks a document as far as that goes without secrets and without the network: says everything that would keep a node from
/// starting, but for secrets that are missing and addresses that are taken.
///
/// # Errors
/// Every problem found.
pub fn check(source: &Source) -> Result<(Revision, Vec<Problem>), Vec<Problem>> {
    let (revision, warnings, _) = check_all(source)?;
    Ok((revision, warnings))
}

/// Checks a document, and packs it with all files that it refers to. Secrets, and the private keys of certificates, stay references.
///
/// # Errors
/// Every problem found.
pub fn pack(
    source: &Source,
    generation: u64,
    base: Option<String>,
    now: jiff::Timestamp,
) -> Result<(Bundle, Vec<Problem>), Vec<Problem>> {
    let (revision, warnings, canonical) = check_all(source)?;
    let bundle = Bundle::new(canonical, &revision.base.carried(), generation, base, now);
    Ok((bundle, warnings))
}

fn check_all(source: &Source) -> Result<(Revision, Vec<Problem>, String), Vec<Problem>> {
    let loaded = load_document(source)?;
    let canonical = loaded.canonical.clone();
    let (revision, mut warnings) = Revision::compile(loaded, Secrets::Skip)?;
    let mut problems = addresses(&revision.document, &source.name());
    let building = Building {
        document: &revision.document,
        base: &revision.base,
        secrets: Secrets::Skip,
        previous: None,
    };
    problems.extend(services(&building).err().into_iter().flatten());
    let plan = Plan::of(&building).unwrap_or_else(|mut found| {
        problems.append(&mut found);
        None
    });
    warnings.extend(plan.and_then(|plan| plan.warning));
    for listener in &revision.document.listeners {
        match check_certificates(listener, &revision.base) {
            Ok(ends) => warnings.extend(ends.iter().filter_map(|end| end.warning(listener))),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok((revision, warnings, canonical))
    } else {
        Err(problems)
    }
}

/// All that requests are sent to.
fn services(building: &Building<'_>) -> Result<(Upstreams, Models), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut note = |mut found| problems.append(&mut found);
    let mut services = upstreams(building).map_err(&mut note).unwrap_or_default();
    let models = models(building, &mut services).map_err(&mut note);
    match models {
        Ok(models) if problems.is_empty() => Ok((services, models)),
        _ => Err(problems),
    }
}

/// What is wrong with where a node shall listen.
fn addresses(document: &Document, name: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if document.listeners.is_empty() {
        problems.push(
            Problem::in_file(name, "there is no listener")
                .help("add one, such as `listeners: { public: { bind: \"127.0.0.1:8080\" } }`"),
        );
    }
    let admin = document.admin.bind;
    if !admin.ip().is_loopback() {
        let message = format!("the admin listener at {admin} could be reached from outside");
        problems.push(
            Problem::in_file(name, message)
                .help("write a loopback address, such as `admin: { bind: \"127.0.0.1:9901\" }`"),
        );
    }
    problems
}

/// A document compiled, with nothing opened or written yet.
pub struct Parts {
    pub revision: Revision,
    pub warnings: Vec<Problem>,
    pub canonical: String,
    upstreams: Upstreams,
    models: Models,
    tls: HashMap<Arc<str>, ListenerTls>,
    telemetry: Option<Plan>,
}

/// Compiles a candidate, secrets included.
pub fn parts(
    loaded: Loaded,
    candidate: &Candidate,
    previous: Option<&Generation>,
) -> Result<Parts, Vec<Problem>> {
    let canonical = loaded.canonical.clone();
    let (revision, mut warnings) = Revision::compile(loaded, Secrets::Read)?;
    let document = &revision.document;
    let mut problems = addresses(document, &candidate.name());
    let building = Building {
        document,
        base: &revision.base,
        secrets: Secrets::Read,
        previous: previous.map(|generation| &generation.upstreams),
    };
    let (upstreams, models) = services(&building).unwrap_or_else(|mut found| {
        problems.append(&mut found);
        Default::default()
    });
    let telemetry = Plan::of(&building).unwrap_or_else(|mut found| {
        problems.append(&mut found);
        None
    });
    let mut tls = HashMap::new();
    for entry in &document.listeners {
        match listener_tls(entry, &revision.base) {
            Ok(None) => {}
            Ok(Some(found)) => {
                warnings.extend(found.ends.iter().filter_map(|end| end.warning(entry)));
                tls.insert(Arc::from(entry.id.as_str()), found);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    warnings.extend(telemetry.iter().filter_map(|plan| plan.warning.clone()));
    Ok(Parts {
        upstreams,
        models,
        revision,
        warnings,
        canonical,
        tls,
        telemetry,
    })
}

/// What can be served, with the warnings and the canonical form of its document.
pub struct Compiled {
    pub generation: Generation,
    pub warnings: Vec<Problem>,
    pub canonical: String,
}

/// Compiles a candidate and opens what it writes to.
pub fn compile(
    loaded: Loaded,
    candidate: &Candidate,
    cores: Option<usize>,
    previous: Option<&Generation>,
) -> Result<Compiled, Vec<Problem>> {
    let Parts {
        revision,
        warnings,
        canonical,
        upstreams,
        models,
        tls,
        telemetry,
    } = parts(loaded, candidate, previous)?;
    let cores = cores.unwrap_or_else(|| count_cores(&revision.document));
    let named = |problem| vec![Problem::known_as(problem, || candidate.name())];
    let known = previous.and_then(|generation| generation.recording.as_ref());
    let recording = Recording::open(&revision, cores, known).map_err(named)?;
    let known = previous.and_then(|generation| generation.access_log.as_ref());
    let access_log = AccessLog::open(&revision.document, &revision.base, known).map_err(named)?;
    let known = previous.and_then(|generation| generation.telemetry.as_ref());
    let telemetry = Telemetry::open(telemetry, &revision, known).map_err(named)?;
    let generation = Generation {
        id: Arc::from(revision.id.to_string()),
        cores,
        directory: revision.directory.clone(),
        upstreams,
        models,
        tls,
        recording,
        access_log,
        telemetry,
        revision: Arc::new(revision),
    };
    Ok(Compiled {
        generation,
        warnings,
        canonical,
    })
}

fn count_cores(document: &Document) -> usize {
    document
        .node
        .cores
        .or_else(|| std::thread::available_parallelism().ok())
        .map_or(1, usize::from)
}

/// What a reading gives; a fault of this program within it costs the change, not the gateway (F9).
pub fn fenced<T>(read: impl FnOnce() -> Result<T, Nack>) -> Result<T, Nack> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).unwrap_or_else(|_| {
        let problem = Problem::in_file(
            "document",
            "reading it broke off: a fault of Lockgate itself",
        );
        Err(Nack::Document(vec![problem.help(
            "report it with the document; the lines above on standard error say where it was",
        )]))
    })
}

/// What of a change takes effect at the next start only. Certificates are read again; addresses and bounds are not.
pub fn needs_a_start(old: &Document, new: &Document) -> Option<Problem> {
    let bound = |document: &Document| {
        let listeners: Vec<Value> = document
            .listeners
            .iter()
            .map(|entry| {
                let mut listener = serde_json::to_value(&entry.value).unwrap_or_default();
                if let Some(tls) = listener.get_mut("tls") {
                    *tls = Value::Bool(!tls.is_null());
                }
                serde_json::json!([entry.id, listener])
            })
            .collect();
        (listeners, document.admin.bind, document.node.cores)
    };
    (bound(old) != bound(new)).then(|| {
        Problem::in_file(
            "document",
            "a change of `listeners`, `admin` or `node.cores` takes effect at the next start",
        )
        .warning()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_while_a_document_is_read_is_a_problem_of_the_change_alone() {
        let nack = fenced::<()>(|| panic!("planted")).unwrap_err();
        let problems = nack.problems("gateway.yaml");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("a fault of Lockgate itself"));
        assert_eq!(fenced(|| Ok(7)), Ok(7));
    }
}
