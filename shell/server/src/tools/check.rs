//! Reads everything that is needed, and says of each thing that is not as it was written whom it concerns.
//!
//! A log with a gap is read as a repair would leave it: the repair is tried in memory first.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use martlet_disk::{Content, Damage, FrameHead, OpenError, Recovered, Repaired, Torn};
use martlet_record::{Now, Place, Position, SessionNumber, Stored};

use super::contents::{Contents, Holder};
use super::problem::{Concerned, Fault, Problem};
use super::{Progress, Stage, Store};

/// Messages that are read at once, and their bytes.
const TOGETHER: usize = 4096;
const TOGETHER_BYTES: u64 = 8 << 20;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Frames that were read.
    pub frames: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Messages that somebody needs, and that were read.
    pub messages: u64,
    /// The end of the log, if it was being written when the broker was killed. No harm: nobody had been told of it.
    pub torn: Option<Torn>,
    /// Positions that an earlier repair took out.
    pub lost: Vec<Range<u64>>,
    /// What is not as it was written, in the order of the log.
    pub problems: Vec<Problem>,
}

/// What a Client loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loss {
    /// Messages that wait for it and cannot be read.
    pub messages: u64,
    /// Gaps in the log with records about it.
    pub gaps: u64,
}

impl Checked {
    /// Nothing that anybody needs is damaged.
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.fault.is_harmless())
    }

    /// A broker does not start on it.
    pub fn needs_repair(&self) -> bool {
        self.problems.iter().any(|problem| problem.fault.stops_start())
    }

    /// What Clients lose if the store stays as it is.
    pub fn losses(&self) -> BTreeMap<&str, Loss> {
        let mut losses: BTreeMap<&str, Loss> = BTreeMap::new();
        for problem in self.problems.iter().filter(|problem| !problem.fault.is_harmless()) {
            for concerned in &problem.concerned {
                let Concerned::Client(client_id) = concerned else { continue };
                let loss = losses.entry(client_id).or_default();
                if matches!(problem.fault, Fault::Message(_)) {
                    loss.messages += 1;
                } else {
                    loss.gaps += 1;
                }
            }
        }
        losses
    }
}

impl Store {
    /// Verifies the log and every Message that somebody needs.
    pub fn check(self, progress: Progress<'_>) -> Result<Checked, OpenError> {
        match self.contents(progress) {
            Ok((contents, recovered)) => self.verify(&contents, recovered, Vec::new(), progress),
            Err(OpenError::Damaged(damage)) => self.check_as_if_repaired(&damage, progress),
            Err(error) => Err(error),
        }
    }

    fn check_as_if_repaired(self, damage: &Damage, progress: Progress<'_>) -> Result<Checked, OpenError> {
        let sessions = self.sessions_in_gaps()?;
        let taken_out = self.inspection.repair()?;
        let inspection = martlet_disk::inspect(self.files.clone())?;
        let repaired = Self { inspection, ..self };
        let (contents, mut recovered) = repaired.contents(progress)?;
        recovered.lost.retain(|lost| taken_out.iter().all(|gap| gap.positions != *lost));
        let clients = contents.clients();
        let problem = |gap: &Repaired| {
            let positions = Position(gap.positions.start)..Position(gap.positions.end);
            let named = sessions.range(positions).flat_map(|(_, sessions)| sessions);
            let named: BTreeSet<_> = named.filter_map(|session| clients.get(session)).collect();
            let concerned = named.into_iter().map(|client| Concerned::Client((*client).to_owned()));
            Problem { place: gap.place, fault: fault_of(gap, damage), concerned: concerned.collect() }
        };
        let gaps = taken_out.iter().map(problem).collect();
        repaired.verify(&contents, recovered, gaps, progress)
    }

    /// Sessions of the frames that a repair would take out, as far as anything can be made out of them.
    fn sessions_in_gaps(&self) -> Result<BTreeMap<Position, Vec<SessionNumber>>, OpenError> {
        let gaps = self.inspection.plan()?;
        let mut places = BTreeMap::new();
        let mut each = |head: FrameHead| {
            if gaps.iter().any(|gap| gap.positions.contains(&head.position.0)) {
                places.insert(head.position, head.place);
            }
        };
        self.inspection.heads(&mut each, &mut |_, _| {})?;
        places
            .into_iter()
            .map(|(position, place)| Ok((position, self.inspection.sessions_at(place)?)))
            .collect()
    }

    fn verify(
        &self,
        contents: &Contents,
        recovered: Recovered,
        mut problems: Vec<Problem>,
        progress: Progress<'_>,
    ) -> Result<Checked, OpenError> {
        let mut bodies: Vec<_> = contents.bodies().collect();
        bodies.sort_unstable();
        let messages = self.verify_bodies(&bodies, &mut problems, progress);
        let frames = self.verify_frames(&mut problems, progress)?;
        problems.sort_by_key(|problem| problem.place);
        let (torn, lost) = (recovered.torn, recovered.lost);
        Ok(Checked { frames, log_bytes: self.sizes.log_bytes, messages, torn, lost, problems })
    }

    /// Reads all bodies, given with their holders in the order of the log; tells how many there are.
    fn verify_bodies(
        &self,
        mut bodies: &[(Stored, Holder<'_>)],
        problems: &mut Vec<Problem>,
        progress: Progress<'_>,
    ) -> u64 {
        let (mut count, mut done, total) = (0, 0, bodies.len() as u64);
        while !bodies.is_empty() {
            let (these, rest) = bodies.split_at(together(bodies));
            bodies = rest;
            let by_body: Vec<_> = these.chunk_by(|one, other| one.0 == other.0).collect();
            let wanted: Vec<_> = by_body.iter().map(|holders| holders[0].0).collect();
            for (holders, read) in by_body.iter().zip(self.inspection.read(&wanted, Now::default())) {
                if let Err(error) = read {
                    let mut concerned: Vec<_> = holders.iter().map(|(_, holder)| (*holder).into()).collect();
                    // Overlapping Subscriptions bring a Client several copies.
                    concerned.dedup();
                    problems.push(Problem {
                        place: holders[0].0.place,
                        fault: Fault::Message(error),
                        concerned,
                    });
                }
            }
            count += wanted.len() as u64;
            done += these.len() as u64;
            progress(Stage::Messages, done, total);
        }
        count
    }

    /// Reads all frames. Recovery read those it needs; what is damaged of the others is told unless it was told already,
    /// of a Message in it.
    fn verify_frames(&self, problems: &mut Vec<Problem>, progress: Progress<'_>) -> Result<u64, OpenError> {
        let origin = self.inspection.origin();
        let (mut frames, mut done, total) = (0, 0, self.sizes.log_bytes);
        let mut damaged = Vec::new();
        self.inspection.frames(&mut |frame| {
            frames += 1;
            done += frame.bytes;
            progress(Stage::Frames, done.min(total), total);
            if matches!(frame.content, Content::Damaged) && origin.is_some_and(|origin| frame.place < origin)
            {
                damaged.push((frame.place, frame.bytes));
            }
        })?;
        progress(Stage::Frames, total, total);
        damaged.retain(|(place, bytes)| problems.iter().all(|told| !is_within(told.place, *place, *bytes)));
        problems.extend(damaged.into_iter().map(|(place, _)| Problem {
            place,
            fault: Fault::Unneeded,
            concerned: Vec::new(),
        }));
        Ok(frames)
    }
}

/// How many of these, from the first on, are read at once: all holders of a body.
fn together(bodies: &[(Stored, Holder<'_>)]) -> usize {
    let mut bytes = 0;
    let mut count = 0;
    for holders in bodies.chunk_by(|one, other| one.0 == other.0) {
        bytes += u64::from(holders[0].0.len);
        if count > 0 && (count >= TOGETHER || bytes > TOGETHER_BYTES) {
            break;
        }
        count += holders.len();
    }
    count
}

/// Why a repair would take something out.
fn fault_of(gap: &Repaired, damage: &Damage) -> Fault {
    let is_first = (gap.place.segment(), u64::from(gap.place.offset())) == (damage.segment, damage.offset);
    let what = if is_first { damage.what } else { "nothing there can be read" };
    match gap.positions.is_empty() {
        true => Fault::Missing,
        false => Fault::Gap { positions: gap.positions.clone(), what },
    }
}

fn is_within(place: Place, start: Place, bytes: u64) -> bool {
    place.segment() == start.segment()
        && place >= start
        && u64::from(place.offset()) < u64::from(start.offset()) + bytes
}
