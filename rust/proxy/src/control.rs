//! Orders from this machine, through a socket in the state folder: whoever may write there may give them, and nobody else. No
//! network, no port, and nothing of the document takes part (F13).

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lockgate_generations::Target;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::core::Shared;
use crate::members;
use crate::reload::Reloader;

/// The name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";
/// Orders at a time.
const MOST: usize = 16;
/// The longest order; documents are named, not sent.
const MAX_ORDER_BYTES: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// An order, one line of JSON; the answer is one, too.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    /// Serve an older generation again.
    Rollback { to: String, why: String },
    /// Refuse an application, or the key or certificate with this SHA-256, for ever.
    Revoke { what: String },
    /// Serve with another directory.
    Publish { path: std::path::PathBuf },
    /// Refuse a source, an application or a credential for a time.
    Block(members::Wanted),
    /// End that before its time.
    Unblock { what: String },
}

/// Takes the socket. Only the owner of this process and root are heard.
///
/// # Errors
/// It cannot be made.
pub fn bind(state: &Path) -> std::io::Result<UnixListener> {
    let folder = fs::File::open(state)?;
    // The lock of the generations is held: a socket that is there belongs to a process that is gone.
    let _ = fs::remove_file(state.join(SOCKET));
    // A path of a socket has at most 108 bytes (unix(7)); through the open folder it is short wherever the folder stands.
    let short = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    let socket = UnixListener::bind(short)?;
    fs::set_permissions(state.join(SOCKET), fs::Permissions::from_mode(0o600))?;
    Ok(socket)
}

/// Takes orders for ever.
pub async fn listen(socket: UnixListener, shared: Arc<Shared>, reloader: Arc<Reloader>) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let (Ok((stream, _)), Ok(place)) =
            (socket.accept().await, places.clone().acquire_owned().await)
        else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (shared, reloader) = (shared.clone(), reloader.clone());
        tokio::spawn(async move {
            let _ = take(stream, shared, reloader).await;
            drop(place);
        });
    }
}

async fn take(
    mut stream: UnixStream,
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
) -> std::io::Result<()> {
    let own = fs::metadata("/proc/self")?.uid();
    let caller = stream.peer_cred()?.uid();
    let answer = if caller == own || caller == 0 {
        let mut line = String::new();
        let (from, _) = stream.split();
        let mut from = BufReader::new(from.take(MAX_ORDER_BYTES));
        tokio::time::timeout(PATIENCE, from.read_line(&mut line)).await??;
        tokio::task::spawn_blocking(move || obey(&line, &shared, &reloader))
            .await
            .unwrap_or_else(|_| refused("the order broke off"))
    } else {
        refused("only the user that the node runs as is heard here")
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await
}

fn obey(line: &str, shared: &Shared, reloader: &Reloader) -> Value {
    match serde_json::from_str(line) {
        Ok(Order::Rollback { to, why }) => {
            let went = to.parse::<Target>().and_then(|target| {
                let went = reloader.go_back(shared, target, &why);
                went.map_err(|error| error.to_string())
            });
            match went {
                Ok(applied) => json!({
                    "done": true,
                    "generation": applied.generation,
                    "id": applied.id,
                    "problems": applied.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
                }),
                Err(why) => refused(&why),
            }
        }
        Ok(Order::Revoke { what }) => {
            let revoked = reloader.change_members(shared, |history, current, now| {
                let revokes = members::named(&what, Some(&current.directory))?;
                let known = members::knows(&current.directory, &revokes);
                let kept = history
                    .ask_members(|members, store| members.revoke(store, revokes.clone(), now));
                kept.map_err(|error| error.to_string())?;
                Ok(json!({ "done": true, "revoked": revokes, "known": known }))
            });
            revoked.unwrap_or_else(|why| refused(&why))
        }
        Ok(Order::Publish { path }) => {
            let published = reloader.change_members(shared, |history, _, _| {
                let sequence =
                    history.ask_members(|members, _| members::publish(members, &path))?;
                Ok(json!({ "done": true, "sequence": sequence }))
            });
            published.unwrap_or_else(|why| refused(&why))
        }
        Ok(Order::Block(wanted)) => {
            let blocked = reloader.change_members(shared, |history, current, now| {
                let block = wanted.block(Some(&current.directory), now)?;
                history
                    .ask_members(|members, _| members.block(block.clone(), now))
                    .map_err(|error| error.to_string())?;
                Ok(json!({ "done": true, "block": block }))
            });
            blocked.unwrap_or_else(|why| refused(&why))
        }
        Ok(Order::Unblock { what }) => {
            let ended = reloader.change_members(shared, |history, _, now| {
                let block =
                    history.ask_members(|members, _| members::unblock(members, &what, now))?;
                Ok(json!({ "done": true, "block": block }))
            });
            ended.unwrap_or_else(|why| refused(&why))
        }
        Err(error) => refused(&format!("this order is not understood: {error}")),
    }
}

fn refused(why: &str) -> Value {
    json!({ "done": false, "why": why })
}
