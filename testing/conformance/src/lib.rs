//! Scripted conversations checked against the specification, by packet.
