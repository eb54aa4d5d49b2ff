//! What was compiled of one document.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::rules::Rules;
use super::side::Side;
use super::validator::Validator;

/// What was compiled of one document: operations share schemas.
#[derive(Default)]
pub(super) struct Compiled {
    pub(super) validators: RefCell<HashMap<(String, Side), Arc<Validator>>>,
    pub(super) rules: Rules,
}
