use std::ops::Deref;
use std::sync::Arc;

use http::request::Parts;

/// The head of a request. While a rollout runs it is shared with whoever asks the other revision: a copy would cost more than asking.
#[expect(
    clippy::large_enum_variant,
    reason = "it stays where it is, and a box would cost every request something"
)]
pub enum Head {
    /// Nobody else sees it.
    Own(Parts),
    /// Somebody may.
    Shared(Arc<Parts>),
}

impl Head {
    /// A head that is shared or is not.
    pub fn of(head: Parts, is_shared: bool) -> Self {
        if is_shared {
            Self::Shared(Arc::new(head))
        } else {
            Self::Own(head)
        }
    }

    /// The head to share.
    pub const fn shared(&self) -> Option<&Arc<Parts>> {
        match self {
            Self::Own(_) => None,
            Self::Shared(head) => Some(head),
        }
    }
}

impl Deref for Head {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        match self {
            Self::Own(head) => head,
            Self::Shared(head) => head,
        }
    }
}
