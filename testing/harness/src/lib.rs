//! A real broker in the test process, scripted clients, restarts.
