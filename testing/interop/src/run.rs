//! Runs the scenarios one after the other, each on every broker. The one rule: whatever goes wrong becomes a failed
//! check of that scenario and broker; the others still run.

use crate::broker::{self, Brand, Broker, Yard};
use crate::group::{self, Ending};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::scenario::{Program, Scenario, Work};
use crate::storm;
use crate::workshop::Workshop;
use std::fs::{self, File};
use std::path::Path;
use std::time::Instant;

/// How much of what a failed client wrote to standard error is shown.
const LAST_WORDS: usize = 12;

/// What became of all scenarios.
pub(crate) struct Results {
    /// The brokers with their versions, in the order of each row's outcomes.
    pub(crate) brands: Vec<(Brand, String)>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) client: String,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Results {
    /// Whether all is well. A failure on Mosquitto that is not known counts as well: it says that the client or the
    /// scenario is wrong, and then Martlet's result proves nothing either.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.outcomes.iter().all(Outcome::passed))
    }
}

pub(crate) fn all(scenarios: &[Scenario], brands: &[Brand]) -> anyhow::Result<Results> {
    let mut workshop = Workshop::open()?;
    let martlet = if brands.contains(&Brand::Martlet) { Some(workshop.martlet()?) } else { None };
    let yard = Yard { martlet, folder: workshop.folder("logs")? };
    let mut progress = Progress::new(scenarios.len());
    let mut rows = Vec::new();
    for scenario in scenarios {
        progress.begin(scenario.name);
        let outcomes = match scenario.work {
            Work::Client { program, words } => {
                let run =
                    |workshop: &mut Workshop, brand| client(scenario, program, words, brand, workshop, &yard);
                brands.iter().map(|&brand| run(&mut workshop, brand)).collect()
            }
            Work::Storm => storm::run(scenario, brands, &yard),
        };
        progress.end(brands, &outcomes);
        let named = outcomes.iter().find_map(|outcome: &Outcome| outcome.client.clone());
        let client = named.unwrap_or_else(|| scenario.client.to_owned());
        rows.push(Row { name: scenario.name, title: scenario.title, client, outcomes });
    }
    let version = |brand| broker::version(brand, &yard).unwrap_or_default();
    Ok(Results { brands: brands.iter().map(|&brand| (brand, version(brand))).collect(), rows })
}

/// Runs a client program against a fresh broker.
fn client(
    scenario: &Scenario,
    program: Program,
    words: &[&str],
    brand: Brand,
    workshop: &mut Workshop,
    yard: &Yard,
) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(why) = workshop.prepare(program) {
        outcome.fail("install", why);
        return outcome;
    }
    let broker = match Broker::start(brand, scenario.settings, yard, scenario.name) {
        Ok(broker) => broker,
        Err(error) => {
            outcome.fail("start of the broker", format!("{error:#}"));
            return outcome;
        }
    };
    let start = Instant::now();
    let mut command = workshop.command(program);
    command.arg(broker.address.ip().to_string()).arg(broker.address.port().to_string()).args(words);
    let stderr = broker.log.with_extension("client.log");
    let ending = File::create(&stderr).and_then(|file| {
        group::run(command.stderr(file), scenario.limit, |line| outcome.read(line, scenario, brand))
    });
    outcome.took = start.elapsed();
    match ending {
        Ok(Ending::Exited(status)) if status.success() => {}
        Ok(Ending::Exited(status)) => {
            outcome.fail("end of the client", format!("{status}\n{}", last_words(&stderr)))
        }
        Ok(Ending::TimedOut) => {
            outcome.fail(
                "end of the client",
                format!("killed after {:?}\n{}", scenario.limit, last_words(&stderr)),
            );
        }
        Err(error) => outcome.fail("start of the client", error.to_string()),
    }
    let log = broker.log.clone();
    if let Err(why) = broker.stop() {
        outcome.fail("end of the broker", format!("{why}\n{}", last_words(&log)));
    }
    if let (Brand::Martlet, Some(checks)) = (brand, scenario.log_checks) {
        outcome.checks.extend(checks(&fs::read_to_string(&log).unwrap_or_default()));
    }
    outcome
}

/// The end of a log.
fn last_words(file: &Path) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
}
