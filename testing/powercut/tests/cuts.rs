//! The nightly run, short: power cuts at every step of short histories, and at some steps of long ones.

use martlet_powercut::{Cuts, Plan, broker_history, history};

fn live(seeds: std::ops::Range<u64>, plan: &Plan) {
    for seed in seeds {
        history(seed, plan, &mut || {}).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn every_step_of_short_histories() {
    live(
        0..40,
        &Plan { lives: 3, turns: 30, cuts: Cuts::EveryStep(2), payload_max: 3000, has_faults: false },
    );
}

#[test]
fn some_steps_of_long_histories() {
    live(
        100..106,
        &Plan { lives: 3, turns: 600, cuts: Cuts::Anywhere(60), payload_max: 1000, has_faults: false },
    );
}

#[test]
fn disks_that_fill_up_and_break() {
    live(
        200..215,
        &Plan { lives: 3, turns: 80, cuts: Cuts::EveryStep(1), payload_max: 3000, has_faults: true },
    );
}

#[test]
fn a_whole_broker() {
    let plan = Plan { lives: 3, turns: 25, cuts: Cuts::EveryStep(1), payload_max: 0, has_faults: false };
    for seed in 0..10 {
        broker_history(seed, &plan, &mut || {}).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
