//! Problems after which decoding goes on.

use std::cell::RefCell;

use crate::problem::Problem;

thread_local! {
    static COLLECTED: RefCell<Vec<Problem>> = const { RefCell::new(Vec::new()) };
}

/// Notes a problem and lets the decoding go on.
pub(super) fn collect(problem: Problem) {
    COLLECTED.with_borrow_mut(|problems| problems.push(problem));
}

/// What `read` gives, and the problems that were noted meanwhile.
pub(super) fn collecting<T>(read: impl FnOnce() -> T) -> (T, Vec<Problem>) {
    let outer = COLLECTED.take();
    let result = read();
    (result, COLLECTED.replace(outer))
}
