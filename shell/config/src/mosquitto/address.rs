//! Addresses of other brokers.

/// An address as [`Bridge::addresses`](crate::config::Bridge::addresses) has it: host and port. The port is what
/// stands behind the last colon, as Mosquitto has it.
pub(crate) fn normal(written: &str) -> Result<String, &'static str> {
    let (host, port) = match written.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok().filter(|port: &u16| *port > 0).ok_or(BAD_PORT)?),
        None => (written, 1883),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err("the host is missing");
    }
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

const BAD_PORT: &str = "behind the last colon stands the port, from 1 to 65535; an IPv6 address needs one";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_ports() {
        assert_eq!(normal("broker").as_deref(), Ok("broker:1883"));
        assert_eq!(normal("10.0.0.1:8883").as_deref(), Ok("10.0.0.1:8883"));
        assert_eq!(normal("fe80::1:8883").as_deref(), Ok("[fe80::1]:8883"));
        assert_eq!(normal("[fe80::1]:8883").as_deref(), Ok("[fe80::1]:8883"));
        for wrong in ["broker:0", "broker:x", "broker:65536", ":1883", "", "[]:1883"] {
            assert!(normal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_written_once_is_written_alike_again() {
        for written in ["broker", "10.0.0.1:8883", "fe80::1:8883"] {
            let once = normal(written).unwrap();
            assert_eq!(normal(&once).as_ref(), Ok(&once));
        }
    }
}
