//! MQTT Control Packets and bytes, for MQTT 3.1, 3.1.1 and 5.0.
