//! Limits that plans have, and everybody else.

use crate::request::RequestView;

/// A limit for each plan that is listed, and for callers on none of them.
#[derive(Debug)]
pub(crate) struct PlanLimits {
    plans: Vec<(String, u64)>,
    others: Option<u64>,
}

impl PlanLimits {
    /// The limits of these plans, and that of the others.
    pub(crate) fn new(plans: impl IntoIterator<Item = (String, u64)>, others: Option<u64>) -> Self {
        Self {
            plans: plans.into_iter().collect(),
            others,
        }
    }

    /// The limit of a request's caller.
    pub(crate) fn of(&self, request: &RequestView<'_>) -> Option<u64> {
        let application = request
            .identity
            .and_then(|identity| identity.application.as_deref());
        let plan = application.and_then(|application| application.plan.as_deref());
        let by_plan = plan.and_then(|plan| self.plans.iter().find(|(name, _)| name == plan));
        by_plan.map(|(_, limit)| *limit).or(self.others)
    }
}
