use std::net::SocketAddr;
use std::sync::{Mutex, mpsc};

use crate::service::{Answer, Service};

/// A service that answers every request with what it got. `/gate` waits until the test lets it go.
#[derive(Debug)]
pub struct Echo {
    /// Where it listens.
    pub address: SocketAddr,
    /// Says that a request waits at the gate.
    pub entered: mpsc::Receiver<()>,
    /// Lets one request go.
    pub open: mpsc::SyncSender<()>,
}

impl Echo {
    /// Starts it.
    pub fn start() -> Self {
        let (enter, entered) = mpsc::channel();
        let (open, gate) = mpsc::sync_channel(1);
        let gate = Mutex::new(gate);
        let service = Service::start(move |message| {
            if message.head.contains(" /gate ") {
                enter.send(()).unwrap();
                gate.lock().unwrap().recv().unwrap();
            }
            let headers = [("Connection", "keep-alive, X-Hop"), ("X-Hop", "1")];
            Answer {
                headers: headers
                    .map(|(name, value)| (name.into(), value.into()))
                    .into(),
                ..Answer::ok(format!("{}\n{}", message.head, message.body))
            }
        });
        Self {
            address: service.address,
            entered,
            open,
        }
    }
}
