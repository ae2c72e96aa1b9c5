//! Everyday use of rumqttc: HOST PORT VERSION (4 for 3.1.1, or 5).

mod everyday;
mod peer;
mod report;
mod v4;
mod v5;

use everyday::{everyday, version_5};

/// As pinned in `Cargo.toml`.
const LIBRARY: &str = "rumqttc 0.25.1";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, version] = arguments.as_slice() else {
        panic!("usage: HOST PORT 4|5");
    };
    let address = (host.as_str(), port.parse().expect("PORT is a number"));
    if version == "5" {
        report::client(&format!("{LIBRARY}, MQTT 5.0"));
        everyday::<v5::Peer>(address).await;
        version_5(address).await;
    } else {
        report::client(&format!("{LIBRARY}, MQTT 3.1.1"));
        everyday::<v4::Peer>(address).await;
    }
}
