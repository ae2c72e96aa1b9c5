//! The arrows between our crates: they only go down. [`HOUSE`] is the one place that says which
//! crate may name which, and [`NOT_IN_CORE`] which crates of others would bring waiting, clocks
//! or chance into core.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Finding, Weight};
use crate::{process, tree};

/// A crate of ours and the crates of ours it may name. `core/*` stands for all of a floor.
struct Room {
    folder: &'static str,
    may_name: &'static [&'static str],
}

/// The house. A row may stand here before its crate does; a crate without a row is refused.
const HOUSE: &[Room] = &[
    room("core/topic", &[]),
    room("core/packet", &["core/topic"]),
    room("core/record", &["core/packet", "core/topic"]),
    room("core/session", &["core/access", "core/packet", "core/record", "core/topic"]),
    room("core/access", &["core/topic"]),
    room("core/rule", &["core/packet", "core/topic"]),
    room("core/cluster", &["core/packet", "core/record", "core/topic"]),
    room(
        "core/broker",
        &["core/access", "core/packet", "core/record", "core/rule", "core/session", "core/topic"],
    ),
    room("shell/config", &["core/*"]),
    room("shell/telemetry", &["core/*"]),
    room("shell/net", &["core/*"]),
    room("shell/disk", &["core/packet", "core/record", "core/topic"]),
    room("shell/auth", &["core/access", "core/topic", "shell/config"]),
    room("shell/client", &["core/packet", "core/topic"]),
    room("shell/bridge", &["core/rule", "shell/client", "shell/config"]),
    room("shell/api", &["core/broker", "shell/config", "shell/telemetry"]),
    room("shell/server", &["core/*", "shell/*"]),
    room("apps/martlet", &["shell/auth", "shell/client", "shell/config", "shell/server"]),
    room("testing/harness", &["core/*", "shell/*"]),
    room("testing/interop", EVERYTHING),
    // As pure as core, so that tests of core may use it.
    room("testing/simulator", &["core/*"]),
    room("testing/powercut", EVERYTHING),
    room("testing/trials", EVERYTHING),
    room("testing/durability", EVERYTHING),
    // It shares no line with what it watches.
    room("testing/witness", &[]),
    room("xtask", &[]),
];

const EVERYTHING: &[&str] = &["core/*", "shell/*", "apps/*", "testing/*"];

/// What the tests of a floor may name besides: a test of core is stepped by hand, a test of the
/// shell may start a whole broker.
const IN_TESTS: &[(&str, &[&str])] = &[
    ("core", &["core/*", "testing/simulator"]),
    ("shell", &["core/*", "shell/*", "testing/*"]),
    ("apps", EVERYTHING),
    ("testing", EVERYTHING),
    ("xtask", &[]),
];

/// Crates of others that core must not reach, not even through a third one, and why.
const NOT_IN_CORE: &[(&str, &str)] = &[
    ("async-io", WAITS),
    ("async-std", WAITS),
    ("futures", WAITS),
    ("hyper", WAITS),
    ("mio", WAITS),
    ("nix", WAITS),
    ("polling", WAITS),
    ("reqwest", WAITS),
    ("rustix", WAITS),
    ("signal-hook", WAITS),
    ("smol", WAITS),
    ("socket2", WAITS),
    ("tokio", WAITS),
    ("crossbeam-channel", THREADS),
    ("rayon", THREADS),
    ("chrono", CLOCK),
    ("jiff", CLOCK),
    ("quanta", CLOCK),
    ("time", CLOCK),
    ("fastrand", CHANCE),
    ("getrandom", CHANCE),
    ("rand", CHANCE),
    ("uuid", CHANCE),
    ("log", LOGS),
    ("tracing", LOGS),
];

const WAITS: &str = "core never waits: return what to do and let the shell do it";
const THREADS: &str = "core starts no threads: the shell runs the shards";
const CLOCK: &str = "core reads no clock: take `now` as an argument";
const CHANCE: &str = "core draws no random numbers: take a seed as an argument";
const LOGS: &str = "a log line is I/O: put what happened into the Outbox and let the shell log it";

const fn room(folder: &'static str, may_name: &'static [&'static str]) -> Room {
    Room { folder, may_name }
}

/// Reads `cargo metadata` and returns every wrong arrow.
pub(super) fn check() -> Result<Vec<Finding>> {
    let metadata = process::output_of(process::cargo().args(["metadata", "--format-version=1", "--quiet"]))?;
    let root = tree::root();
    let crates = read(&metadata, &root.to_string_lossy())?;
    Ok(wrong_arrows(&crates))
}

/// A crate of the workspace, as Cargo sees it.
#[derive(Debug)]
struct Crate {
    /// `core/session`
    folder: String,
    /// Folders of our crates it names, each with whether only tests and build scripts do.
    ours: Vec<(String, bool)>,
    /// Names of other people's crates that its code reaches, tests apart, each with the crate
    /// through which it does.
    others: BTreeMap<String, String>,
}

fn wrong_arrows(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for from in crates {
        let manifest = format!("{}/Cargo.toml", from.folder);
        let Some(room) = HOUSE.iter().find(|room| room.folder == from.folder) else {
            findings.push(error(
                manifest,
                format!("{} has no row in the table of the house", from.folder),
                "say in HOUSE (xtask/src/check/arrows.rs) what it may name; a new crate wants an ADR"
                    .to_owned(),
            ));
            continue;
        };
        for (to, in_tests) in &from.ours {
            if !may_name(room, to, *in_tests) {
                findings.push(wrong_arrow(&manifest, room, to, *in_tests));
            }
        }
        if floor_of(&from.folder) == "core" {
            for (name, why) in NOT_IN_CORE {
                if let Some(through) = from.others.get(*name) {
                    findings.push(not_in_core(&manifest, &from.folder, name, through, why));
                }
            }
        }
    }
    findings
}

fn may_name(room: &Room, to: &str, in_tests: bool) -> bool {
    let floor = floor_of(room.folder);
    let more: &[&str] =
        IN_TESTS.iter().find(|(name, _)| in_tests && *name == floor).map_or(&[], |(_, more)| more);
    room.may_name.iter().chain(more).any(|allowed| match allowed.strip_suffix("/*") {
        Some(floor) => floor == floor_of(to),
        None => *allowed == to,
    })
}

fn wrong_arrow(manifest: &str, room: &Room, to: &str, in_tests: bool) -> Finding {
    let from = room.folder;
    let rule = match (floor_of(from), floor_of(to)) {
        ("core", "core") => "inside core the table says who may name whom".to_owned(),
        ("core", floor) => format!("core decides and never names {floor}"),
        ("shell", "shell") => "siblings in shell meet only in shell/server".to_owned(),
        ("xtask", _) => "the tool must build while the product does not".to_owned(),
        (_, "xtask") => "nothing depends on the tool".to_owned(),
        _ => "arrows only go down".to_owned(),
    };
    let kind = if in_tests { " (in its tests)" } else { "" };
    let allowed =
        if room.may_name.is_empty() { "nothing of ours".to_owned() } else { room.may_name.join(", ") };
    error(
        manifest.to_owned(),
        format!("wrong arrow {from} → {to}{kind}: {rule}"),
        format!(
            "{from} may name {allowed}; move the line to the room its state lives in, or hand the value down as an argument"
        ),
    )
}

fn not_in_core(manifest: &str, folder: &str, name: &str, through: &str, why: &str) -> Finding {
    let way = if through == name { String::new() } else { format!(", by way of {through}") };
    error(manifest.to_owned(), format!("{folder} reaches the crate {name}{way}"), why.to_owned())
}

fn error(place: String, what: String, cure: String) -> Finding {
    Finding { place, what, cure, weight: Weight::Error }
}

fn floor_of(folder: &str) -> &str {
    folder.split('/').next().unwrap_or(folder)
}

/// The crates of the workspace in what `cargo metadata` printed.
fn read(metadata: &str, root: &str) -> Result<Vec<Crate>> {
    let metadata: Metadata =
        serde_json::from_str(metadata).context("cargo metadata printed something unexpected")?;
    let graph: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let names: BTreeMap<&str, &str> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package.name.as_str())).collect();
    let mut crates = Vec::new();
    for package in &metadata.packages {
        if metadata.workspace_members.contains(&package.id) {
            crates.push(Crate {
                folder: below(root, package.manifest_path.trim_end_matches("/Cargo.toml")),
                ours: ours(package, root),
                others: reached(&package.id, &graph, &names),
            });
        }
    }
    Ok(crates)
}

fn ours(package: &Package, root: &str) -> Vec<(String, bool)> {
    package
        .dependencies
        .iter()
        .filter_map(|dependency| {
            let folder = below(root, dependency.path.as_deref()?);
            Some((folder, dependency.kind.is_some()))
        })
        .collect()
}

/// Every crate that the code of `id` reaches, tests and build scripts apart, with the first step
/// of the way.
fn reached(
    id: &str,
    graph: &BTreeMap<&str, &Node>,
    names: &BTreeMap<&str, &str>,
) -> BTreeMap<String, String> {
    let mut reached = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<(&str, Option<&str>)> = vec![(id, None)];
    while let Some((id, through)) = open.pop() {
        let Some(node) = graph.get(id) else { continue };
        for edge in node.deps.iter().filter(|edge| edge.is_in_the_code()) {
            let Some(&name) = names.get(edge.pkg.as_str()) else {
                continue;
            };
            let through = through.unwrap_or(name);
            if seen.insert(edge.pkg.as_str()) {
                reached.insert(name.to_owned(), through.to_owned());
                open.push((&edge.pkg, Some(through)));
            }
        }
    }
    reached
}

fn below(root: &str, folder: &str) -> String {
    folder.strip_prefix(root).unwrap_or(folder).trim_start_matches('/').to_owned()
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    /// Nothing for the code itself, `dev` or `build` else.
    kind: Option<String>,
    /// Only our own crates have one.
    path: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Edge {
    fn is_in_the_code(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_crate(folder: &str) -> Crate {
        Crate { folder: folder.to_owned(), ours: Vec::new(), others: BTreeMap::new() }
    }

    fn naming(mut from: Crate, to: &str, in_tests: bool) -> Crate {
        from.ours.push((to.to_owned(), in_tests));
        from
    }

    fn whats(crates: &[Crate]) -> Vec<String> {
        wrong_arrows(crates).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn arrows_that_go_down_are_right() {
        let session = naming(a_crate("core/session"), "core/packet", false);
        let server = naming(a_crate("shell/server"), "shell/net", false);
        let trials = naming(a_crate("testing/trials"), "shell/server", false);
        assert!(wrong_arrows(&[session, server, trials]).is_empty());
    }

    #[test]
    fn core_never_names_shell() {
        let session = naming(a_crate("core/session"), "shell/net", false);
        let whats = whats(&[session]);
        assert_eq!(whats, ["wrong arrow core/session → shell/net: core decides and never names shell"]);
    }

    #[test]
    fn a_test_of_core_does_not_start_a_broker() {
        let session = naming(a_crate("core/session"), "testing/harness", true);
        assert_eq!(whats(&[session]).len(), 1);
    }

    #[test]
    fn tests_may_name_more_than_the_code() {
        let in_tests = naming(a_crate("shell/net"), "testing/harness", true);
        assert!(wrong_arrows(&[in_tests]).is_empty());
        let in_code = naming(a_crate("shell/net"), "testing/harness", false);
        assert_eq!(wrong_arrows(&[in_code]).len(), 1);
    }

    #[test]
    fn siblings_in_shell_meet_in_the_server() {
        let net = naming(a_crate("shell/net"), "shell/client", false);
        assert_eq!(whats(&[net]).len(), 1);
        let bridge = naming(a_crate("shell/bridge"), "shell/client", false);
        assert!(wrong_arrows(&[bridge]).is_empty());
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        let finding = wrong_arrows(&[a_crate("core/utils")]).remove(0);
        assert_eq!(finding.place, "core/utils/Cargo.toml");
        assert_eq!(finding.weight, Weight::Error);
    }

    #[test]
    fn what_core_reaches_through_others_counts() {
        let metadata = r#"{
            "packages": [
                {"id": "S", "name": "martlet-session", "manifest_path": "/r/core/session/Cargo.toml",
                 "dependencies": [{"kind": null, "path": null}, {"kind": "dev", "path": null}]},
                {"id": "h", "name": "helpful", "manifest_path": "/c/helpful/Cargo.toml", "dependencies": []},
                {"id": "t", "name": "tokio", "manifest_path": "/c/tokio/Cargo.toml", "dependencies": []},
                {"id": "m", "name": "mio", "manifest_path": "/c/mio/Cargo.toml", "dependencies": []}
            ],
            "workspace_members": ["S"],
            "resolve": {"nodes": [
                {"id": "S", "deps": [
                    {"pkg": "h", "dep_kinds": [{"kind": null}]},
                    {"pkg": "m", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "h", "deps": [{"pkg": "t", "dep_kinds": [{"kind": null}]}]},
                {"id": "t", "deps": []},
                {"id": "m", "deps": []}
            ]}
        }"#;
        let crates = read(metadata, "/r").unwrap();
        // tokio comes in through a third crate; mio only in tests, where it is not core's code.
        assert_eq!(whats(&crates), ["core/session reaches the crate tokio, by way of helpful"]);
    }

    #[test]
    fn a_path_dependency_is_one_of_ours() {
        let metadata = r#"{
            "packages": [
                {"id": "T", "name": "martlet-topic", "manifest_path": "/r/core/topic/Cargo.toml",
                 "dependencies": [{"kind": null, "path": "/r/core/packet"}]}
            ],
            "workspace_members": ["T"],
            "resolve": {"nodes": [{"id": "T", "deps": []}]}
        }"#;
        let crates = read(metadata, "/r").unwrap();
        assert_eq!(
            whats(&crates),
            ["wrong arrow core/topic → core/packet: inside core the table says who may name whom"]
        );
    }

    #[test]
    fn every_row_names_rows_of_the_table() {
        for room in HOUSE {
            for named in room.may_name {
                let known = match named.strip_suffix("/*") {
                    Some(floor) => HOUSE.iter().any(|room| floor_of(room.folder) == floor),
                    None => HOUSE.iter().any(|room| room.folder == *named),
                };
                assert!(known, "{} names {named}, which has no row", room.folder);
            }
        }
    }
}
