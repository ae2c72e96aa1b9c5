//! The nightly run, short: power cuts at every step of short histories, and at some steps of long ones.

use martlet_powercut::{Cuts, Plan, broker_history, history};

const PLAN: Plan = Plan {
    lives: 3,
    turns: 30,
    cuts: Cuts::EveryStep(2),
    payload_max: 3000,
    has_faults: false,
    is_monotonous: false,
};

fn live(seeds: std::ops::Range<u64>, plan: &Plan) {
    for seed in seeds {
        history(seed, plan, &mut || {}).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn every_step_of_short_histories() {
    live(0..25, &PLAN);
}

#[test]
fn some_steps_of_long_histories() {
    live(100..104, &Plan { turns: 600, cuts: Cuts::Anywhere(60), payload_max: 1000, ..PLAN });
}

#[test]
fn disks_that_fill_up_and_break() {
    live(200..208, &Plan { turns: 80, cuts: Cuts::EveryStep(1), has_faults: true, ..PLAN });
}

/// What was dropped lies exactly behind what is written in place of the torn frame before it.
#[test]
fn frames_that_fit_where_others_were() {
    live(300..320, &Plan { lives: 6, turns: 12, is_monotonous: true, ..PLAN });
}

#[test]
fn a_whole_broker() {
    let plan = Plan { turns: 25, cuts: Cuts::EveryStep(1), ..PLAN };
    for seed in 0..8 {
        broker_history(seed, &plan, &mut || {}).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn a_whole_broker_on_disks_that_fill_up_and_break() {
    let plan = Plan { turns: 60, cuts: Cuts::EveryStep(1), has_faults: true, ..PLAN };
    for seed in 100..104 {
        broker_history(seed, &plan, &mut || {}).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
