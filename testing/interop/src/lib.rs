//! Real clients of other makers, run against Martlet and Mosquitto side by side.
