//! The one place that knows everybody: runs shards, wires, drains.
