//! What rustls' callbacks see of a handshake and have no way to tell its driver.
//!
//! The rule: a callback runs within one call of the driver, on its thread; the driver takes what was left here as soon as
//! that call returns, so that nothing of one connection is ever seen by another.

use std::cell::RefCell;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Aside {
    /// Why the Client's certificate was refused, in words that name it.
    pub(super) refused: Option<String>,
    /// The host the Client asked for.
    pub(super) server_name: Option<Box<str>>,
}

thread_local! {
    static ASIDE: RefCell<Aside> = RefCell::default();
}

/// Leaves something for the driver.
pub(super) fn leave(what: impl FnOnce(&mut Aside)) {
    ASIDE.with_borrow_mut(what);
}

/// Takes what was left.
pub(super) fn take() -> Aside {
    ASIDE.take()
}
