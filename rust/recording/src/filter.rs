//! Picks events.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::event::{Decision, Event};

/// Which events are wanted; a field that is absent wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The application, by id.
    pub application: Option<String>,
    /// The API, by name.
    pub api: Option<String>,
    /// The route, by name.
    pub route: Option<String>,
    /// The reason code of a refusal.
    pub code: Option<String>,
    /// What became of the request.
    pub decision: Option<Decision>,
    /// The status of the answer.
    pub status: Option<RangeInclusive<u16>>,
    /// The earliest time, in microseconds since the Unix epoch.
    pub since: Option<u64>,
    /// The latest time, in the same unit; it belongs to the range.
    pub until: Option<u64>,
    /// The caller's address.
    pub client: Option<IpAddr>,
    /// A part of the path.
    pub path_contains: Option<String>,
    /// The most events that [`Reader::filtered`](crate::Reader::filtered) gives.
    pub limit: Option<u64>,
}

impl Filter {
    /// Whether an event is wanted. The limit is not looked at.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        is(self.application.as_deref(), event.application.as_deref())
            && is(self.api.as_deref(), event.api.as_deref())
            && is(self.route.as_deref(), event.route.as_deref())
            && is(self.code.as_deref(), event.code.as_deref())
            && self.decision.is_none_or(|wanted| wanted == event.decision)
            && self
                .status
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&event.status))
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at <= until)
            && self
                .client
                .is_none_or(|wanted| event.client == Some(wanted))
            && self
                .path_contains
                .as_deref()
                .is_none_or(|part| event.path.contains(part))
    }
}

fn is(wanted: Option<&str>, given: Option<&str>) -> bool {
    wanted.is_none() || wanted == given
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
