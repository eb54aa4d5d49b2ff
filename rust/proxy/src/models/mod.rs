//! Models: who is asked, in which order, and with which key.

mod ask;
mod bill;
mod call;
mod kept;
mod keys;
pub mod names;
mod question;
pub mod said;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;

use lockgate_config::{
    Balance, Circuit, HostHeader, HttpVersion, Model as Settings, ModelFailure,
    ModelTarget as TargetSettings, Percent, Problem, Provider, Spanned, Target, Timeouts, Upstream,
};
use lockgate_llm::Dialect;
use lockgate_policy::{KnownPrice, dialect_of, price_of};

use crate::upstream::{Building, Service, Upstreams};

pub use ask::Asking;
pub use bill::{Bill, CallRecord, Told};
pub use kept::KeptAnswers;
use keys::Keys;

/// All models of a revision.
pub type Models = HashMap<Arc<str>, Arc<Model>>;

/// A model as callers name it.
#[derive(Debug)]
pub struct Model {
    /// Its name.
    pub name: Arc<str>,
    /// The most tokens of an answer when the caller names no bound.
    pub max_output: u64,
    targets: Vec<ModelTarget>,
}

/// A provider's model that answers for one.
#[derive(Debug)]
pub struct ModelTarget {
    /// What the provider speaks.
    pub dialect: Dialect,
    /// The model as the provider names it.
    pub model: String,
    /// Where the provider's API begins.
    pub url: String,
    /// Through what it is asked.
    pub service: Arc<Service>,
    /// What it is asked with.
    pub keys: Keys,
    /// What it costs, as far as anybody knows.
    pub price: Option<KnownPrice>,
    weight: u32,
    on: Vec<ModelFailure>,
}

impl Model {
    /// The target that is asked first, with its place: one of those without `on`, by weight.
    pub fn first(&self, random: u64) -> Option<(usize, &ModelTarget)> {
        let firsts = || {
            let targets = self.targets.iter().enumerate();
            targets.filter(|(_, target)| target.on.is_empty())
        };
        let total: u64 = firsts().map(|(_, target)| u64::from(target.weight)).sum();
        let mut left = random % total.max(1);
        firsts().find(|(_, target)| {
            let weight = u64::from(target.weight);
            let is_it = left < weight;
            left = left.saturating_sub(weight);
            is_it
        })
    }

    /// The next target that stands in for one that failed so.
    pub fn next(&self, failure: ModelFailure, tried: &[usize]) -> Option<(usize, &ModelTarget)> {
        let mut targets = self.targets.iter().enumerate();
        targets.find(|(place, target)| target.on.contains(&failure) && !tried.contains(place))
    }
}

/// The models of a document. Services that they are asked through are added to `services`, by the names `MODEL/PROVIDER`.
///
/// # Errors
/// Addresses that are none, keys that cannot be read or are missing, models that nobody is asked for first.
pub fn models(building: &Building<'_>, services: &mut Upstreams) -> Result<Models, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut models = Models::new();
    for entry in &building.document.models {
        let mut targets = Vec::new();
        for settings in entry.value.targets.iter() {
            match target((&entry.id, &entry.value), settings, building, services) {
                Ok(target) => targets.push(target),
                Err(mut found) => problems.append(&mut found),
            }
        }
        let mut settings = entry.value.targets.iter();
        if settings.all(|target| !target.on.is_empty()) {
            let message = format!("the model `{}` has no target that is asked first", entry.id);
            problems.push(
                Problem::new(&entry.span, message)
                    .help("take `on` out of the target that answers as long as nothing fails"),
            );
        }
        let name: Arc<str> = Arc::from(entry.id.as_str());
        let model = Model {
            name: name.clone(),
            max_output: u64::from(entry.value.max_output_tokens.get()),
            targets,
        };
        models.insert(name, Arc::new(model));
    }
    if problems.is_empty() {
        Ok(models)
    } else {
        Err(problems)
    }
}

fn target(
    (name, model): (&str, &Settings),
    settings: &Spanned<TargetSettings>,
    building: &Building<'_>,
    services: &mut Upstreams,
) -> Result<ModelTarget, Vec<Problem>> {
    let mut problems = Vec::new();
    let keys = Keys::read(settings, building).unwrap_or_else(|mut found| {
        problems.append(&mut found);
        Keys::default()
    });
    let url = settings.url.as_ref();
    let url = url.map_or_else(
        || settings.provider.url().to_owned(),
        |url| url.value.clone(),
    );
    let known = upstream(model, settings, url.clone());
    let name = service_name(name, settings.provider, services);
    let service = Arc::new(Service::new(&name, &known, building, &mut problems));
    if !problems.is_empty() {
        return Err(problems);
    }
    services.insert(service.name.clone(), service.clone());
    Ok(ModelTarget {
        dialect: dialect_of(settings.provider),
        model: settings.model.value.clone(),
        url,
        service,
        keys,
        price: price_of(settings),
        weight: settings.weight.get(),
        on: settings.on.to_vec(),
    })
}

/// No service of a document has a `/` in its name.
fn service_name(model: &str, provider: Provider, services: &Upstreams) -> String {
    let name = format!("{model}/{}", provider.name());
    let taken = |name: &str| services.contains_key(name);
    let mut further = (2..).map(|number| format!("{name}/{number}"));
    match taken(&name) {
        false => name,
        true => further.find(|name| !taken(name)).unwrap_or(name),
    }
}

fn upstream(model: &Settings, target: &Spanned<TargetSettings>, url: String) -> Upstream {
    let span = target.url.as_ref().map_or(&target.span, |url| &url.span);
    let span = span.clone();
    Upstream {
        targets: vec![Target {
            span,
            url,
            weight: std::num::NonZeroU32::MIN,
            zone: None,
        }]
        .into(),
        balance: Balance::default(),
        hash_by: None,
        http: HttpVersion::default(),
        health: None,
        timeouts: Timeouts {
            connect: model.timeouts.connect,
            first_byte: model.timeouts.first_token,
            idle: model.timeouts.between_tokens,
            ..Timeouts::default()
        },
        retries: None,
        circuit: Circuit::default(),
        slow_start: None,
        panic_threshold: Percent::whole(50),
        tls: None,
        host: HostHeader::default(),
    }
}
