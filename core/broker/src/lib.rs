//! Shards: publish, subscribe, retain, will, share, expire, take over.
