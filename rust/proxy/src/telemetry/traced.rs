//! What is known of a sampled request beside its event.

use std::sync::Arc;
use std::time::Duration;

use http::{StatusCode, Uri};
use lockgate_rollout::Arm;

use crate::forward::Tried;
use crate::trace::SpanIds;
use crate::upstream::Target;

/// A request of a sampled trace.
#[derive(Debug)]
pub struct Traced {
    /// The ids of its spans.
    pub ids: SpanIds,
    /// The path template of its route.
    pub route: Option<Arc<str>>,
    /// Which revision of a rollout served it.
    pub arm: Option<Arm>,
    /// What it asked of a model.
    pub operation: Option<&'static str>,
    /// What was asked of a service for it.
    pub call: Option<Call>,
}

/// What was asked of a service.
#[derive(Debug)]
pub struct Call {
    /// Whom.
    pub whom: Whom,
    /// When the first target was asked, since the request arrived.
    pub began: Duration,
    /// When the head of the answer was there. `None` while nobody has answered.
    pub ended: Option<Duration>,
    /// The target that was asked last.
    pub target: Option<Arc<Target>>,
    /// How often one was asked.
    pub tries: u16,
    /// The status of the answer, or the code of the reason why there was none. `None` when the caller left before.
    pub answer: Option<Result<StatusCode, &'static str>>,
}

/// Who is asked.
#[derive(Debug)]
pub enum Whom {
    /// A service, for this path.
    Service(Uri),
    /// The services of an aggregation.
    Parts,
    /// The provider of a model, for this.
    Model(&'static str),
}

impl Traced {
    /// Knows nothing but its ids.
    pub const fn of(ids: SpanIds) -> Self {
        Self {
            ids,
            route: None,
            arm: None,
            operation: None,
            call: None,
        }
    }

    /// Somebody is asked now, so long after the arrival.
    pub fn calls(&mut self, whom: Whom, began: Duration) {
        if let Whom::Model(operation) = whom {
            self.operation = Some(operation);
        }
        self.call = Some(Call {
            whom,
            began,
            ended: None,
            target: None,
            tries: 1,
            answer: None,
        });
    }

    /// What came of it, so long after the arrival. Without a try, the gateway knew the answer.
    pub fn called(
        &mut self,
        tried: &Tried,
        began: Option<Duration>,
        ended: Duration,
        answer: Result<StatusCode, &'static str>,
    ) {
        let Some(call) = self.call.as_mut().filter(|_| tried.tries > 0) else {
            self.call = None;
            return;
        };
        call.began = began.unwrap_or(call.began);
        call.ended = Some(ended);
        call.target.clone_from(&tried.target);
        call.tries = tried.tries;
        call.answer = Some(answer);
    }

    /// How many spans it gives.
    pub fn spans(&self) -> u64 {
        1 + u64::from(self.call.is_some())
    }
}
