//! Faults of this program while it serves: each costs one request, and says that what is served may be the cause (F10).

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static FAULTS: AtomicU64 = AtomicU64::new(0);
static COUNTING: Once = Once::new();

/// What the threads that serve requests are called, with their number behind it.
pub const CORE: &str = "lockgate-core-";

/// Counts from now on. The hook of before still says where each was.
pub fn count() {
    COUNTING.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |about| {
            let serves = std::thread::current()
                .name()
                .is_some_and(|name| name.starts_with(CORE));
            if serves {
                FAULTS.fetch_add(1, Ordering::Relaxed);
            }
            before(about);
        }));
    });
}

/// How many there were on threads that serve.
pub fn counted() -> u64 {
    FAULTS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_count_on_threads_that_serve_and_on_no_others() {
        count();
        let fault = |name: &str| {
            let thread = std::thread::Builder::new().name(name.to_owned());
            let ended = thread
                .spawn(|| panic!("planted"))
                .map(std::thread::JoinHandle::join);
            assert!(ended.is_ok_and(|ended| ended.is_err()));
        };
        let before = counted();
        fault("lockgate-admin");
        assert_eq!(counted(), before);
        fault(&format!("{CORE}7"));
        assert_eq!(counted(), before + 1);
    }
}
