//! Hostile peers, vanishing peers and storms, run against a whole broker.
