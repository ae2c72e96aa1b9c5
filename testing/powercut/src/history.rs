//! A history: several lives of one store, each ended at every step or at some.

use std::collections::BTreeMap;

use martlet_record::Time;

use crate::books::Commit;
use crate::broker::broker_history;
use crate::life::{Also, Broken, End, Ended, Life, recover};
use crate::process::{Process, moment};
use crate::{Chance, Disk, Story};

/// How long histories are, and how they are cut.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Lives of one store.
    pub lives: usize,
    /// Turns of one life, at most.
    pub turns: u64,
    /// Where lives end.
    pub cuts: Cuts,
    /// Bytes of the longest payload.
    pub payload_max: usize,
    /// The disk fills up and breaks now and then.
    pub has_faults: bool,
    /// All batches are alike.
    pub is_monotonous: bool,
}

/// Where lives end.
#[derive(Debug, Clone, Copy)]
pub enum Cuts {
    /// So often at every step.
    EveryStep(usize),
    /// So often at some step of a life.
    Anywhere(usize),
}

/// A promise that was not kept, and how to see it again.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Of the history.
    pub seed: u64,
    /// Which of its lives, from zero.
    pub life: usize,
    /// After how many steps of the disk it ended.
    pub step: usize,
    /// How it ended.
    pub end: End,
    /// What was not as it must be.
    pub broken: Broken,
    /// What that life had committed.
    pub commits: Vec<Commit>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, life, step, end, broken, .. } = self;
        let what = &broken.what;
        write!(
            formatter,
            "history {seed}, life {life}, ended by a {end:?} after {step} steps of the disk: {what}"
        )
    }
}

impl std::error::Error for Failure {}

/// Lives the history of this seed, one of many kinds: with a made-up story or a whole broker, with batches that
/// are alike, short and ended at every
/// step or long, on disks that work or break. Gives back how many ends it had; `tick` hears of each.
pub fn any_history(seed: u64, tick: &mut dyn FnMut()) -> Result<usize, Failure> {
    let has_faults = seed.is_multiple_of(3);
    let short = Plan {
        lives: 3,
        turns: 30,
        cuts: Cuts::EveryStep(3),
        payload_max: 1000,
        has_faults,
        is_monotonous: false,
    };
    match seed % 8 {
        0 => history(seed, &short, tick),
        1 => history(seed, &Plan { lives: 6, is_monotonous: true, ..short }, tick),
        2 => history(seed, &Plan { turns: 60, payload_max: 6000, ..short }, tick),
        3 => history(seed, &Plan { lives: 6, turns: 400, cuts: Cuts::Anywhere(200), ..short }, tick),
        4 => history(seed, &Plan { turns: 2000, cuts: Cuts::Anywhere(200), payload_max: 300, ..short }, tick),
        5 | 6 => broker_history(seed, &Plan { lives: 4, cuts: Cuts::EveryStep(2), ..short }, tick),
        _ => broker_history(seed, &Plan { turns: 300, cuts: Cuts::Anywhere(200), ..short }, tick),
    }
}

/// Lives the history of this seed; gives back how many ends it had. `tick` hears of each.
pub fn history(seed: u64, plan: &Plan, tick: &mut dyn FnMut()) -> Result<usize, Failure> {
    let mut chance = Chance::new(seed);
    let its_chance = Chance::new(chance.number());
    let mut story = match plan.is_monotonous {
        true => Story::monotonous(its_chance),
        false => Story::new(its_chance, plan.payload_max),
    };
    let (mut disk, mut contents) = (Disk::default(), BTreeMap::new());
    let mut now = moment(Time::from_millis(1000));
    let mut ends = 0;
    for life in 0..plan.lives {
        let failed = |step, end, broken, commits| Failure { seed, life, step, end, broken, commits };
        let its_chance = Chance::new(chance.number());
        let found = recover(&disk, &its_chance).map_err(|broken| failed(0, End::Kill, broken, Vec::new()))?;
        let mut process = Process::new(disk, found, contents, story, now, its_chance);
        if plan.has_faults {
            process.have_faults();
        }
        process.live(usize::try_from(chance.below(plan.turns) + 1).expect("few"));
        if chance.once_in(4) {
            process.rest();
        }
        let (over, its_story) = process.into_life();
        let mut count = || {
            ends += 1;
            tick();
        };
        let next = over
            .end_in_many_ways(plan.cuts, &mut chance, &mut |_, _, _, _| Ok(()), &mut count)
            .map_err(|(step, end, broken)| failed(step, end, broken, over.commits.clone()))?;
        let Some(Ended { commits, left, .. }) = next else { break };
        contents = over.contents_of(commits);
        story = its_story.restarted(Chance::new(chance.number()), over.models[commits].clone());
        disk = left;
        now = moment(over.now.time.after_millis(chance.below(5000)));
    }
    Ok(ends)
}

impl Life {
    /// Ends it wherever the plan says. Gives back one of the ends, for another life to begin there.
    pub fn end_in_many_ways(
        &self,
        cuts: Cuts,
        chance: &mut Chance,
        also: Also<'_>,
        tick: &mut dyn FnMut(),
    ) -> Result<Option<Ended>, (usize, End, Broken)> {
        let mut disk = self.disk.clone();
        let mut next = None;
        for step in 0..=self.trace.len() {
            let times = if step < self.born { 0 } else { self.times(cuts, chance) };
            for _ in 0..times {
                let end = if chance.once_in(8) { End::Kill } else { End::Cut };
                let mut its_chance = Chance::new(chance.number());
                let ended = self.check(&disk, (end, step), &mut its_chance, also);
                let ended = ended.map_err(|broken| (step, end, broken))?;
                tick();
                // More likely a late one, or one that left something behind.
                if next.is_none() || chance.once_in(if ended.is_torn { 2 } else { 8 }) {
                    next = Some(ended);
                }
            }
            self.trace.get(step).into_iter().for_each(|event| disk.apply(event));
        }
        Ok(next)
    }

    /// How often it ends at one step.
    fn times(&self, cuts: Cuts, chance: &mut Chance) -> usize {
        match cuts {
            Cuts::EveryStep(times) => times,
            Cuts::Anywhere(times) => {
                let steps = self.trace.len() + 1 - self.born;
                times / steps + usize::from(chance.index(steps) < times % steps)
            }
        }
    }
}
