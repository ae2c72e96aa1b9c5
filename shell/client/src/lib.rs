//! An MQTT client for the command line, bridges and tests.
