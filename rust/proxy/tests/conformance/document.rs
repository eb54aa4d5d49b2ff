//! The document of a case, led to loopback.

use std::net::SocketAddr;
use std::path::Path;

use lockgate_testkit::{Authority, Issued};
use serde_json::{Map, Value, json};

/// Where the document leads to.
pub struct Around<'a> {
    pub folder: &'a Path,
    pub backend: SocketAddr,
    pub facts: SocketAddr,
    pub tls: Option<(&'a Authority, &'a Issued)>,
    /// Fingerprints that the case writes, each with that of a certificate that was really made.
    pub fingerprints: &'a [(String, String)],
}

impl Around<'_> {
    /// The document, given in canonical form, with everything that it names on loopback.
    pub fn document(&self, canonical: &str) -> String {
        let mut document: Value = serde_json::from_str(canonical).unwrap();
        self.lead(&mut document);
        let root = document.as_object_mut().unwrap();
        root.insert("listeners".into(), self.listeners());
        root.insert("admin".into(), json!({ "bind": "127.0.0.1:0" }));
        root.insert("node".into(), json!({ "cores": 1 }));
        let recording = self.folder.join("recording");
        root.insert("recording".into(), json!({ "directory": recording }));
        for (_, upstream) in objects(root.get_mut("upstreams")) {
            upstream["targets"] = json!([format!("http://{}", self.backend)]);
        }
        for (_, model) in objects(root.get_mut("models")) {
            for target in model["targets"].as_array_mut().into_iter().flatten() {
                target["url"] = json!(format!("http://{}", self.backend));
            }
        }
        for (_, application) in objects(root.get_mut("applications")) {
            if let Some(list) = application
                .get_mut("certificates")
                .and_then(Value::as_array_mut)
            {
                *list = list
                    .iter()
                    .flat_map(|known| self.certificates(known))
                    .collect();
            }
        }
        document.to_string()
    }

    fn listeners(&self) -> Value {
        let mut listeners = Map::new();
        for proxied in [false, true] {
            let mut settings = json!({ "bind": "127.0.0.1:0" });
            if proxied {
                settings["trusted_proxies"] = json!(["127.0.0.0/8"]);
            }
            listeners.insert(listener(proxied, false).into(), settings.clone());
            if let Some((authority, own)) = self.tls {
                settings["tls"] = json!({
                    "certificate": own.certificate,
                    "key": format!("${{file:{}}}", own.key.display()),
                    "client_authorities": authority.path,
                });
                listeners.insert(listener(proxied, true).into(), settings);
            }
        }
        Value::Object(listeners)
    }

    /// The entry itself, or entries for the certificates that were made for it.
    fn certificates(&self, known: &Value) -> Vec<Value> {
        let made: Vec<Value> = self
            .fingerprints
            .iter()
            .filter(|(written, _)| known["sha256"] == **written)
            .map(|(_, made)| json!({ "sha256": made }))
            .collect();
        if made.is_empty() {
            vec![known.clone()]
        } else {
            made
        }
    }

    /// Leads endpoints to the server of facts, and secrets of the environment to files.
    fn lead(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                let name = text
                    .strip_prefix("${env:")
                    .and_then(|rest| rest.strip_suffix('}'));
                if let Some(name) = name {
                    let file = self.folder.join(name);
                    std::fs::write(&file, "a secret of the environment").unwrap();
                    *text = format!("${{file:{}}}", file.display());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.lead(item)),
            Value::Object(members) => {
                for name in ["jwks", "endpoint"] {
                    let url = members.get(name).and_then(Value::as_str);
                    if url.is_some_and(|url| url.starts_with("http")) {
                        members.insert(name.into(), json!(format!("http://{}/{name}", self.facts)));
                        members.insert("allow_private".into(), json!(true));
                    }
                }
                members.values_mut().for_each(|member| self.lead(member));
            }
            _ => {}
        }
    }
}

fn objects(section: Option<&mut Value>) -> impl Iterator<Item = (&String, &mut Value)> {
    section.and_then(Value::as_object_mut).into_iter().flatten()
}

/// The name of a listener.
pub const fn listener(proxied: bool, tls: bool) -> &'static str {
    match (proxied, tls) {
        (false, false) => "direct",
        (true, false) => "proxied",
        (false, true) => "direct-tls",
        (true, true) => "proxied-tls",
    }
}
