//! Listeners and connections: bytes to Packets and back.
