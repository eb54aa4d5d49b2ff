use std::sync::Arc;

/// Who calls, and how that was proved.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The application, when the credential belongs to a known one.
    pub application: Option<Arc<Application>>,
    /// The subject of a token or the user name; unique together with `issuer`.
    pub subject: Option<Arc<str>>,
    /// Who vouches for the subject.
    pub issuer: Option<Arc<str>>,
    /// What the credential allows: the token's scopes, or the application's.
    pub scopes: Arc<[String]>,
    /// The claims of a token.
    pub claims: Option<Arc<serde_json::Value>>,
    /// How it was proved: the kind's name, such as `api_key`.
    pub method: &'static str,
}

/// A program that calls APIs, as the engine needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id in the directory.
    pub id: Arc<str>,
    /// The team that answers for it.
    pub team: Option<Arc<str>>,
    /// The plan it is on.
    pub plan: Option<Arc<str>>,
    /// What it may do.
    pub scopes: Arc<[String]>,
    /// What it is.
    pub roles: Arc<[String]>,
    /// Whether its credentials are refused.
    pub suspended: bool,
}

impl Identity {
    /// An application that proved itself with its own credential.
    pub fn of_application(application: Arc<Application>, method: &'static str) -> Self {
        let scopes = application.scopes.clone();
        Self {
            application: Some(application),
            subject: None,
            issuer: None,
            scopes,
            claims: None,
            method,
        }
    }

    /// The name under which limits and shares count this caller: the application, else issuer and subject.
    pub fn key(&self) -> Option<std::borrow::Cow<'_, str>> {
        if let Some(application) = &self.application {
            return Some((&*application.id).into());
        }
        let subject = self.subject.as_deref()?;
        Some(format!("{}|{subject}", self.issuer.as_deref().unwrap_or_default()).into())
    }

    /// The name under which answers are kept for this caller alone: the application together with the user in whose name it calls. Two
    /// users of one application must not get one another's answers.
    pub fn answers_key(&self) -> Option<String> {
        let application = self
            .application
            .as_ref()
            .map(|application| &*application.id);
        let subject = self.subject.as_deref();
        if application.is_none() && subject.is_none() {
            return None;
        }
        // As JSON, so that no two callers make one text.
        let parts = serde_json::json!([application, self.issuer.as_deref(), subject]);
        Some(parts.to_string())
    }
}
