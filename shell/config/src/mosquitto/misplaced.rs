//! Keys that stand where they mean nothing, and what was probably meant.

use super::line::Line;
use crate::report::{Report, Severity};

/// A key of a bridge that stands outside one. Mosquitto dies of it without saying why; it changes nothing here.
pub(super) fn outside_connection(line: &Line<'_>) -> Report {
    let report =
        line.about_key(Severity::Warning, format!("{} is ignored: it belongs to a bridge", line.key));
    let report = report.because("no line `connection NAME` stands above it in this file");
    let bridge = "for a bridge, put it below its line `connection NAME`";
    match meant(line.key) {
        Some(meant) => report.fix(format!("{meant}; {bridge}")),
        None => report.fix(format!("{bridge}; else take it out")),
    }
}

/// What people want who write a key of bridges for their clients.
fn meant(key: &str) -> Option<&'static str> {
    Some(match key {
        "cleansession" | "local_cleansession" => {
            "take it out: clients choose themselves whether their session is kept, when they connect"
        }
        "username" | "password" | "remote_username" | "remote_password" => {
            "take it out: users and passwords of clients stand in the file that password_file names"
        }
        "clientid" | "remote_clientid" => "take it out: clients bring their own identifiers",
        "keepalive_interval" => "to limit the keep alive of clients: max_keepalive",
        "idle_timeout" => "take it out: a silent client is parted from by its own keep alive",
        "topic" => "who may use which topics stands in the file that acl_file names",
        "address" | "addresses" => "to listen on an address: listener PORT ADDRESS",
        _ => return None,
    })
}

/// A key of Mosquitto 2.1 that needs a listener of its own.
pub(super) fn above_all_listeners(line: &Line<'_>) -> Report {
    line.about_key(Severity::Error, format!("{} needs a listener", line.key))
        .because("no line `listener PORT` stands above it in this file")
        .fix("put it below the `listener` it is for")
}
