//! 10,000 times connect, publish one QoS 2 message, disconnect, with empty Client Identifiers: what a script does that
//! publishes with a one-shot helper. The load is our own, so that the broker is measured and not the client.

mod cycles;
mod subscriber;

use crate::broker::{Brand, Broker, Yard};
use crate::outcome::Outcome;
use crate::scenario::Scenario;
use cycles::Load;
use std::time::Duration;
use subscriber::Subscriber;

const CYCLES: u32 = 10_000;
const AT_ONCE: usize = 50;
const ROUNDS: usize = 3;

/// The brokers run at the same time and take the rounds by turns, so that both meet the machine in the same state.
pub(crate) fn run(scenario: &Scenario, brands: &[Brand], yard: &Yard) -> Vec<Outcome> {
    let mut lanes: Vec<Lane> = brands.iter().map(|&brand| Lane::start(scenario, brand, yard)).collect();
    for round in 1..=ROUNDS {
        lanes.iter_mut().for_each(|lane| lane.round(round));
        // Whoever comes second finds the machine warmer, or busier: each does so in turn.
        lanes.reverse();
    }
    lanes.sort_by_key(|lane| brands.iter().position(|&brand| brand == lane.brand));
    compare(&mut lanes);
    lanes.into_iter().map(Lane::finish).collect()
}

/// One broker with its results so far.
struct Lane {
    brand: Brand,
    broker: Option<Broker>,
    outcome: Outcome,
    /// Cycles per second of each round.
    rates: Vec<f64>,
}

impl Lane {
    fn start(scenario: &Scenario, brand: Brand, yard: &Yard) -> Self {
        let mut outcome = Outcome::default();
        let broker = Broker::start(brand, scenario.settings, yard, scenario.name);
        let broker = broker.map_err(|error| outcome.fail("start of the broker", format!("{error:#}"))).ok();
        Lane { brand, broker, outcome, rates: Vec::new() }
    }

    fn round(&mut self, round: usize) {
        let Some(broker) = &self.broker else { return };
        let topic = format!("storm/{round}");
        match measure(broker, &topic) {
            Ok((took, counted)) => {
                self.outcome.took += took;
                self.rates.push(f64::from(CYCLES) / took.as_secs_f64());
                self.outcome.pass(&format!("round {round}: {CYCLES} cycles"));
                let name = format!("round {round}: every message arrives once");
                match counted {
                    Ok(()) => self.outcome.pass(&name),
                    Err(why) => self.outcome.fail(&name, why),
                }
            }
            Err(error) => self.outcome.fail(&format!("round {round}: {CYCLES} cycles"), format!("{error:#}")),
        }
    }

    fn rate(&self) -> Option<f64> {
        median(&self.rates)
    }

    fn finish(mut self) -> Outcome {
        if let Some(rate) = self.rate() {
            // Whole cycles are exact enough, and far below 2^64.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number"
            )]
            self.outcome.figures.push(("cycles/s".into(), rate.round() as u64));
        }
        if let Some(Err(why)) = self.broker.map(Broker::stop) {
            self.outcome.fail("end of the broker", why);
        }
        self.outcome
    }
}

/// One round: the time of all cycles, and whether the subscriber got each message once.
fn measure(broker: &Broker, topic: &str) -> anyhow::Result<(Duration, Result<(), String>)> {
    let subscriber = Subscriber::start(broker.address, topic, CYCLES)?;
    let took = cycles::run(&Load { broker: broker.address, topic, cycles: CYCLES, at_once: AT_ONCE })?;
    Ok((took, subscriber.finish()))
}

/// Martlet has to be at least as fast, by the medians of the same run.
fn compare(lanes: &mut [Lane]) {
    let rate_of = |brand| lanes.iter().find(|lane| lane.brand == brand).and_then(Lane::rate);
    let (Some(martlet), Some(mosquitto)) = (rate_of(Brand::Martlet), rate_of(Brand::Mosquitto)) else {
        return;
    };
    let Some(lane) = lanes.iter_mut().find(|lane| lane.brand == Brand::Martlet) else { return };
    if martlet >= mosquitto {
        lane.outcome.pass("at least as fast as Mosquitto");
    } else {
        let detail = format!("{martlet:.0} cycles/s against {mosquitto:.0}");
        lane.outcome.fail("at least as fast as Mosquitto", detail);
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_round() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
