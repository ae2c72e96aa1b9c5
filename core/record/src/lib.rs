//! The facts that survive a crash, and the journal that keeps them.
