//! The `martlet` command.
fn main() {}
