//! A gateway that a test sends requests to, one after the other.

use std::path::Path;
use std::sync::Arc;

use lockgate_config::{Problem, Source, Spanned, load_document};
use lockgate_policy::{
    Counters, ExplainRequest, Revision, Secrets, Timestamp, Trace, explain_with,
};

use crate::application::{identify, with_credentials};

/// A gateway with one set of counters, in which every application has a key of the runner. It reads no secret and opens no
/// connection.
#[derive(Debug)]
pub struct Bench {
    revision: Revision,
    counters: Arc<Counters>,
}

impl Bench {
    /// Compiles a document.
    ///
    /// # Errors
    /// Every problem of the document.
    pub fn open(gateway: &Path) -> Result<Self, Vec<Problem>> {
        let source = Source::file(gateway);
        // Once as it is written, so that problems name its lines.
        Revision::check(&source)?;
        let loaded = load_document(&source)?;
        let applications: Vec<Spanned<String>> = loaded
            .document
            .applications
            .iter()
            .map(|entry| named(&entry.id, entry.span.clone()))
            .collect();
        let applications: Vec<&Spanned<String>> = applications.iter().collect();
        let loaded = with_credentials(loaded, &applications)?;
        let (revision, _) = Revision::compile(loaded, Secrets::Skip)?;
        Ok(Self {
            revision,
            counters: Arc::default(),
        })
    }

    /// Sends a request, with the key of an application when one is named. `now` is the time of a request that says none.
    ///
    /// # Errors
    /// What is wrong with the request as it was written.
    pub fn call(
        &self,
        mut request: ExplainRequest,
        application: Option<&str>,
        now: Timestamp,
    ) -> Result<Trace, String> {
        if let Some(application) = application {
            let name = named(application, lockgate_config::Span::default());
            self.identify(&mut request, &name, now)
                .map_err(|problem| match problem.help {
                    Some(help) => format!("{}; {help}", problem.message),
                    None => problem.message,
                })?;
        }
        let explained = explain_with(&self.revision, &request, now, &self.counters)?;
        match explained.unasked_facts {
            0 => Ok(explained.trace),
            left => Err(format!("nobody asked for {left} of the facts")),
        }
    }

    fn identify(
        &self,
        request: &mut ExplainRequest,
        application: &Spanned<String>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let known = self.revision.directory.ids();
        if !known.contains(&application.as_str()) {
            return Err(Problem::unknown(
                &application.span,
                "application",
                application,
                &known,
            ));
        }
        let trace = lockgate_policy::explain(&self.revision, request, now)
            .map_err(|message| Problem::new(&application.span, message))?;
        identify(request, application, &trace, &self.revision)
    }
}

fn named(name: &str, span: lockgate_config::Span) -> Spanned<String> {
    Spanned {
        span,
        value: name.to_owned(),
    }
}
